use serde::{Deserialize, Serialize};

use super::Timestamp;
use crate::ids::{AgentId, OrgId};

/// `agent_services/{id}`: the Cloud Run service of the agent with that id.
///
/// The document is there before the service is asked for, and goes when the service is surely
/// gone: no service can be lost sight of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentService {
    /// The agent, equal to the document id. It may be deleted already.
    pub id: AgentId,
    /// The organization of the agent.
    pub org_id: OrgId,
    /// What is to be done.
    pub state: AgentServiceState,
    /// Whether the agent begins to work once its service is ready.
    #[serde(default)]
    pub activates: bool,
    /// When the service was asked for.
    pub begun_at: Timestamp,
    /// When Cloud Run first took what it was asked for; it must be ready within some time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    /// Not before this time: whoever takes the work moves it on, so that nobody else does it
    /// meanwhile. Absent when there is nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
}

/// What is to be done about an agent's service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentServiceState {
    /// To be made, or to be changed to the agent's configuration.
    Provisioning,
    /// Nothing: it runs.
    Ready,
    /// To be deleted.
    Removing,
    /// It was deleted; to be looked for once more, in case a request was late.
    Removed,
}

impl AgentService {
    /// Whether somebody is at it.
    #[must_use]
    pub fn is_held(&self, now: Timestamp) -> bool {
        let is_work = matches!(
            self.state,
            AgentServiceState::Provisioning | AgentServiceState::Removing
        );
        is_work && self.due_at.is_some_and(|due_at| due_at > now)
    }

    /// Whether there is something to do that nobody is at.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due_at.is_some_and(|due_at| due_at <= now)
    }

    /// Whether it is to be made or changed.
    #[must_use]
    pub fn is_being_made(&self) -> bool {
        self.state == AgentServiceState::Provisioning
    }

    /// Whether it is to be deleted, or was.
    #[must_use]
    pub fn is_going(&self) -> bool {
        matches!(
            self.state,
            AgentServiceState::Removing | AgentServiceState::Removed
        )
    }

    /// A service that is yet to be asked for.
    #[must_use]
    pub fn new(org_id: &OrgId, id: &AgentId, now: Timestamp) -> Self {
        Self {
            id: id.clone(),
            org_id: org_id.clone(),
            state: AgentServiceState::Provisioning,
            activates: false,
            begun_at: now,
            taken_at: None,
            due_at: Some(now),
        }
    }

    /// Has the service be made, or be changed. Whoever is at it notices.
    pub fn provision(&mut self, activates: bool, now: Timestamp) {
        self.become_due(now);
        self.state = AgentServiceState::Provisioning;
        self.activates = activates;
        self.begun_at = now;
        self.taken_at = None;
    }

    /// Has the service be deleted. Whoever is at it notices.
    pub fn remove(&mut self, now: Timestamp) {
        self.become_due(now);
        self.state = AgentServiceState::Removing;
    }

    fn become_due(&mut self, now: Timestamp) {
        if !self.is_held(now) {
            self.due_at = Some(now);
        }
    }
}
