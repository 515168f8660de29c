//! From a trigger to an execution, once.

mod blueprint;
mod child;
mod conversation;
mod debounce;
mod paused;

use std::sync::Arc;

use shared::{
    graph::{Graph, RunLimits},
    ids::ExecutionId,
    models::{
        Budget, Execution, ExecutionError, ExecutionParent, ExecutionStatus, Lease, LogKind,
        LogLevel, LogLine, Timestamp, Trigger,
    },
    store::{
        Error, Versioned, Write, commit_versioned, executions,
        organizations::{self, StatsChange},
    },
};

use self::blueprint::Blueprint;
pub(crate) use self::child::{Child, child_id, start_child};
use crate::{
    AppState,
    journal::{Journal, hold},
};

/// Limits of one run (`DESIGN.md` section 4), unless its workflow sets lower ones.
const MAX_TOKENS: i64 = 1_000_000;
const MAX_SECONDS: i64 = 3_600;

/// What became of a trigger.
pub(crate) enum Accepted {
    /// Its execution is new, and this worker holds it.
    Held(Box<Journal>, Arc<Graph>),
    /// Its execution is new and has ended, begins later, or may have to wait for others.
    Made(Box<Execution>),
    /// A repeat of the event has made its execution, or both are deleted.
    Known,
}

/// A new execution, and the graph that it runs, if it can run.
struct Made {
    execution: Execution,
    graph: Option<Arc<Graph>>,
}

/// Makes the trigger's execution, unless a repeat of the event has made it. What can never run is
/// recorded as a failed execution, so that people see why.
///
/// # Errors
/// Returns the database's error; the event is then to be delivered again.
pub(crate) async fn accept(state: &AppState, trigger: &Trigger) -> Result<Accepted, Error> {
    let seat = state.isolation.enter(1).await;
    let (made, version) = commit_versioned(&state.store, || first_writes(state, trigger)).await?;
    let (Some(Made { execution, graph }), Some(version)) = (made, version) else {
        return Ok(Accepted::Known);
    };
    let is_held = execution.status == ExecutionStatus::Running;
    Ok(match graph.filter(|_| is_held) {
        Some(graph) => {
            let value = execution;
            let journal = Journal::of(state, Versioned { value, version }, seat);
            Accepted::Held(Box::new(journal), graph)
        }
        None => Accepted::Made(Box::new(execution)),
    })
}

/// What makes the execution; nothing when it exists, or was deleted together with its trigger.
async fn first_writes(
    state: &AppState,
    trigger: &Trigger,
) -> Result<(Vec<Write>, Option<Made>), Error> {
    let (org_id, store) = (&trigger.org_id, &state.store);
    let id = ExecutionId::from(trigger.id.clone());
    let known = store.find_execution(org_id, &id).await?;
    if known.is_some() || store.find_trigger(org_id, &trigger.id).await?.is_none() {
        return Ok((Vec::new(), None));
    }
    let blueprint = Blueprint::of_trigger(state, trigger).await?;
    let now = Timestamp::from(state.clock.now());
    let mut execution = new_execution(
        &id,
        trigger,
        None,
        &blueprint,
        state.settings.max_steps,
        now,
    );
    let settings = &blueprint.settings;
    let mut writes = Vec::new();
    match settings.debounce_secs {
        _ if execution.status.is_terminal() => {}
        Some(secs) => {
            writes = debounce::put_off(state, &mut execution, trigger, secs, now).await?;
        }
        // One that may have to line up is claimed in a commit of its own.
        None if settings.concurrency.is_some() => {}
        None => {
            hold(&mut execution, now);
            execution.lease.until = Some(now.plus_seconds(state.settings.lease_secs));
        }
    }
    writes.extend(creation(state, &execution, &blueprint, now).await?);
    let graph = blueprint.graph.ok();
    Ok((writes, Some(Made { execution, graph })))
}

/// The documents of a new execution.
async fn creation(
    state: &AppState,
    execution: &Execution,
    blueprint: &Blueprint,
    now: Timestamp,
) -> Result<Vec<Write>, Error> {
    let stats = state.store.find_current_stats(&execution.org_id).await?;
    let counted = StatsChange {
        executions: 1,
        ..StatsChange::default()
    };
    let mut writes = vec![executions::create(execution)?];
    writes.extend(state.store.keep_version(&blueprint.version).await?);
    let line = first_line(execution);
    writes.push(executions::create_log_line(&execution.id, &line)?);
    let org_id = &execution.org_id;
    writes.extend(organizations::add_to_stats(
        org_id,
        stats.as_ref(),
        counted,
        now,
    )?);
    Ok(writes)
}

fn new_execution(
    id: &ExecutionId,
    trigger: &Trigger,
    parent: Option<ExecutionParent>,
    blueprint: &Blueprint,
    max_steps: i64,
    now: Timestamp,
) -> Execution {
    let settings = &blueprint.settings;
    let execution = Execution {
        id: id.clone(),
        workflow_version: blueprint.version.hash.clone(),
        budget: budget(&settings.limits, max_steps),
        // Due at once: if this worker dies before it claims the run, the sweeper finds it.
        lease: Lease {
            until: Some(now),
            ..Lease::default()
        },
        // Until it is claimed, time does not count.
        waiting_since: Some(now),
        parent,
        concurrency: settings.concurrency.map(i64::from),
        error_workflow_id: settings.error_workflow_id.clone(),
        ..Execution::new(trigger, blueprint.workflow_name.clone(), now)
    };
    match blueprint.graph.as_ref().err() {
        None => execution,
        Some(refusal) => Execution {
            status: ExecutionStatus::Failed,
            finished_at: Some(now),
            waiting_since: None,
            error: Some(refusal.clone()),
            ..execution
        },
    }
}

fn budget(limits: &RunLimits, max_steps: i64) -> Budget {
    Budget {
        max_steps: limits.max_steps.unwrap_or(max_steps),
        max_tokens: limits.max_tokens.unwrap_or(MAX_TOKENS),
        max_seconds: limits.max_seconds.unwrap_or(MAX_SECONDS),
        used_steps: 0,
        used_tokens: 0,
        max_cost_micro_usd: limits.max_cost_micro_usd,
        used_cost_micro_usd: 0,
        waited_seconds: 0,
    }
}

fn first_line(execution: &Execution) -> LogLine {
    let (level, message) = match &execution.error {
        None => (LogLevel::Info, "execution accepted".to_owned()),
        Some(ExecutionError { message, .. }) => {
            (LogLevel::Error, format!("execution refused: {message}"))
        }
    };
    LogLine {
        seq: 1,
        ts: execution.started_at,
        node_id: None,
        level,
        kind: LogKind::Execution,
        message,
        org_id: execution.org_id.clone(),
    }
}
