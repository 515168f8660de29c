//! Taking an execution's lease.

use shared::{
    ids::{ExecutionId, OrgId, random_token},
    inputs::Extent,
    models::{Execution, ExecutionStatus, Step, Timestamp, WorkflowState},
    retry::{Policy, retry},
    store::{Versioned, Write, workflow_states},
};

use super::{Error, Journal, Recorded};
use crate::{
    AppState,
    fault_points::{KillPoint, reach},
};

/// What became of an attempt to work on an execution.
pub(crate) enum Claim {
    /// It is ours.
    Held(Box<Journal>),
    /// Another worker has it.
    Busy,
    /// It has ended, is not due, or has to wait for another run of its workflow.
    NotOurs,
}

/// Whether a run may be under way beside the others of its workflow.
enum Slot {
    Free(Option<Write>),
    Full(Option<Write>),
}

impl Journal {
    /// Takes the execution's lease, if it is free. A run that waits is taken before its time if
    /// something `woke` it.
    ///
    /// # Errors
    /// Returns [`Error::Superseded`] when another worker was quicker.
    pub(crate) async fn claim(
        state: &AppState,
        org_id: &OrgId,
        id: &ExecutionId,
        woke: bool,
    ) -> Result<Claim, Error> {
        let Some(execution) = state.store.find_execution(org_id, id).await? else {
            return Ok(Claim::NotOurs);
        };
        let now = Timestamp::from(state.clock.now());
        match availability(&execution.value, now, woke) {
            Availability::Free => {}
            Availability::Busy => return Ok(Claim::Busy),
            Availability::NotDue => return Ok(Claim::NotOurs),
        }
        let is_new = execution.value.lease.fence == 0;
        // Before the claim, whose lease would run out meanwhile.
        let seat = state.isolation.enter(execution.value.attempts + 1).await;
        let mut journal = Self::of(state, execution, seat);
        match take_slot(state, journal.execution(), now).await? {
            Slot::Free(write) => journal.take(write).await?,
            Slot::Full(write) => {
                journal.line_up(write).await?;
                return Ok(Claim::NotOurs);
            }
        }
        reach(KillPoint::AfterClaim);
        // Read after the claim is counted: a journal that cannot be read ends in quarantine.
        if !is_new && !journal.is_quarantined() {
            journal.read().await?;
        }
        Ok(Claim::Held(Box::new(journal)))
    }

    /// Becomes the holder; the lease is ours once this is committed.
    async fn take(&mut self, slot: Option<Write>) -> Result<(), Error> {
        let now = self.now();
        hold(&mut self.execution.value, now);
        let until = now.plus_seconds(self.lease_secs);
        self.execution.value.lease.until = Some(until);
        self.write(slot.into_iter().collect()).await
    }

    /// Leaves the run until another of its workflow has ended: then it is offered again.
    async fn line_up(&mut self, state: Option<Write>) -> Result<(), Error> {
        self.execution.value.lease.until = None;
        self.write(state.into_iter().collect()).await
    }

    async fn read(&mut self) -> Result<(), Error> {
        let execution = &self.execution.value;
        let (org_id, id) = (&execution.org_id, &execution.id);
        let list = || self.store.list_steps(org_id, id);
        for step in retry(Policy::REMOTE_CALL, list).await? {
            let output = step.result.as_ref().map(|result| &result.output.0);
            self.output_bytes += output.map_or(0, |output| Extent::of(output).bytes);
            let name = Step::name_of(&step.node_id, &step.iteration);
            let recorded = Recorded {
                has_document: step.result.is_none(),
                step,
                is_changed: false,
            };
            self.steps.insert(name, recorded);
        }
        Ok(())
    }
}

/// Makes the caller the execution's holder, until it lets the lease run out.
pub(crate) fn hold(execution: &mut Execution, now: Timestamp) {
    execution.lease.owner = Some(random_token());
    execution.lease.fence += 1;
    execution.status = ExecutionStatus::Running;
    execution.resume_at = None;
    execution.attempts += 1;
    if execution.concurrency.is_some() {
        execution.has_slot = true;
    }
    if let Some(since) = execution.waiting_since.take() {
        let waited = now.instant().as_second() - since.instant().as_second();
        execution.budget.waited_seconds += waited.max(0);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Availability {
    Free,
    Busy,
    NotDue,
}

fn availability(execution: &Execution, now: Timestamp, woke: bool) -> Availability {
    let is_due = execution.resume_at.is_none_or(|due| due <= now);
    let lease = &execution.lease;
    let lease_is_over = lease.owner.is_none() || lease.until.is_none_or(|until| until <= now);
    match execution.status {
        ExecutionStatus::Running if lease_is_over => Availability::Free,
        ExecutionStatus::Running => Availability::Busy,
        ExecutionStatus::Queued if is_due => Availability::Free,
        // Without a time, it waits for something that wakes it up.
        ExecutionStatus::Waiting if woke || (execution.resume_at.is_some() && is_due) => {
            Availability::Free
        }
        _ => Availability::NotDue,
    }
}

/// Looks for room among the runs of the workflow, if their number is limited.
async fn take_slot(state: &AppState, execution: &Execution, now: Timestamp) -> Result<Slot, Error> {
    let Some(limit) = execution.concurrency.filter(|_| !execution.has_slot) else {
        return Ok(Slot::Free(None));
    };
    let (org_id, workflow_id) = (&execution.org_id, &execution.workflow_id);
    let found = state.store.find_workflow_state(org_id, workflow_id).await?;
    let version = found.as_ref().map(|found| found.version);
    let mut shared = found.map_or_else(|| unshared(execution), |Versioned { value, .. }| value);
    shared.concurrency = Some(limit);
    let is_full = i64::try_from(shared.running.len()).unwrap_or(i64::MAX) >= limit;
    if is_full {
        shared.has_queue = true;
    } else {
        shared.running.insert(execution.id.to_string(), now);
    }
    let write = Some(workflow_states::set(&shared, version)?);
    Ok(if is_full {
        Slot::Full(write)
    } else {
        Slot::Free(write)
    })
}

/// What the runs of a workflow share before the first of them.
pub(crate) fn unshared(execution: &Execution) -> WorkflowState {
    WorkflowState {
        org_id: execution.org_id.clone(),
        workflow_id: execution.workflow_id.clone(),
        running: Default::default(),
        concurrency: None,
        has_queue: false,
        debounced: None,
    }
}
