//! Runs that begin once no other trigger has come for some time: the last one counts.

use shared::{
    ids::ExecutionId,
    models::{Execution, ExecutionStatus, LogKind, LogLevel, LogLine, Timestamp},
    store::{Error, Versioned, Write, executions, workflow_states},
};

use crate::{AppState, journal::unshared};

/// Puts a new run off, and ends the one that it replaces if that has not begun.
pub(super) async fn put_off(
    state: &AppState,
    execution: &mut Execution,
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
    let mut writes = Vec::new();
    if let Some(earlier) = shared.debounced.replace(execution.id.clone()) {
        writes.extend(replace(state, execution, &earlier, now).await?);
    }
    writes.push(workflow_states::set(&shared, version)?);
    Ok(writes)
}

async fn replace(
    state: &AppState,
    execution: &Execution,
    earlier: &ExecutionId,
    now: Timestamp,
) -> Result<Vec<Write>, Error> {
    let found = state
        .store
        .find_execution(&execution.org_id, earlier)
        .await?;
    let is_queued = |found: &Versioned<Execution>| found.value.status == ExecutionStatus::Queued;
    let Some(mut found) = found.filter(is_queued) else {
        return Ok(Vec::new());
    };
    let earlier = &mut found.value;
    earlier.status = ExecutionStatus::Cancelled;
    earlier.finished_at = Some(now);
    earlier.resume_at = None;
    earlier.lease.until = None;
    earlier.log_seq += 1;
    let line = LogLine {
        seq: earlier.log_seq,
        ts: now,
        node_id: None,
        level: LogLevel::Info,
        kind: LogKind::Execution,
        message: format!(
            "execution replaced by {}, which came soon after",
            execution.id
        ),
        org_id: earlier.org_id.clone(),
    };
    Ok(vec![
        executions::save_progress(&found)?,
        executions::create_log_line(&found.value.id, &line)?,
    ])
}
