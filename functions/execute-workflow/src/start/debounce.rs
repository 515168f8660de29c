//! Runs that begin once no other trigger has come for some time: the last one counts.

use shared::{
    ids::ExecutionId,
    models::{Execution, ExecutionStatus, LogKind, LogLevel, LogLine, Timestamp, Trigger},
    store::{Error, Versioned, Write, executions, workflow_states},
};

use crate::{AppState, journal::unshared};

/// Puts a new run off, and ends the one that it replaces if that has not begun. Events come in any
/// order: of two triggers the later one counts.
pub(super) async fn put_off(
    state: &AppState,
    execution: &mut Execution,
    trigger: &Trigger,
    secs: u32,
    now: Timestamp,
) -> Result<Vec<Write>, Error> {
    let begins_at = now.plus_seconds(secs.into());
    execution.resume_at = Some(begins_at);
    execution.lease.until = Some(begins_at);
    let (org_id, workflow_id) = (&execution.org_id, &execution.workflow_id);
    let found = state.store.find_workflow_state(org_id, workflow_id).await?;
    let version = found.as_ref().map(|found| found.version);
    let mut shared = found.map_or_else(|| unshared(execution), |found| found.value);
    let other = match &shared.debounced {
        Some(other) => find_queued(state, execution, other).await?,
        None => None,
    };
    let Some(mut other) = other else {
        shared.debounced = Some(execution.id.clone());
        return Ok(vec![workflow_states::set(&shared, version)?]);
    };
    if is_later(state, &other.value, trigger).await? {
        let line = end(execution, &other.value.id, now);
        return Ok(vec![executions::create_log_line(&execution.id, &line)?]);
    }
    shared.debounced = Some(execution.id.clone());
    let line = end(&mut other.value, &execution.id, now);
    Ok(vec![
        executions::save_progress(&other)?,
        executions::create_log_line(&other.value.id, &line)?,
        workflow_states::set(&shared, version)?,
    ])
}

async fn find_queued(
    state: &AppState,
    execution: &Execution,
    other: &ExecutionId,
) -> Result<Option<Versioned<Execution>>, Error> {
    let found = state.store.find_execution(&execution.org_id, other).await?;
    Ok(found.filter(|found| found.value.status == ExecutionStatus::Queued))
}

/// Whether the trigger of a run was fired after this one.
async fn is_later(state: &AppState, other: &Execution, trigger: &Trigger) -> Result<bool, Error> {
    let id = &other.trigger.id;
    let theirs = state.store.find_trigger(&other.org_id, id).await?;
    Ok(theirs.is_some_and(|theirs| theirs.created_at > trigger.created_at))
}

/// Ends a run that has not begun, in favour of another, and says so.
fn end(execution: &mut Execution, winner: &ExecutionId, now: Timestamp) -> LogLine {
    execution.status = ExecutionStatus::Cancelled;
    execution.finished_at = Some(now);
    execution.resume_at = None;
    execution.waiting_since = None;
    execution.lease.until = None;
    execution.log_seq += 1;
    LogLine {
        seq: execution.log_seq,
        ts: now,
        node_id: None,
        level: LogLevel::Info,
        kind: LogKind::Execution,
        message: format!("execution replaced by {winner}, whose trigger came soon after"),
        org_id: execution.org_id.clone(),
    }
}
