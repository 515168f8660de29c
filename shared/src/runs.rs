//! What goes with the end of a run, whoever ends it: the engine, or a person who cancels it.

use crate::{
    ids::RecordId,
    models::{ApprovalStatus, Execution, ExecutionStatus, Timestamp, Wakeup, WorkflowState},
    store::{Error, Store, Versioned, Write, approvals, wakeups, workflow_states},
};

/// The writes that belong into the commit that ends `execution`: whoever waits for it is told, its
/// place among the runs of its workflow is free again, and what it has asked people is withdrawn.
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
        writes.extend(withdraw_approvals(store, execution).await?);
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

/// The writes that end what the execution has asked people and nobody has decided.
///
/// # Errors
/// Returns the database's error.
pub async fn withdraw_approvals(store: &Store, execution: &Execution) -> Result<Vec<Write>, Error> {
    let asked = store
        .list_approvals_of(&execution.org_id, &execution.id)
        .await?;
    let pending = asked
        .into_iter()
        .filter(|approval| approval.value.status == ApprovalStatus::Pending);
    pending
        .map(|mut approval| {
            approval.value.status = ApprovalStatus::Cancelled;
            approvals::replace(&approval)
        })
        .collect()
}
