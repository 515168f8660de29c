use serde::{Deserialize, Serialize};

use super::{JsonText, StartOptions, Timestamp, Trigger, TriggerType};
use crate::ids::{ExecutionId, OrgId, TriggerId, WorkflowId};

/// `executions/{id}`: one run of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// Equal to the document id.
    pub id: ExecutionId,
    /// The organization of the workflow.
    pub org_id: OrgId,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The workflow's name when it was accepted.
    #[serde(default)]
    pub workflow_name: String,
    /// The version it is pinned to.
    pub workflow_version: String,
    /// How far it has come.
    pub status: ExecutionStatus,
    /// When it was accepted; never changes.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// What started it.
    pub trigger: ExecutionTrigger,
    /// The trigger's payload.
    pub input: JsonText,
    /// The value of the output node, once succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<JsonText>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ExecutionError>,
    /// What it may use and has used.
    pub budget: Budget,
    /// Who works on it.
    pub lease: Lease,
    /// How often it was claimed in a row without any step having ended.
    pub attempts: i64,
    /// Number of its last log line.
    pub log_seq: i64,
    /// When it goes on, or begins; absent when something else has to happen first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_at: Option<Timestamp>,
    /// Since when it has been waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// The node of another execution that it runs for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ExecutionParent>,
    /// How many runs of its workflow may be under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<i64>,
    /// Whether it is one of those under way, see [`super::WorkflowState`].
    #[serde(default)]
    pub has_slot: bool,
    /// The workflow to start when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_workflow_id: Option<WorkflowId>,
    /// Whether it holds all that it takes over from the run that it repeats in part.
    #[serde(default)]
    pub has_adopted: bool,
    /// What is special about it.
    #[serde(default, skip_serializing_if = "StartOptions::is_empty")]
    pub options: StartOptions,
    /// Where in which trace it was started, as a W3C `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Execution {
    /// What the trigger starts: as yet pinned to no version, and allowed to use nothing.
    #[must_use]
    pub fn new(trigger: &Trigger, workflow_name: String, started_at: Timestamp) -> Self {
        Self {
            id: trigger.id.clone().into(),
            org_id: trigger.org_id.clone(),
            workflow_id: trigger.workflow_id.clone(),
            workflow_name,
            workflow_version: String::new(),
            status: ExecutionStatus::Queued,
            started_at,
            finished_at: None,
            trigger: ExecutionTrigger {
                id: trigger.id.clone(),
                kind: trigger.kind,
            },
            input: trigger.payload.clone(),
            output: None,
            error: None,
            budget: Budget::default(),
            lease: Lease::default(),
            attempts: 0,
            log_seq: 1,
            resume_at: None,
            waiting_since: None,
            parent: None,
            concurrency: None,
            has_slot: false,
            error_workflow_id: None,
            has_adopted: false,
            options: trigger.options.clone(),
            traceparent: trigger.traceparent.clone(),
        }
    }

    /// Tells this run from a deleted one of the same id, in the keys of what it does.
    #[must_use]
    pub fn incarnation(&self) -> String {
        self.started_at.to_string()
    }
}

/// The node that runs a workflow as a part of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionParent {
    /// The execution of the node.
    pub execution_id: ExecutionId,
    /// How many executions are above, 1 below a run that something else started.
    pub depth: i64,
}

impl ExecutionParent {
    /// Executions that may be above another.
    pub const MAX_DEPTH: i64 = 5;
}

/// What started an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionTrigger {
    /// The trigger document.
    pub id: TriggerId,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: TriggerType,
}

/// How far an execution has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionStatus {
    /// Accepted.
    Queued,
    /// A worker holds the lease.
    Running,
    /// Until `resumeAt`, or until something wakes it up.
    Waiting,
    /// Ended with an output.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended by a person, by a run that replaces it, or with the run that it was a part of.
    Cancelled,
}

impl ExecutionStatus {
    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the execution has ended for good.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// Why an execution or a step failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionError {
    /// A code of the error registry, or `limit_exceeded`.
    pub code: String,
    /// Safe to show.
    pub message: String,
    /// The node it happened in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
}

/// What an execution may use and has used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Steps allowed.
    pub max_steps: i64,
    /// LLM tokens allowed.
    pub max_tokens: i64,
    /// Wall time allowed, in seconds from the start, waits excluded.
    pub max_seconds: i64,
    /// Steps done.
    pub used_steps: i64,
    /// LLM tokens used.
    pub used_tokens: i64,
    /// What the models may cost, in micro-dollars; no limit of its own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_micro_usd: Option<i64>,
    /// What the models have cost, in micro-dollars.
    #[serde(default)]
    pub used_cost_micro_usd: i64,
    /// Time spent waiting, in seconds.
    #[serde(default)]
    pub waited_seconds: i64,
}

/// Who works on an execution. Every write of a worker carries its fence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// The worker, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Rises with each claim.
    pub fence: i64,
    /// Rises with each commit of a holder: each changes the document, and with it its version.
    #[serde(default)]
    pub revision: i64,
    /// When the lease ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// `executions/{id}/steps/{nodeId#iteration}`: the journal of one node in one iteration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The node.
    pub node_id: String,
    /// `0` outside of loops; in one, the loop's own iteration, a dot and the number of the item. A
    /// move of an agent's turn has a tilde and its number behind that.
    pub iteration: String,
    /// The node's kind; of a move, what the move is.
    pub kind: String,
    /// The organization of the workflow.
    pub org_id: OrgId,
    /// How far it has come.
    pub status: StepStatus,
    /// Written before the side effect.
    pub intent: StepIntent,
    /// Written once after it; the first result stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<StepResult>,
}

impl Step {
    /// What a node's iteration is called in its execution: the document's id.
    #[must_use]
    pub fn name_of(node_id: &str, iteration: &str) -> String {
        format!("{node_id}#{iteration}")
    }

    /// What one move of a node that takes several is called: a tilde and its number follow the
    /// node's own iteration.
    #[must_use]
    pub fn move_of(iteration: &str, number: usize) -> String {
        format!("{iteration}~{number}")
    }

    /// Whether it is a move of a node, and not the node's own step.
    #[must_use]
    pub fn is_move(&self) -> bool {
        Self::is_move_name(&self.iteration)
    }

    /// Whether an iteration is that of a move.
    #[must_use]
    pub fn is_move_name(iteration: &str) -> bool {
        iteration.contains('~')
    }
}

/// How far a step has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Begun: after a crash its outcome is unknown.
    Running,
    /// Has begun to wait.
    Waiting,
    /// Ended with an output.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// On a branch that was not taken.
    Skipped,
    /// May have had its effect or not, and must not have it twice.
    Unknown,
}

/// What a step is about to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepIntent {
    /// Attempt number, from 1.
    pub attempt: i64,
    /// The same for every attempt; handed to providers.
    pub idempotency_key: String,
    /// Fingerprint of the resolved input.
    pub request_hash: String,
    /// Fence of the worker that wrote it.
    pub fence: i64,
    /// When it began.
    pub at: Timestamp,
    /// When a waiting step goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_at: Option<Timestamp>,
}

/// What a step has done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepResult {
    /// The node's output.
    pub output: JsonText,
    /// The handle whose edges are followed.
    pub handle: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ExecutionError>,
    /// LLM tokens used.
    pub tokens: i64,
    /// What the models have cost, in micro-dollars.
    #[serde(default)]
    pub cost_micro_usd: i64,
    /// Duration in milliseconds.
    pub duration_ms: i64,
    /// When it ended.
    pub at: Timestamp,
}

/// `executions/{id}/logs/{seq}`: one line of the run's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// Position, from 1, without gaps.
    pub seq: i64,
    /// When it happened.
    pub ts: Timestamp,
    /// The node, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// How important it is.
    pub level: LogLevel,
    /// What it tells.
    pub kind: LogKind,
    /// For people, without secrets.
    pub message: String,
    /// The organization of the execution.
    pub org_id: OrgId,
}

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Progress.
    Info,
    /// Odd, but the run goes on.
    Warn,
    /// A failure.
    Error,
}

/// What a log line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// The execution began, waits, goes on or ended.
    Execution,
    /// A node began.
    NodeStarted,
    /// A node ended.
    NodeFinished,
    /// A node is not on a chosen branch.
    NodeSkipped,
    /// What an agent thinks.
    Thought,
}
