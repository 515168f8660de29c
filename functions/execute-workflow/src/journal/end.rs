//! Letting go of an execution: it has ended, waits, or goes on elsewhere.

use serde_json::json;
use shared::{
    actions,
    graph::NodeKind,
    ids::{RecordId, TriggerId},
    models::{
        Execution, ExecutionError, ExecutionStatus, JsonText, LogKind, LogLevel, StartOptions,
        Step, Timestamp, Trigger, TriggerSource, TriggerType, Wakeup,
    },
    retry::{Policy, retry},
    runs,
    store::{self, Versioned, Write, executions, triggers, wakeups},
    telemetry,
};

use super::{Error, Journal};
use crate::{AppState, CALLER, start};

/// Tries of an end that others get in the way of, by ending runs of the same workflow.
const MAX_TRIES: usize = 64;

/// How a worker lets go of an execution.
#[derive(Debug)]
pub(crate) enum End {
    /// It has its output, or the reason why it failed.
    Closed(Result<JsonText, ExecutionError>),
    /// The run around it is over.
    Abandoned,
    /// It waits, at the latest until an instant.
    Suspended(Option<Timestamp>),
    /// Another request goes on.
    HandedOver,
}

impl Journal {
    /// Lets go of the execution, and tells what has become of it.
    ///
    /// # Errors
    /// Returns [`Error::Superseded`] when the execution is not ours any more.
    pub(crate) async fn let_go(mut self, end: End) -> Result<Execution, Error> {
        match end {
            End::Closed(result) => self.close(result),
            End::Abandoned => self.abandon(),
            End::Suspended(resume_at) => self.suspend(resume_at),
            End::HandedOver => self.execution.value.lease.until = Some(self.now()),
        }
        let execution = &mut self.execution.value;
        execution.lease.owner = None;
        execution.attempts = 0;
        if execution.status.is_terminal() {
            self.write_end().await?;
        } else {
            self.write(Vec::new()).await?;
        }
        Ok(self.execution.value)
    }

    fn close(&mut self, result: Result<JsonText, ExecutionError>) {
        let (level, message) = match &result {
            Ok(_) => (LogLevel::Info, "execution succeeded".to_owned()),
            Err(error) => (
                LogLevel::Error,
                format!("execution failed: {}", error.message),
            ),
        };
        self.log(None, level, LogKind::Execution, message);
        let finished_at = self.now();
        let execution = &mut self.execution.value;
        execution.finished_at = Some(finished_at);
        execution.lease.until = None;
        match result {
            Ok(output) => {
                execution.status = ExecutionStatus::Succeeded;
                execution.output = Some(output);
            }
            Err(error) => {
                execution.status = ExecutionStatus::Failed;
                execution.error = Some(error);
            }
        }
    }

    fn abandon(&mut self) {
        let message = "execution cancelled: the run that it is a part of has ended";
        self.log(None, LogLevel::Warn, LogKind::Execution, message);
        let finished_at = self.now();
        let execution = &mut self.execution.value;
        execution.finished_at = Some(finished_at);
        execution.lease.until = None;
        execution.status = ExecutionStatus::Cancelled;
    }

    fn suspend(&mut self, resume_at: Option<Timestamp>) {
        let message = match resume_at {
            Some(resume_at) => format!("execution waits until {resume_at}"),
            None => "execution waits".to_owned(),
        };
        self.log(None, LogLevel::Info, LogKind::Execution, message);
        let now = self.now();
        let execution = &mut self.execution.value;
        execution.status = ExecutionStatus::Waiting;
        execution.resume_at = resume_at;
        execution.waiting_since = Some(now);
        execution.lease.until = None;
    }

    /// Commits the end with all that goes with it. What the runs of a workflow share may change
    /// meanwhile: as long as the execution itself is still ours, this tries again.
    async fn write_end(&mut self) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            let others = self.writes_at_end().await?;
            match self.write(others).await {
                Err(Error::Superseded) if tries < MAX_TRIES && self.is_still_ours().await? => {}
                result => return result,
            }
        }
    }

    async fn writes_at_end(&self) -> Result<Vec<Write>, store::Error> {
        let execution = &self.execution.value;
        let now = self.now();
        let mut writes = runs::writes_at_end(&self.store, execution, now).await?;
        let has_succeeded = execution.status == ExecutionStatus::Succeeded;
        if has_succeeded && self.has_asked() {
            writes.extend(runs::withdraw(&self.store, execution).await?);
        }
        for step in self.unended(NodeKind::Workflow) {
            writes.push(wake_orphan(execution, step, now)?);
        }
        writes.extend(
            error_trigger(execution, self.now())
                .as_ref()
                .map(triggers::create)
                .transpose()?,
        );
        Ok(writes)
    }

    /// Whether people or models may have been asked what nobody wants to know any more.
    fn has_asked(&self) -> bool {
        let mut unended = self.steps().filter(|step| step.result.is_none());
        unended.any(|step| {
            step.is_move()
                || step.kind == NodeKind::Approval.as_str()
                || actions::find(&step.kind).is_some_and(|action| action.asks_first)
        })
    }

    /// Steps that nobody waits for any more.
    fn unended(&self, kind: NodeKind) -> impl Iterator<Item = &Step> {
        let steps = self.steps();
        steps.filter(move |step| step.result.is_none() && step.kind == kind.as_str())
    }

    async fn is_still_ours(&self) -> Result<bool, store::Error> {
        let ours = &self.execution;
        let (org_id, id) = (&ours.value.org_id, &ours.value.id);
        let found = self.store.find_execution(org_id, id).await?;
        Ok(found.is_some_and(|found| found.version == ours.version))
    }
}

/// Has a part of the run find out that the run is over.
fn wake_orphan(execution: &Execution, step: &Step, now: Timestamp) -> Result<Write, store::Error> {
    let child = start::child_id(execution, &step.node_id, &step.iteration);
    wakeups::set(&Wakeup {
        id: RecordId::derive(&["orphaned", child.as_str()]),
        org_id: execution.org_id.clone(),
        execution_id: child,
        created_at: now,
    })
}

/// Starts the workflow that is there for failures; a failure of its own starts nothing.
fn error_trigger(execution: &Execution, now: Timestamp) -> Option<Trigger> {
    let error = execution.error.as_ref()?;
    let workflow_id = execution.error_workflow_id.clone()?;
    if execution.trigger.kind == TriggerType::OnExecutionFailed {
        return None;
    }
    let incarnation = execution.incarnation();
    let id = TriggerId::derive(&["onExecutionFailed", execution.id.as_str(), &incarnation]);
    Some(Trigger {
        dedupe_key: id.to_string(),
        id,
        org_id: execution.org_id.clone(),
        workflow_id,
        kind: TriggerType::OnExecutionFailed,
        payload: JsonText(json!({
            "executionId": execution.id,
            "workflowId": execution.workflow_id,
            "workflowName": execution.workflow_name,
            "error": error,
        })),
        source: TriggerSource {
            function: CALLER.function.to_owned(),
            uid: None,
        },
        created_at: now,
        options: StartOptions::default(),
        traceparent: telemetry::traceparent(),
    })
}

/// Gives back an execution that this worker cannot go on with because the database fails, so that
/// the next one begins at once and the failure does not count as a crash. If this fails too, the
/// lease runs out.
pub(crate) async fn give_back(state: &AppState, held: &Execution) {
    let given_back = retry(Policy::REMOTE_CALL, || try_to_give_back(state, held)).await;
    if let Err(error) = given_back {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(execution.id = %held.id, error, "lease left to run out");
    }
}

async fn try_to_give_back(state: &AppState, held: &Execution) -> Result<(), store::Error> {
    let store = &state.store;
    let found = store.find_execution(&held.org_id, &held.id).await?;
    let is_ours = |found: &Versioned<Execution>| {
        let (ours, theirs) = (&held.lease, &found.value.lease);
        ours.fence == theirs.fence && found.value.status == ExecutionStatus::Running
    };
    let Some(mut execution) = found.filter(is_ours) else {
        return Ok(());
    };
    let lease = &mut execution.value.lease;
    lease.owner = None;
    lease.until = Some(state.clock.now().into());
    lease.revision += 1;
    execution.value.attempts = (execution.value.attempts - 1).max(0);
    let write = executions::save_progress(&execution)?;
    match store.commit(vec![write]).await {
        Err(error) if !error.is_lost_race() => Err(error),
        _ => Ok(()),
    }
}
