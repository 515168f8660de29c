use serde::{Deserialize, Serialize};

use super::Timestamp;
use crate::ids::{AgentId, ExecutionId, OrgId, RecordId, Uid, WorkflowId};

/// `agents/{id}/sessions/{id}`: one conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Equal to the document id.
    pub id: RecordId,
    /// The organization of the agent.
    pub org_id: OrgId,
    /// The agent.
    pub agent_id: AgentId,
    /// Whose conversation it is; a workflow's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// The number of its last message.
    #[serde(default)]
    pub last_seq: i64,
    /// What was said up to a message, in short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// When its owner approved what was said until then for training, if it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_for_training: Option<Timestamp>,
    /// When it began.
    pub created_at: Timestamp,
    /// When its last message was kept.
    pub updated_at: Timestamp,
}

/// The beginning of a conversation in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// What was said.
    pub text: String,
    /// The number of the last message that is in it.
    pub last_seq: i64,
}

/// `agents/{id}/sessions/{id}/messages/{seq}`: one message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatMessage {
    /// Its number in the conversation, from 1, without gaps.
    pub seq: i64,
    /// The organization of the agent.
    pub org_id: OrgId,
    /// Who said it.
    pub role: ChatRole,
    /// What was said.
    pub content: String,
    /// The actions that the agent has taken in its turn, by their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<String>,
    /// Why the agent has not answered, if it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The turn that it belongs to: the idempotency key of what has kept it.
    pub turn: String,
    /// The run that it was said in.
    pub execution_id: ExecutionId,
    /// When it was kept.
    pub created_at: Timestamp,
}

/// Who speaks in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatRole {
    /// A person, or a workflow.
    User,
    /// The agent.
    Assistant,
}

impl Session {
    /// A conversation in which nothing was said yet; a workflow's own without a `uid`.
    #[must_use]
    pub fn new(
        id: RecordId,
        org_id: &OrgId,
        agent_id: &AgentId,
        uid: Option<&Uid>,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            org_id: org_id.clone(),
            agent_id: agent_id.clone(),
            uid: uid.cloned(),
            last_seq: 0,
            summary: None,
            approved_for_training: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// The workflow that nobody draws, of which all messages to an agent are runs. No client can choose
    /// its id.
    #[must_use]
    pub fn workflow_of(org_id: &OrgId, agent_id: &AgentId) -> WorkflowId {
        WorkflowId::derive(&["conversation", org_id.as_str(), agent_id.as_str()])
    }

    /// The conversation that a workflow's nodes call by this name.
    #[must_use]
    pub fn named(org_id: &OrgId, agent_id: &AgentId, name: &str) -> RecordId {
        RecordId::derive(&["session", org_id.as_str(), agent_id.as_str(), name])
    }
}
