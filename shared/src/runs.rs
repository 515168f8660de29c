//! What goes with the end of a run, whoever ends it: the engine, or a person who cancels it.

use crate::{
    ids::RecordId,
    models::{ApprovalStatus, Execution, ExecutionStatus, Timestamp, Wakeup, WorkflowState},
    store::{Error, Store, Versioned, Write, approvals, wakeups, workflow_states},
};

/// Answers that models were giving when the run ended, at most: a run asks fewer at once.
const MAX_DRAFTS: u32 = 50;

/// The writes that belong into the commit that ends `execution`: whoever waits for it is told, its
/// place among the runs of its workflow is free again, what it has asked people is withdrawn, and what
/// models were saying goes.
///
/// # Errors
/// Returns the database's error.
pub async fn writes_at_end(
    store: &Store,
    execution: &Execution,
    now: Timestamp,
) -> Result<Vec<Write>, Error> {
    let mut writes = Vec::new();
    if let Some(parent) = &execution.parent {
        writes.push(wakeups::set(&Wakeup {
            id: RecordId::derive(&["ended", execution.id.as_str()]),
            org_id: execution.org_id.clone(),
            execution_id: parent.execution_id.clone(),
            created_at: now,
        })?);
    }
    if execution.has_slot {
        writes.extend(release_slot(store, execution).await?);
    }
    if execution.status != ExecutionStatus::Succeeded {
        writes.extend(withdraw(store, execution).await?);
    }
    Ok(writes)
}

async fn release_slot(store: &Store, execution: &Execution) -> Result<Option<Write>, Error> {
    let (org_id, workflow_id) = (&execution.org_id, &execution.workflow_id);
    let Some(mut state) = store.find_workflow_state(org_id, workflow_id).await? else {
        return Ok(None);
    };
    let Versioned::<WorkflowState> { value, version } = &mut state;
    if value.running.remove(execution.id.as_str()).is_none() {
        return Ok(None);
    }
    workflow_states::set(value, Some(*version)).map(Some)
}

/// The writes that end what the execution has asked people and nobody has decided, and what models
/// were saying.
///
/// # Errors
/// Returns the database's error.
pub async fn withdraw(store: &Store, execution: &Execution) -> Result<Vec<Write>, Error> {
    let (org_id, id) = (&execution.org_id, &execution.id);
    let mut writes = store.list_draft_removals(org_id, id, MAX_DRAFTS).await?;
    for mut approval in store.list_approvals_of(org_id, id).await? {
        if approval.value.status == ApprovalStatus::Pending {
            approval.value.status = ApprovalStatus::Cancelled;
            writes.push(approvals::replace(&approval)?);
        }
    }
    Ok(writes)
}
