//! The first move: who the agent is and what was said before, as it is now. Later moves go by that,
//! whatever is changed meanwhile.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use shared::{
    ids::{AgentId, OrgId, RecordId, fingerprint},
    llm::{ChatRequest, Message},
    models::{Agent, Session, Timestamp, TriggerType},
    prompt,
    store::{Error, agents},
};

use super::{
    Call, Effect, Failure, Outcome, Stop,
    history::{self, Digest, History},
    memory, tools,
};
use crate::AppState;

/// What a turn begins with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Opening {
    /// The agent's name.
    pub(super) name: String,
    model: String,
    system: String,
    /// The names of the actions that the agent may take.
    pub(super) tools: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<OpenSession>,
    /// Whether it remembers beyond the conversation.
    #[serde(default)]
    pub(super) remembers: bool,
    /// Whether it remembers, and no person has started the run.
    #[serde(default)]
    pub(super) is_unattended: bool,
    history: History,
}

/// A conversation as it was when the turn began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OpenSession {
    pub(super) agent_id: AgentId,
    pub(super) id: RecordId,
    pub(super) last_seq: i64,
}

/// Opens the conversation.
pub(super) struct Open {
    pub(super) agent_id: AgentId,
    pub(super) session: Option<String>,
}

#[async_trait]
impl Effect for Open {
    fn request_hash(&self) -> String {
        let session = self.session.as_deref().unwrap_or_default();
        fingerprint(&["agent.opening", self.agent_id.as_str(), session])
    }

    async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop> {
        let org_id = &call.execution.org_id;
        let agent = find_at_work(state, org_id, &self.agent_id).await?;
        let session = self.find_session(state, call).await?;
        let history = match &session {
            Some(session) => history::load(&state.store, session).await?,
            None => History::default(),
        };
        let model = match agent.model.is_empty() {
            true => state.settings.default_model.clone(),
            false => agent.model.clone(),
        };
        let remembers = memory::remembers(state, &agent).await?;
        let opening = Opening {
            model,
            system: prompt::compile(&agent),
            tools: tools::granted(&agent),
            remembers,
            is_unattended: remembers && memory::is_unattended(state, call).await?,
            name: agent.name,
            session: session.map(|session| OpenSession {
                agent_id: session.agent_id,
                id: session.id,
                last_seq: session.last_seq,
            }),
            history,
        };
        let output = serde_json::to_value(opening);
        let output = output.map_err(|error| Failure::permanent("internal", error.to_string()))?;
        Ok(Outcome::of(output))
    }
}

impl Open {
    /// The conversation. A workflow's own begins when its first turn ends; a person's is there.
    async fn find_session(&self, state: &AppState, call: &Call) -> Result<Option<Session>, Stop> {
        let Some(name) = &self.session else {
            return Ok(None);
        };
        let (org_id, agent_id) = (&call.execution.org_id, &self.agent_id);
        let is_persons = call.execution.trigger.kind == TriggerType::Message;
        let missing = || Failure::permanent("not_found", "no such conversation");
        let id = match is_persons {
            true => RecordId::parse(name.as_str()).map_err(|_| missing())?,
            false => Session::named(org_id, agent_id, name),
        };
        match state.store.find_session(org_id, agent_id, &id).await? {
            Some(found) => Ok(Some(found.value)),
            None if is_persons => Err(missing().into()),
            None => {
                let now = state.clock.now().into();
                Ok(Some(Session::new(id, org_id, agent_id, None, now)))
            }
        }
    }
}

impl Opening {
    /// The conversation up to the prompt, as a model is told it.
    pub(super) fn messages(
        &self,
        recalled: Option<Message>,
        digest: Option<&Digest>,
        prompt: &str,
    ) -> Vec<Message> {
        let mut messages = vec![Message::system(self.system.clone())];
        messages.extend(recalled);
        messages.extend(self.history.messages(digest));
        messages.push(Message::user(prompt));
        messages
    }

    /// What a model is asked.
    pub(super) fn request(&self, messages: Vec<Message>, max_output_tokens: u32) -> ChatRequest {
        ChatRequest {
            model: self.model.clone(),
            messages,
            tools: tools::offered(self),
            max_output_tokens,
            ..ChatRequest::default()
        }
    }

    /// What a model is asked first when the conversation has become too long.
    pub(super) fn to_digest(&self) -> Option<ChatRequest> {
        let messages = self.history.to_digest()?;
        Some(ChatRequest {
            model: self.model.clone(),
            messages,
            max_output_tokens: history::DIGEST_TOKENS,
            ..ChatRequest::default()
        })
    }

    /// The last message of those that a digest is made of.
    pub(super) fn digested_to(&self) -> i64 {
        self.history.digested_to()
    }
}

/// The organization's agent, which must be deployed and active.
pub(super) async fn find_at_work(
    state: &AppState,
    org_id: &OrgId,
    id: &AgentId,
) -> Result<Agent, Stop> {
    let found = state.store.find_agent(org_id, id).await?;
    let agent = found.ok_or_else(|| Failure::permanent("not_found", "no such agent"))?;
    let agent = agent.value;
    if !agent.is_at_work() {
        let message = format!("the agent {id} is not deployed and active");
        return Err(Failure::permanent("failed_precondition", message).into());
    }
    Ok(agent)
}

/// Tells that the agent is at work. A beat that is lost must not cost the call.
pub(super) async fn beat(state: &AppState, agent: &Agent) {
    let now: Timestamp = state.clock.now().into();
    if agent.presence.absorbs_beat(now) {
        return;
    }
    let kept: Result<_, Error> = async {
        let beat = agents::beat(&agent.id, now)?;
        state.store.commit(vec![beat]).await
    }
    .await;
    if let Err(error) = kept {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(agent.id = %agent.id, error, "the agent's beat is lost");
    }
}
