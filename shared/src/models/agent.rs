use serde::{Deserialize, Serialize};

use super::Timestamp;
use crate::ids::{AgentId, OrgId};

/// `agents/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    /// Equal to the document id.
    pub id: AgentId,
    /// The organization that owns the agent; never changes.
    pub org_id: OrgId,
    /// Display name, 1 to 80 characters.
    pub name: String,
    /// Made from nothing or from a template.
    #[serde(rename = "type")]
    pub kind: AgentKind,
    /// The sector the agent works in.
    pub industry: Industry,
    /// How the agent behaves.
    pub personality: Personality,
    /// How the agent speaks.
    pub voice_config: VoiceConfig,
    /// Whether the agent works.
    pub status: AgentStatus,
    /// How far the agent remembers.
    pub memory_depth: MemoryDepth,
    /// How far the deployment has come.
    pub deploy_state: DeployState,
    /// When the agent was last seen alive.
    #[serde(default)]
    pub presence: Presence,
    /// What the agent is told before every conversation.
    pub system_prompt: String,
    /// Names of the tools the agent may call.
    #[serde(default)]
    pub tools: Vec<String>,
    /// The model or model alias the agent thinks with.
    pub model: String,
    /// Where the agent runs, once deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<AgentRuntime>,
    /// Why it rests although nobody has paused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspension: Option<Suspension>,
    /// Why the last deployment failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
    /// When the agent was made.
    pub created_at: Timestamp,
    /// Last change by the API.
    pub updated_at: Timestamp,
}

impl Agent {
    /// Whether it answers: it is deployed, and neither paused, suspended nor being trained.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        self.status == AgentStatus::Active
            && self.deploy_state == DeployState::Deployed
            && self.suspension.is_none()
    }

    /// Has it work; one that is suspended will when it is no more.
    pub fn begin_work(&mut self) {
        match &mut self.suspension {
            None => self.status = AgentStatus::Active,
            Some(suspension) => {
                suspension.status = AgentStatus::Active;
                self.status = AgentStatus::Paused;
            }
        }
    }

    /// Has it rest, because the plan has no place for it. What is in training is trained to its end.
    pub fn suspend(&mut self, now: Timestamp) {
        self.suspension = Some(Suspension {
            status: self.status,
            since: now,
        });
        if self.status == AgentStatus::Active {
            self.status = AgentStatus::Paused;
        }
    }

    /// Has it be again as it was before it was suspended.
    pub fn end_suspension(&mut self) {
        if let Some(suspension) = self.suspension.take()
            && self.status == AgentStatus::Paused
        {
            self.status = suspension.status;
        }
    }
}

/// A rest that ends when the plan has a place for the agent again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suspension {
    /// What the agent was, and is to be again.
    pub status: AgentStatus,
    /// Since when it rests.
    pub since: Timestamp,
}

/// Where an agent comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentKind {
    /// Made from nothing.
    Custom,
    /// Copied from a template.
    Template,
}

/// The sector an agent works in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Industry {
    /// Technology.
    Tech,
    /// Finance.
    Finance,
    /// Healthcare.
    Healthcare,
    /// Therapy.
    Therapy,
}

/// How an agent behaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, garde::Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub struct Personality {
    /// 0 to 1.
    #[garde(range(min = 0.0, max = 1.0))]
    pub empathy: f64,
    /// 0 to 1.
    #[garde(range(min = 0.0, max = 1.0))]
    pub confidence: f64,
    /// Free text of up to 500 characters, given to the model as data.
    #[garde(length(chars, max = 500))]
    pub style: String,
}

/// How an agent speaks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, garde::Validate)]
#[serde(deny_unknown_fields)]
pub struct VoiceConfig {
    /// The voice's name, 1 to 80 characters.
    #[garde(length(chars, min = 1, max = 80))]
    pub model: String,
    /// Speed, 0.25 to 4.
    #[garde(range(min = 0.25, max = 4.0))]
    pub speed: f64,
    /// Pitch in semitones, -20 to 20.
    #[garde(range(min = -20.0, max = 20.0))]
    pub pitch: f64,
}

/// Whether an agent works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentStatus {
    /// Answers.
    Active,
    /// Refuses work.
    Paused,
    /// Is being trained.
    Training,
}

/// How far the deployment of an agent has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeployState {
    /// Never deployed.
    Draft,
    /// On its way.
    Provisioning,
    /// Ready.
    Deployed,
    /// The last deployment failed.
    Failed,
    /// Taken out of service for good.
    Archived,
}

impl DeployState {
    /// Whether the agent counts as deployed for the quota.
    #[must_use]
    pub fn takes_place(self) -> bool {
        matches!(self, Self::Provisioning | Self::Deployed)
    }
}

/// How far an agent remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryDepth {
    /// One conversation.
    Session,
    /// Beyond one conversation; needs the `pro` tier.
    LongTerm,
}

/// When an agent was last seen alive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    /// The last heartbeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
}

impl Presence {
    /// An agent counts as online for so long after it was seen.
    const ONLINE_SECS: i64 = 90;

    /// A beat that follows another within this time is not kept: an agent at work would write its
    /// document all the time.
    const ABSORB_SECS: i64 = 15;

    /// Seen at this instant.
    #[must_use]
    pub fn at(instant: Timestamp) -> Self {
        Self {
            last_seen_at: Some(instant),
        }
    }

    /// Whether the agent was seen so lately that it counts as online.
    #[must_use]
    pub fn is_online(&self, now: Timestamp) -> bool {
        self.is_within(Self::ONLINE_SECS, now)
    }

    /// Whether a beat is too close to the one before to be kept.
    #[must_use]
    pub fn absorbs_beat(&self, now: Timestamp) -> bool {
        self.is_within(Self::ABSORB_SECS, now)
    }

    fn is_within(&self, seconds: i64, now: Timestamp) -> bool {
        self.last_seen_at
            .is_some_and(|seen| now < seen.plus_seconds(seconds))
    }
}

/// Where a deployed agent runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum AgentRuntime {
    /// In the orchestration layer: executions load the agent by its id.
    Registered {
        /// Fingerprint of the configuration that was deployed.
        revision: String,
        /// When it was deployed.
        registered_at: Timestamp,
    },
    /// In a Cloud Run service of its own.
    Container {
        /// The service's id in the project and region of the agents.
        service: String,
        /// Where it answers callers that Cloud Run lets in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uri: Option<String>,
        /// Fingerprint of the configuration that was deployed.
        revision: String,
        /// When it became ready.
        deployed_at: Timestamp,
    },
}

impl AgentRuntime {
    /// Fingerprint of the configuration that was deployed.
    #[must_use]
    pub fn revision(&self) -> &str {
        match self {
            Self::Registered { revision, .. } | Self::Container { revision, .. } => revision,
        }
    }
}

/// A failure kept for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// A code of the error registry.
    pub code: String,
    /// Safe to show.
    pub message: String,
    /// When it happened.
    pub at: Timestamp,
}
