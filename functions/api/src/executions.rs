use serde_json::json;
use shared::{
    audit::{Entry, Trail},
    ids::{ExecutionId, TriggerId},
    models::{
        AuditAction, Execution, ExecutionStatus, LogLine, Principal, Step, Timestamp, Trigger,
    },
    storage::Bucket,
    store::{self, Listing, Page, Store, Versioned, Write, commit_contended},
};

use crate::{error::Error, stored_bodies};

/// Documents of an execution deleted in one commit.
const DELETE_BATCH: u32 = 400;

/// An execution, however far it has come.
#[derive(Debug)]
pub(crate) enum Run {
    /// The engine has taken it up.
    Begun(Box<Versioned<Execution>>),
    /// The trigger is written; the event is on its way to the engine.
    Queued {
        /// The id that the execution will have.
        id: ExecutionId,
        /// What starts it.
        trigger: Box<Trigger>,
    },
}

impl Run {
    pub(crate) fn status(&self) -> ExecutionStatus {
        match self {
            Self::Begun(execution) => execution.value.status,
            Self::Queued { .. } => ExecutionStatus::Queued,
        }
    }
}

/// The caller's execution.
pub(crate) async fn find(
    store: &Store,
    principal: &Principal,
    id: &ExecutionId,
) -> Result<Run, Error> {
    let org_id = &principal.org_id;
    if let Some(execution) = store.find_execution(org_id, id).await? {
        return Ok(Run::Begun(Box::new(execution)));
    }
    let trigger = store.find_trigger(org_id, &trigger_id(id)?).await?;
    let trigger = trigger.ok_or(Error::NotFound("execution"))?;
    Ok(Run::Queued {
        id: id.clone(),
        trigger: Box::new(trigger),
    })
}

/// A part of the journal of the caller's execution.
pub(crate) async fn list_steps(
    store: &Store,
    principal: &Principal,
    id: &ExecutionId,
    page: &Page,
) -> Result<Listing<Step>, Error> {
    find(store, principal, id).await?;
    Ok(store.page_steps(&principal.org_id, id, page).await?)
}

/// The log of the caller's execution after line `after`.
pub(crate) async fn list_log_lines(
    store: &Store,
    principal: &Principal,
    id: &ExecutionId,
    after: i64,
    limit: u32,
) -> Result<Vec<LogLine>, Error> {
    find(store, principal, id).await?;
    let org_id = &principal.org_id;
    Ok(store.list_log_lines(org_id, id, after, limit).await?)
}

/// Deletes an ended execution with stored bodies, journal, log, drafts, approvals and trigger, and
/// records it. The execution goes last: after a crash between the commits the request can be repeated. A
/// part of an execution that goes on stays: that one would start it again.
pub(crate) async fn delete(
    store: &Store,
    trail: &Trail,
    bucket: Option<&dyn Bucket>,
    principal: &Principal,
    id: &ExecutionId,
    now: Timestamp,
) -> Result<(), Error> {
    let execution = find_begun(store, principal, id).await?.value;
    require_ended(&execution)?;
    require_parent_ended(store, &execution).await?;
    stored_bodies::delete(store, bucket, &execution).await?;
    delete_log(store, principal, id).await?;
    delete_journal(store, principal, id).await?;
    delete_drafts(store, principal, id).await?;
    delete_approvals(store, principal, id).await?;
    commit_contended(store, || async move {
        let execution = find_begun(store, principal, id).await?;
        let entry = entry(principal, AuditAction::ExecutionDelete, id);
        let mut writes = trail.append(entry, now).await?;
        writes.extend([
            store::executions::delete(&execution),
            store::triggers::delete(&execution.value.trigger.id),
        ]);
        Ok((writes, ()))
    })
    .await
}

/// An execution and the trigger that starts it have the same id, so that an execution can be
/// asked for before the engine has made its document.
fn trigger_id(id: &ExecutionId) -> Result<TriggerId, Error> {
    TriggerId::parse(id.as_str()).map_err(|_| Error::NotFound("execution"))
}

/// The caller's execution, if the engine has taken it up.
pub(crate) async fn find_begun(
    store: &Store,
    principal: &Principal,
    id: &ExecutionId,
) -> Result<Versioned<Execution>, Error> {
    match find(store, principal, id).await? {
        Run::Begun(execution) => Ok(*execution),
        Run::Queued { .. } => Err(Error::Precondition(
            "the execution has not begun yet, try again",
        )),
    }
}

/// Whether nothing happens to the execution any more.
pub(crate) fn require_ended(execution: &Execution) -> Result<(), Error> {
    if execution.status.is_terminal() {
        return Ok(());
    }
    Err(Error::Precondition("the execution has not ended"))
}

async fn require_parent_ended(store: &Store, execution: &Execution) -> Result<(), Error> {
    let Some(parent) = &execution.parent else {
        return Ok(());
    };
    let parent = store.find_execution(&execution.org_id, &parent.execution_id);
    match parent.await? {
        Some(parent) if !parent.value.status.is_terminal() => Err(Error::Precondition(
            "the execution that it is a part of has not ended",
        )),
        _ => Ok(()),
    }
}

async fn delete_log(store: &Store, principal: &Principal, id: &ExecutionId) -> Result<(), Error> {
    let mut after = 0;
    loop {
        let org_id = &principal.org_id;
        let lines = store
            .list_log_lines(org_id, id, after, DELETE_BATCH)
            .await?;
        let Some(last) = lines.last() else {
            return Ok(());
        };
        after = last.seq;
        let delete = |line: &LogLine| store::executions::delete_log_line(id, line.seq);
        store.commit(lines.iter().map(delete).collect()).await?;
    }
}

async fn delete_journal(
    store: &Store,
    principal: &Principal,
    id: &ExecutionId,
) -> Result<(), Error> {
    loop {
        let deletions = store.list_journal_deletions(&principal.org_id, id).await?;
        if deletions.is_empty() {
            return Ok(());
        }
        store.commit(deletions).await?;
    }
}

async fn delete_drafts(
    store: &Store,
    principal: &Principal,
    id: &ExecutionId,
) -> Result<(), Error> {
    loop {
        let org_id = &principal.org_id;
        let removals = store.list_draft_removals(org_id, id, DELETE_BATCH).await?;
        if removals.is_empty() {
            return Ok(());
        }
        store.commit(removals).await?;
    }
}

async fn delete_approvals(
    store: &Store,
    principal: &Principal,
    id: &ExecutionId,
) -> Result<(), Error> {
    let asked = store.list_approvals_of(&principal.org_id, id).await?;
    for batch in asked.chunks(DELETE_BATCH as usize) {
        let deletions = batch.iter();
        let deletions = deletions.map(|approval| store::approvals::delete(&approval.value.id));
        store.commit(deletions.collect::<Vec<Write>>()).await?;
    }
    Ok(())
}

fn entry(principal: &Principal, action: AuditAction, id: &ExecutionId) -> Entry {
    let (org_id, actor_id) = (&principal.org_id, principal.uid.as_str());
    Entry::new(org_id, actor_id, action, json!({ "executionId": id }))
}
