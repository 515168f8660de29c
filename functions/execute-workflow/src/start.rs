//! From a trigger to an execution, once.

use serde_json::Value;
use shared::{
    graph::{Graph, Invalid, version_hash},
    ids::{ExecutionId, OrgId},
    models::{
        Budget, Execution, ExecutionError, ExecutionStatus, ExecutionTrigger, JsonText, Lease,
        LogKind, LogLevel, LogLine, Timestamp, Trigger, TriggerType, Workflow, WorkflowVersion,
    },
    store::{
        Error, Write, commit_contended, executions,
        organizations::{self, StatsChange},
    },
};

use crate::AppState;

/// Limits of one run (`DESIGN.md` section 4).
const MAX_STEPS: i64 = 1_000;
const MAX_TOKENS: i64 = 1_000_000;
const MAX_SECONDS: i64 = 3_600;
/// A version's document, 1 MiB at most, holds the graph as text.
const MAX_GRAPH_BYTES: usize = 1_000_000;
/// Problems of a graph that an execution's error names.
const MAX_PROBLEMS: usize = 5;

/// Makes the trigger's execution, unless a repeat of the event has made it. What can never run is
/// recorded as a failed execution, so that people see why.
///
/// # Errors
/// Returns the database's error; the event is then to be delivered again.
pub(crate) async fn accept(
    state: &AppState,
    trigger: Trigger,
) -> Result<(OrgId, ExecutionId), Error> {
    let (org_id, id) = (trigger.org_id.clone(), execution_id(&trigger));
    commit_contended(&state.store, || first_writes(state, &trigger)).await?;
    Ok((org_id, id))
}

/// What makes the execution; nothing when it exists, or was deleted together with its trigger.
async fn first_writes(state: &AppState, trigger: &Trigger) -> Result<(Vec<Write>, ()), Error> {
    let (org_id, store) = (&trigger.org_id, &state.store);
    let known = store.find_execution(org_id, &execution_id(trigger)).await?;
    if known.is_some() || store.find_trigger(org_id, &trigger.id).await?.is_none() {
        return Ok((Vec::new(), ()));
    }
    let workflow = store.find_workflow(org_id, &trigger.workflow_id).await?;
    let workflow = workflow.map(|workflow| workflow.value);
    let stats = store.find_current_stats(org_id).await?;
    let refusal = refusal(workflow.as_ref(), trigger);
    let now = state.clock.now().into();
    let name = workflow
        .as_ref()
        .map(|workflow| workflow.name.clone())
        .unwrap_or_default();
    // A refused run needs no graph, which may be too large to be kept.
    let version = version(workflow.filter(|_| refusal.is_none()), trigger, now);
    let execution = execution(trigger, name, &version, refusal, now);
    let counted = StatsChange {
        executions: 1,
        ..StatsChange::default()
    };
    let mut writes = executions::create(&execution, &version)?;
    writes.push(executions::create_log_line(
        &execution.id,
        &first_line(&execution),
    )?);
    writes.extend(organizations::add_to_stats(
        org_id,
        stats.as_ref(),
        counted,
        now,
    )?);
    Ok((writes, ()))
}

/// The execution of a trigger has the trigger's id: a repeat cannot make another.
fn execution_id(trigger: &Trigger) -> ExecutionId {
    ExecutionId::from(trigger.id.clone())
}

fn refusal(workflow: Option<&Workflow>, trigger: &Trigger) -> Option<ExecutionError> {
    let error = |code: &str, message: String| {
        Some(ExecutionError {
            code: code.to_owned(),
            message,
            node_id: None,
        })
    };
    let Some(workflow) = workflow else {
        return error("not_found", "the workflow does not exist".to_owned());
    };
    if !workflow.active && trigger.kind != TriggerType::Manual {
        return error(
            "failed_precondition",
            "the workflow is not active".to_owned(),
        );
    }
    let bytes = [&workflow.nodes, &workflow.edges].map(|items| text_len(items));
    if bytes.iter().sum::<usize>() > MAX_GRAPH_BYTES {
        return error(
            "failed_precondition",
            "the workflow is too large to run".to_owned(),
        );
    }
    let graph = match Graph::parse(&workflow.nodes, &workflow.edges) {
        Ok(graph) => graph,
        Err(invalid) => return error("invalid_argument", describe(&invalid)),
    };
    let payload = graph.check_payload(&trigger.payload.0);
    payload
        .err()
        .and_then(|invalid| error("invalid_argument", describe(&invalid)))
}

/// The problems of a graph or payload as one message, the first few of them.
pub(crate) fn describe(invalid: &Invalid) -> String {
    let problems = invalid.problems.iter().take(MAX_PROBLEMS);
    let lines = problems.map(|problem| format!("`{}`: {}", problem.field, problem.message));
    lines.collect::<Vec<_>>().join("; ")
}

fn text_len(items: &[Value]) -> usize {
    items.iter().map(|item| item.to_string().len() + 1).sum()
}

fn version(workflow: Option<Workflow>, trigger: &Trigger, now: Timestamp) -> WorkflowVersion {
    let (nodes, edges) = workflow
        .map(|workflow| (workflow.nodes, workflow.edges))
        .unwrap_or_default();
    WorkflowVersion {
        hash: version_hash(&nodes, &edges),
        org_id: trigger.org_id.clone(),
        workflow_id: trigger.workflow_id.clone(),
        nodes: JsonText(Value::Array(nodes)),
        edges: JsonText(Value::Array(edges)),
        created_at: now,
    }
}

fn execution(
    trigger: &Trigger,
    workflow_name: String,
    version: &WorkflowVersion,
    refusal: Option<ExecutionError>,
    now: Timestamp,
) -> Execution {
    let status = if refusal.is_some() {
        ExecutionStatus::Failed
    } else {
        ExecutionStatus::Queued
    };
    Execution {
        id: execution_id(trigger),
        org_id: trigger.org_id.clone(),
        workflow_id: trigger.workflow_id.clone(),
        workflow_name,
        workflow_version: version.hash.clone(),
        status,
        started_at: now,
        finished_at: refusal.is_some().then_some(now),
        trigger: ExecutionTrigger {
            id: trigger.id.clone(),
            kind: trigger.kind,
        },
        input: trigger.payload.clone(),
        output: None,
        error: refusal,
        budget: Budget {
            max_steps: MAX_STEPS,
            max_tokens: MAX_TOKENS,
            max_seconds: MAX_SECONDS,
            used_steps: 0,
            used_tokens: 0,
            max_cost_micro_usd: None,
            used_cost_micro_usd: 0,
            waited_seconds: 0,
        },
        // Due at once: if this worker dies before it claims the run, the sweeper finds it.
        lease: Lease {
            until: Some(now),
            ..Lease::default()
        },
        attempts: 0,
        log_seq: 1,
        resume_at: None,
        waiting_since: None,
        parent: None,
        concurrency: None,
        has_slot: false,
        error_workflow_id: None,
        options: trigger.options.clone(),
    }
}

fn first_line(execution: &Execution) -> LogLine {
    let (level, message) = match &execution.error {
        None => (LogLevel::Info, "execution accepted".to_owned()),
        Some(error) => (
            LogLevel::Error,
            format!("execution refused: {}", error.message),
        ),
    };
    LogLine {
        seq: execution.log_seq,
        ts: execution.started_at,
        node_id: None,
        level,
        kind: LogKind::Execution,
        message,
        org_id: execution.org_id.clone(),
    }
}
