//! What has to happen after a commit. None of it can get lost: the sweeper finds what was not
//! handed in.

use shared::{
    models::{Execution, ExecutionStatus, SystemPrincipal, Timestamp, WorkflowState},
    queue::{Continuation, Task, Work},
    store::{Error, Page, Versioned, workflow_states},
};
use tracing::Instrument;

use crate::{
    AppState,
    fault_points::{KillPoint, reach},
    trace,
};

/// Hands in what follows from what a worker has made of an execution.
pub(crate) async fn follow_up(state: &AppState, execution: &Execution) {
    reach(KillPoint::InPublish);
    match execution.status {
        ExecutionStatus::Queued | ExecutionStatus::Running => {
            let due_at = execution.resume_at;
            enqueue(state, execution, "", due_at).await;
        }
        ExecutionStatus::Waiting if execution.resume_at.is_some() => {
            enqueue(state, execution, "", execution.resume_at).await;
        }
        ExecutionStatus::Waiting => {}
        ExecutionStatus::Succeeded | ExecutionStatus::Failed | ExecutionStatus::Cancelled => {
            if execution.has_slot
                && let Err(error) = offer_slots_of(state, execution).await
            {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(execution.id = %execution.id, error, "next run left to the sweeper");
            }
        }
    }
}

/// Hands an execution in to be gone on with. `reason` tells apart what would have the same name.
pub(crate) async fn enqueue(
    state: &AppState,
    execution: &Execution,
    reason: &str,
    due_at: Option<Timestamp>,
) {
    let (id, fence) = (&execution.id, execution.lease.fence);
    let task = Task {
        name: format!("{id}-{fence}{reason}"),
        work: Work::Continue(Continuation {
            org_id: execution.org_id.clone(),
            execution_id: id.clone(),
        }),
        due_at,
    };
    let span = trace::of_hand_in(execution);
    if let Err(error) = state.queue.enqueue(&task).instrument(span).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(execution.id = %id, error, "execution left to the sweeper");
    }
}

/// Offers what room there is to runs of the workflow that wait for it, the oldest first.
async fn offer_slots(
    state: &AppState,
    shared: Versioned<WorkflowState>,
    reason: &str,
) -> Result<(), Error> {
    let Versioned {
        value: mut shared,
        version,
    } = shared;
    let limit = usize::try_from(shared.concurrency.unwrap_or(1)).unwrap_or(1);
    let room = limit.saturating_sub(shared.running.len());
    if room == 0 || !shared.has_queue {
        return Ok(());
    }
    let (org_id, workflow_id) = (&shared.org_id, &shared.workflow_id);
    let most = u32::try_from(room).unwrap_or(u32::MAX);
    let queued = state
        .store
        .list_queued_executions(org_id, workflow_id, most)
        .await?;
    if queued.is_empty() {
        shared.has_queue = false;
        let write = workflow_states::set(&shared, Some(version))?;
        // Somebody has lined up meanwhile, or has taken a place: then there is nothing to mend.
        return match state.store.commit(vec![write]).await {
            Err(error) if !error.is_lost_race() => Err(error),
            _ => Ok(()),
        };
    }
    for execution in queued {
        enqueue(state, &execution, reason, None).await;
    }
    Ok(())
}

async fn offer_slots_of(state: &AppState, execution: &Execution) -> Result<(), Error> {
    let (org_id, workflow_id) = (&execution.org_id, &execution.workflow_id);
    match state.store.find_workflow_state(org_id, workflow_id).await? {
        Some(shared) => {
            let reason = format!("-slot-{}", shared.version.instant().as_microsecond());
            offer_slots(state, shared, &reason).await
        }
        None => Ok(()),
    }
}

/// Offers room in all workflows of which runs wait, `most` at once.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn offer_all_slots(
    state: &AppState,
    caller: &SystemPrincipal,
    most: u32,
    reason: &str,
) -> Result<(), Error> {
    let mut page = Page::first(most);
    loop {
        let queueing = state.store.list_queueing_workflows(caller, &page).await?;
        for shared in queueing.items {
            let id = shared.value.workflow_id.clone();
            // One bad workflow must not stop the others.
            if let Err(error) = offer_slots(state, shared, reason).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(workflow.id = %id, error, "next run left to the next tick");
            }
        }
        if queueing.next.is_none() {
            return Ok(());
        }
        page.after = queueing.next;
    }
}
