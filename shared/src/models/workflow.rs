use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{JsonText, Timestamp};
use crate::ids::{OrgId, TriggerId, Uid, WorkflowId};

/// `workflows/{id}`.
///
/// Clients write `nodes`, `edges` and `triggers` as ReactFlow makes them; the engine validates
/// them when a run starts, the API when it saves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workflow {
    /// Equal to the document id.
    pub id: WorkflowId,
    /// The organization that owns the workflow; never changes.
    pub org_id: OrgId,
    /// Display name.
    #[serde(default)]
    pub name: String,
    /// What the workflow is for.
    #[serde(default)]
    pub description: String,
    /// ReactFlow nodes, at most 500.
    #[serde(with = "super::free_json::list")]
    pub nodes: Vec<Value>,
    /// ReactFlow edges, at most 2,000.
    #[serde(with = "super::free_json::list")]
    pub edges: Vec<Value>,
    /// What starts the workflow, at most 50.
    #[serde(default, with = "super::free_json::list")]
    pub triggers: Vec<Value>,
    /// Whether events and schedules start it.
    #[serde(default)]
    pub active: bool,
    /// When the workflow was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// `workflows/{id}/versions/{hash}`: a graph that never changes; executions are pinned to one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowVersion {
    /// SHA-256 of the graph's canonical JSON, equal to the document id.
    pub hash: String,
    /// The organization of the workflow.
    pub org_id: OrgId,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// ReactFlow nodes.
    pub nodes: JsonText,
    /// ReactFlow edges.
    pub edges: JsonText,
    /// When an execution first used it.
    pub created_at: Timestamp,
}

/// `triggers/{id}`: something happened that starts a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// Equal to the document id.
    pub id: TriggerId,
    /// The organization of the workflow.
    pub org_id: OrgId,
    /// The workflow to start.
    pub workflow_id: WorkflowId,
    /// What kind of event it is.
    #[serde(rename = "type")]
    pub kind: TriggerType,
    /// The event's data: the workflow's input.
    pub payload: JsonText,
    /// Equal for repeats of the same event.
    pub dedupe_key: String,
    /// Who or what caused it.
    pub source: TriggerSource,
    /// When it was recorded.
    pub created_at: Timestamp,
}

/// What starts a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TriggerType {
    /// A person or program through the API.
    Manual,
    /// A schedule came due.
    Schedule,
    /// A synced mailbox received a message.
    OnEmailReceived,
}

/// Who or what caused a trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TriggerSource {
    /// The function that wrote the document.
    pub function: String,
    /// The user, for a manual trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
}
