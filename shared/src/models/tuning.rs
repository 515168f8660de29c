use serde::{Deserialize, Serialize};

use super::{LastError, Timestamp};
use crate::ids::{AgentId, OrgId, RecordId};

/// `agents/{id}/tunings/{id}`: a model that is made from the approved conversations with an agent.
///
/// Each state is written before what it names is asked of the provider, so that nothing that was
/// asked can be lost sight of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tuning {
    /// Equal to the document id.
    pub id: RecordId,
    /// The organization of the agent.
    pub org_id: OrgId,
    /// The agent, which may be deleted by now.
    pub agent_id: AgentId,
    /// The model that it begins with.
    pub base_model: String,
    /// How often the model sees each example.
    pub epochs: i64,
    /// How far it has come.
    pub state: TuningState,
    /// Conversations that are examples.
    pub examples: i64,
    /// The most bytes that the examples may have: what was reserved is enough for these.
    pub max_bytes: i64,
    /// What it may cost at most until it has ended, and what it has cost then, in millionths of a US
    /// dollar.
    pub cost_micro_usd: i64,
    /// What the provider bills, once it has told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_tokens: Option<i64>,
    /// The examples at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_id: Option<String>,
    /// The job at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// The name of the model that was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned_model: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<LastError>,
    /// Whether it is to stop.
    #[serde(default)]
    pub is_cancelling: bool,
    /// Not before this time: whoever takes the work moves it on, so that nobody else does it
    /// meanwhile. Absent when it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
}

/// How far a tuning has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TuningState {
    /// Nothing was asked of the provider.
    Queued,
    /// The examples may be at the provider.
    Uploading,
    /// The job may be at the provider.
    Running,
    /// The model is registered.
    Succeeded,
    /// There is no model.
    Failed,
    /// It was stopped.
    Cancelled,
}

impl TuningState {
    /// Whether nothing changes any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// `organizations/{id}/tuned_models/{hash of the name}`: a model that only this organization can ask
/// for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TunedModel {
    /// Equal to the document id.
    pub id: RecordId,
    /// Whose it is.
    pub org_id: OrgId,
    /// Its name at the provider.
    pub name: String,
    /// What it was made from, whose price for tuned models it has.
    pub base_model: String,
    /// The agent whose conversations were its examples.
    pub agent_id: AgentId,
    /// How it was made.
    pub tuning_id: RecordId,
    /// When it was registered.
    pub created_at: Timestamp,
}

impl TunedModel {
    /// The id of the model of a name.
    #[must_use]
    pub fn id_of(name: &str) -> RecordId {
        RecordId::derive(&["tuned_model", name])
    }

    /// The model that a tuning has come to.
    #[must_use]
    pub fn of(tuning: &Tuning, name: &str, now: Timestamp) -> Self {
        Self {
            id: Self::id_of(name),
            org_id: tuning.org_id.clone(),
            name: name.to_owned(),
            base_model: tuning.base_model.clone(),
            agent_id: tuning.agent_id.clone(),
            tuning_id: tuning.id.clone(),
            created_at: now,
        }
    }
}
