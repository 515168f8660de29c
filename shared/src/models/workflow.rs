use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{JsonText, Timestamp};
use crate::ids::{ExecutionId, OrgId, TriggerId, Uid, WorkflowId};

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
    /// What is special about the run that it starts.
    #[serde(default, skip_serializing_if = "StartOptions::is_empty")]
    pub options: StartOptions,
    /// Where in which trace it was recorded, as a W3C `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// What is special about a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartOptions {
    /// By node id, what nodes come to without being run; see [`Mock`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mocks: Option<JsonText>,
    /// The run that it repeats in part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun: Option<Rerun>,
}

/// What a node comes to in a test run, without being run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mock {
    /// Its output.
    #[serde(default)]
    pub output: Value,
    /// The handle whose edges are followed, if not the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
}

/// A run that takes over what an ended one has done, up to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rerun {
    /// The run that has ended.
    pub execution_id: ExecutionId,
    /// The version that it was pinned to.
    pub workflow_version: String,
    /// The node that is run again, with all that follows.
    pub node_id: String,
    /// Which of its iterations; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iteration: Option<String>,
}

impl StartOptions {
    /// Whether nothing is special.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `workflow_states/{workflowId}`: what the runs of a workflow have to share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowState {
    /// The organization of the workflow.
    pub org_id: OrgId,
    /// Equal to the document id.
    pub workflow_id: WorkflowId,
    /// The runs under way that count against the limit, and since when.
    #[serde(default)]
    pub running: BTreeMap<String, Timestamp>,
    /// How many may be under way at once, as the last of them knew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<i64>,
    /// Whether runs may be waiting for another to end.
    #[serde(default)]
    pub has_queue: bool,
    /// The run that the next trigger within its time replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debounced: Option<ExecutionId>,
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
    /// A request to the workflow's own address.
    Webhook,
    /// A run of another workflow failed.
    OnExecutionFailed,
    /// A node of another run.
    Workflow,
    /// A person repeats a part of a run.
    Rerun,
    /// A person talks with an agent. The workflow is then [`super::Session::workflow_of`] the agent.
    Message,
}

impl TriggerType {
    /// Whether a person does it.
    #[must_use]
    pub fn is_of_a_person(self) -> bool {
        match self {
            Self::Manual | Self::Rerun | Self::Message => true,
            Self::Schedule
            | Self::OnEmailReceived
            | Self::Webhook
            | Self::OnExecutionFailed
            | Self::Workflow => false,
        }
    }

    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Schedule => "schedule",
            Self::OnEmailReceived => "onEmailReceived",
            Self::Webhook => "webhook",
            Self::OnExecutionFailed => "onExecutionFailed",
            Self::Workflow => "workflow",
            Self::Rerun => "rerun",
            Self::Message => "message",
        }
    }
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
