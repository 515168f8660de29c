//! Ending executions before they have come to their end.

use serde_json::{Value, json};
use shared::{
    audit::{Entry, Trail},
    ids::ExecutionId,
    models::{
        AuditAction, Execution, ExecutionParent, ExecutionStatus, Lease, LogKind, LogLevel,
        LogLine, Principal, Timestamp, Trigger,
    },
    runs,
    store::{self, Page, Store, Versioned, Write, commit_contended},
};

use crate::{
    error::Error,
    executions::{self, Run},
};

/// Executions read at once.
const PAGE_SIZE: u32 = 100;

/// How an execution came to its end.
enum Ending {
    /// By this request.
    Now(Box<Execution>),
    /// Before it.
    Before(ExecutionStatus),
}

/// Stops the execution, whose worker's next write is refused, and what its nodes have started, and
/// records it. One that has not begun never will.
pub(crate) async fn cancel(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    id: &ExecutionId,
    now: Timestamp,
) -> Result<Execution, Error> {
    match end(store, trail, principal, id, now).await? {
        Ending::Now(execution) => {
            cancel_below(store, trail, principal, id, now).await?;
            Ok(*execution)
        }
        Ending::Before(status) => {
            // A crash may have left what is below it: the request can be repeated.
            if status == ExecutionStatus::Cancelled {
                cancel_below(store, trail, principal, id, now).await?;
            }
            Err(Error::Precondition("the execution has ended"))
        }
    }
}

/// What is above is cancelled first: it starts no others.
async fn cancel_below(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    id: &ExecutionId,
    now: Timestamp,
) -> Result<(), Error> {
    let mut parents = vec![id.clone()];
    for _ in 0..ExecutionParent::MAX_DEPTH {
        let mut children = Vec::new();
        for parent in &parents {
            children.extend(find_children(store, principal, parent).await?);
        }
        for (child, status) in &children {
            if !status.is_terminal() {
                end(store, trail, principal, child, now).await?;
            }
        }
        parents = children.into_iter().map(|(child, _)| child).collect();
    }
    Ok(())
}

/// The executions that a node of this one has started and that are under way or were cancelled.
async fn find_children(
    store: &Store,
    principal: &Principal,
    parent: &ExecutionId,
) -> Result<Vec<(ExecutionId, ExecutionStatus)>, Error> {
    let mut page = Page::first(PAGE_SIZE);
    let mut children = Vec::new();
    loop {
        let listing = store.list_child_executions(&principal.org_id, parent, &page);
        let listing = listing.await?;
        let found = listing.items.into_iter().map(|child| child.value);
        let found = found.map(|child| (child.id, child.status));
        children.extend(found.filter(|(_, status)| {
            !matches!(status, ExecutionStatus::Succeeded | ExecutionStatus::Failed)
        }));
        if listing.next.is_none() {
            return Ok(children);
        }
        page.after = listing.next;
    }
}

async fn end(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    id: &ExecutionId,
    now: Timestamp,
) -> Result<Ending, Error> {
    let mut tries = 0;
    commit_contended(store, || {
        tries += 1;
        let has_lost = tries > 1;
        async move {
            let run = find(store, principal, id, has_lost).await?;
            let (writes, execution) = match run {
                Run::Begun(execution) if execution.value.status.is_terminal() => {
                    return Ok((Vec::new(), Ending::Before(execution.value.status)));
                }
                Run::Begun(execution) => end_begun(store, *execution, now).await?,
                Run::Queued { trigger, .. } => end_queued(store, &trigger, now).await?,
            };
            let line = store::executions::create_log_line(id, &line(&execution, now))?;
            let mut all = trail.append(entry(principal, &execution), now).await?;
            all.extend(writes);
            all.push(line);
            Ok((all, Ending::Now(Box::new(execution))))
        }
    })
    .await
}

/// The caller's execution. Once a race for it `has_lost`, its worker is stopped first: it may write
/// faster than an end can be decided.
async fn find(
    store: &Store,
    principal: &Principal,
    id: &ExecutionId,
    has_lost: bool,
) -> Result<Run, Error> {
    let run = executions::find(store, principal, id).await?;
    if !has_lost || run.status() != ExecutionStatus::Running {
        return Ok(run);
    }
    let revoked = vec![store::executions::revoke_lease(id)];
    store.commit(revoked).await?;
    executions::find(store, principal, id).await
}

async fn end_begun(
    store: &Store,
    mut execution: Versioned<Execution>,
    now: Timestamp,
) -> Result<(Vec<Write>, Execution), Error> {
    let value = &mut execution.value;
    value.status = ExecutionStatus::Cancelled;
    value.finished_at = Some(now);
    value.resume_at = None;
    value.waiting_since = None;
    value.log_seq += 1;
    value.lease = Lease {
        owner: None,
        fence: value.lease.fence + 1,
        revision: value.lease.revision,
        until: None,
    };
    let mut writes = runs::writes_at_end(store, value, now).await?;
    value.has_slot = false;
    writes.push(store::executions::replace(&execution)?);
    Ok((writes, execution.value))
}

/// The engine makes no execution that is there already; when it was faster, this one is decided
/// anew. The trigger must still be there, or a deletion would be undone.
async fn end_queued(
    store: &Store,
    trigger: &Trigger,
    now: Timestamp,
) -> Result<(Vec<Write>, Execution), Error> {
    let workflow = store.find_workflow(&trigger.org_id, &trigger.workflow_id);
    let name = workflow.await?.map(|workflow| workflow.value.name);
    let execution = never_begun(trigger, name.unwrap_or_default(), now);
    let writes = vec![
        store::executions::create(&execution)?,
        store::triggers::require(trigger)?,
    ];
    Ok((writes, execution))
}

fn never_begun(trigger: &Trigger, workflow_name: String, now: Timestamp) -> Execution {
    Execution {
        status: ExecutionStatus::Cancelled,
        finished_at: Some(now),
        ..Execution::new(trigger, workflow_name, trigger.created_at)
    }
}

fn line(execution: &Execution, now: Timestamp) -> LogLine {
    LogLine {
        seq: execution.log_seq,
        ts: now,
        node_id: None,
        level: LogLevel::Warn,
        kind: LogKind::Execution,
        message: "execution cancelled".to_owned(),
        org_id: execution.org_id.clone(),
    }
}

fn entry(principal: &Principal, execution: &Execution) -> Entry {
    let mut context = json!({ "executionId": execution.id });
    if let Some(parent) = &execution.parent {
        context["parentExecutionId"] = Value::from(parent.execution_id.as_str());
    }
    let (org_id, actor_id) = (&principal.org_id, principal.uid.as_str());
    Entry::new(org_id, actor_id, AuditAction::ExecutionCancel, context)
}
