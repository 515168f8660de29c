use serde::Serialize;
use serde_json::Value;
use shared::{
    ids::{ExecutionId, OrgId, WorkflowId},
    models::{
        Budget, Execution, ExecutionError, ExecutionStatus, ExecutionTrigger, JsonText, LogLine,
        Step, StepStatus, Timestamp, Trigger,
    },
};

use crate::executions::Run;

/// An execution with its data as JSON.
#[derive(Serialize)]
pub(crate) struct ExecutionResponse {
    #[serde(flatten)]
    summary: ExecutionSummary,
    input: Value,
    output: Option<Value>,
}

/// An execution in a list, without the lease: that is between the engine's workers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExecutionSummary {
    id: ExecutionId,
    org_id: OrgId,
    workflow_id: WorkflowId,
    /// Absent until the engine has taken the execution up, like `workflowVersion` and `budget`.
    workflow_name: Option<String>,
    workflow_version: Option<String>,
    status: ExecutionStatus,
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    resume_at: Option<Timestamp>,
    trigger: ExecutionTrigger,
    error: Option<ExecutionError>,
    budget: Option<Budget>,
    attempts: i64,
    log_seq: i64,
}

/// What is kept of one node in one iteration.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepResponse {
    node_id: String,
    iteration: String,
    kind: String,
    status: StepStatus,
    attempt: i64,
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    resume_at: Option<Timestamp>,
    duration_ms: Option<i64>,
    tokens: Option<i64>,
    handle: Option<String>,
    output: Option<Value>,
    error: Option<ExecutionError>,
}

/// Lines of an execution's log.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogResponse {
    items: Vec<LogLine>,
    /// The `after` of the next request.
    next_after: i64,
}

impl From<Run> for ExecutionResponse {
    fn from(run: Run) -> Self {
        match run {
            Run::Begun(execution) => execution.value.into(),
            Run::Queued { id, trigger } => Self::queued(id, *trigger),
        }
    }
}

impl From<Execution> for ExecutionResponse {
    fn from(mut execution: Execution) -> Self {
        Self {
            input: std::mem::take(&mut execution.input).0,
            output: execution.output.take().map(json),
            summary: execution.into(),
        }
    }
}

impl From<Run> for ExecutionSummary {
    fn from(run: Run) -> Self {
        match run {
            Run::Begun(execution) => execution.value.into(),
            Run::Queued { id, trigger } => Self::queued(id, *trigger),
        }
    }
}

impl From<Execution> for ExecutionSummary {
    fn from(execution: Execution) -> Self {
        Self {
            id: execution.id,
            org_id: execution.org_id,
            workflow_id: execution.workflow_id,
            workflow_name: Some(execution.workflow_name),
            workflow_version: Some(execution.workflow_version),
            status: execution.status,
            started_at: execution.started_at,
            finished_at: execution.finished_at,
            resume_at: execution.resume_at,
            trigger: execution.trigger,
            error: execution.error,
            budget: Some(execution.budget),
            attempts: execution.attempts,
            log_seq: execution.log_seq,
        }
    }
}

impl ExecutionResponse {
    fn queued(id: ExecutionId, mut trigger: Trigger) -> Self {
        Self {
            input: std::mem::take(&mut trigger.payload).0,
            output: None,
            summary: ExecutionSummary::queued(id, trigger),
        }
    }
}

impl ExecutionSummary {
    fn queued(id: ExecutionId, trigger: Trigger) -> Self {
        Self {
            id,
            org_id: trigger.org_id,
            workflow_id: trigger.workflow_id,
            workflow_name: None,
            workflow_version: None,
            status: ExecutionStatus::Queued,
            started_at: trigger.created_at,
            finished_at: None,
            resume_at: None,
            trigger: ExecutionTrigger {
                id: trigger.id,
                kind: trigger.kind,
            },
            error: None,
            budget: None,
            attempts: 0,
            log_seq: 0,
        }
    }
}

impl From<Step> for StepResponse {
    fn from(step: Step) -> Self {
        let result = step.result.as_ref();
        Self {
            started_at: step.intent.at,
            attempt: step.intent.attempt,
            resume_at: step.intent.resume_at,
            finished_at: result.map(|result| result.at),
            duration_ms: result.map(|result| result.duration_ms),
            tokens: result.map(|result| result.tokens),
            handle: result.map(|result| result.handle.clone()),
            error: result.and_then(|result| result.error.clone()),
            output: step.result.map(|result| json(result.output)),
            node_id: step.node_id,
            iteration: step.iteration,
            kind: step.kind,
            status: step.status,
        }
    }
}

impl LogResponse {
    pub(super) fn new(items: Vec<LogLine>, after: i64) -> Self {
        let next_after = items.last().map_or(after, |line| line.seq);
        Self { items, next_after }
    }
}

fn json(text: JsonText) -> Value {
    text.0
}
