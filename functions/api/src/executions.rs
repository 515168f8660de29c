use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    audit::{Entry, Trail},
    ids::{ExecutionId, TriggerId, WorkflowId},
    models::{
        AuditAction, Execution, ExecutionStatus, Lease, LogKind, LogLevel, LogLine, Principal,
        StartOptions, Step, Timestamp, Trigger, TriggerSource, TriggerType,
    },
    store::{self, Store, Versioned, commit_contended},
};

use crate::{
    error::{Error, Problem, Refusal},
    graph_check,
    idempotency::{Done, Once},
    workflows,
};

/// Longest payload of a trigger as JSON, in bytes: with input and output an execution must fit
/// into a document of 1 MiB (<https://firebase.google.com/docs/firestore/quotas>).
const MAX_PAYLOAD_BYTES: usize = 256_000;

/// Journal and log documents deleted in one commit.
const DELETE_BATCH: u32 = 400;

/// An execution that was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Started {
    pub(crate) execution_id: ExecutionId,
    pub(crate) status: ExecutionStatus,
}

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

impl Started {
    fn by(trigger: &Trigger) -> Self {
        Self {
            execution_id: trigger.id.clone().into(),
            status: ExecutionStatus::Queued,
        }
    }
}

/// Starts the workflow by writing a trigger, whose id becomes the execution's.
pub(crate) async fn start(
    store: &Store,
    principal: &Principal,
    once: &Once,
    workflow_id: &WorkflowId,
    payload: &Value,
    now: Timestamp,
) -> Result<Done<Started>, Error> {
    require_size(payload)?;
    if let Some(value) = find_started(store, principal, once, workflow_id, payload).await? {
        let is_replay = true;
        return Ok(Done { value, is_replay });
    }
    once.commit(store, || async move {
        let workflow = workflows::find(store, principal, workflow_id).await?;
        graph_check::check_start(&workflow.value, payload)?;
        let trigger_id = once.trigger_id().cloned();
        let id = trigger_id.unwrap_or_else(TriggerId::generate);
        let trigger = trigger(id, principal, workflow_id, payload, now);
        let started = Started::by(&trigger);
        Ok((vec![store::triggers::create(&trigger)?], started))
    })
    .await
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

/// The journal of the caller's execution.
pub(crate) async fn list_steps(
    store: &Store,
    principal: &Principal,
    id: &ExecutionId,
) -> Result<Vec<Step>, Error> {
    find(store, principal, id).await?;
    Ok(store.list_steps(&principal.org_id, id).await?)
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

/// Stops the execution: its worker's next write is refused.
pub(crate) async fn cancel(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    id: &ExecutionId,
    now: Timestamp,
) -> Result<Execution, Error> {
    commit_contended(store, || async move {
        let mut execution = find_begun(store, principal, id).await?;
        if execution.value.status.is_terminal() {
            return Err(Error::Precondition("the execution has ended"));
        }
        end_cancelled(&mut execution.value, now);
        let line = cancel_line(&execution.value, now);
        let entry = entry(principal, AuditAction::ExecutionCancel, id);
        let mut writes = trail.append(entry, now).await?;
        writes.extend([
            store::executions::replace(&execution)?,
            store::executions::create_log_line(id, &line)?,
        ]);
        Ok((writes, execution.value))
    })
    .await
}

/// Deletes an ended execution with journal, log and trigger, and records it. The execution goes
/// last: after a crash between the commits the request can be repeated.
pub(crate) async fn delete(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    id: &ExecutionId,
    now: Timestamp,
) -> Result<(), Error> {
    require_ended(&find_begun(store, principal, id).await?.value)?;
    delete_log(store, principal, id).await?;
    delete_journal(store, principal, id).await?;
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

fn require_size(payload: &Value) -> Result<(), Error> {
    if payload.to_string().len() <= MAX_PAYLOAD_BYTES {
        return Ok(());
    }
    let message = format!("must be at most {MAX_PAYLOAD_BYTES} bytes as JSON");
    Err(Error::Invalid(vec![Problem::new("payload", message)]))
}

/// What an earlier request under the same key has started: its trigger stays when the kept answer
/// is gone.
async fn find_started(
    store: &Store,
    principal: &Principal,
    once: &Once,
    workflow_id: &WorkflowId,
    payload: &Value,
) -> Result<Option<Started>, Error> {
    let Some(id) = once.trigger_id() else {
        return Ok(None);
    };
    let Some(trigger) = store.find_trigger(&principal.org_id, id).await? else {
        return Ok(None);
    };
    if trigger.workflow_id != *workflow_id || trigger.payload.0 != *payload {
        return Err(Refusal::KEY_REUSED.into());
    }
    Ok(Some(Started::by(&trigger)))
}

fn trigger(
    id: TriggerId,
    principal: &Principal,
    workflow_id: &WorkflowId,
    payload: &Value,
    now: Timestamp,
) -> Trigger {
    Trigger {
        dedupe_key: id.to_string(),
        id,
        org_id: principal.org_id.clone(),
        workflow_id: workflow_id.clone(),
        kind: TriggerType::Manual,
        payload: payload.clone().into(),
        source: TriggerSource {
            function: "api".to_owned(),
            uid: Some(principal.uid.clone()),
        },
        created_at: now,
        options: StartOptions::default(),
    }
}

/// An execution and the trigger that starts it have the same id, so that an execution can be
/// asked for before the engine has made its document.
fn trigger_id(id: &ExecutionId) -> Result<TriggerId, Error> {
    TriggerId::parse(id.as_str()).map_err(|_| Error::NotFound("execution"))
}

async fn find_begun(
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

fn require_ended(execution: &Execution) -> Result<(), Error> {
    if execution.status.is_terminal() {
        return Ok(());
    }
    Err(Error::Precondition("the execution has not ended"))
}

fn end_cancelled(execution: &mut Execution, now: Timestamp) {
    execution.status = ExecutionStatus::Cancelled;
    execution.finished_at = Some(now);
    execution.resume_at = None;
    execution.log_seq += 1;
    execution.lease = Lease {
        owner: None,
        fence: execution.lease.fence + 1,
        revision: execution.lease.revision,
        until: None,
    };
}

fn cancel_line(execution: &Execution, now: Timestamp) -> LogLine {
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

fn entry(principal: &Principal, action: AuditAction, id: &ExecutionId) -> Entry {
    let (org_id, actor_id) = (&principal.org_id, principal.uid.as_str());
    Entry::new(org_id, actor_id, action, json!({ "executionId": id }))
}
