//! The durable record of one run. Every write carries the execution's version, so that a worker
//! whose lease was taken over cannot write any more: its commit fails as a whole.

mod claim;
mod end;
mod pages;

use std::collections::HashMap;

use shared::{
    clock::SharedClock,
    ids::fingerprint,
    inputs::Extent,
    models::{
        Execution, LogKind, LogLevel, LogLine, Step, StepIntent, StepResult, StepStatus, Timestamp,
    },
    redaction::redact,
    retry::{Policy, Transient, retry},
    store::{self, Store, Versioned, Write, document_db::Precondition, executions},
};

use self::pages::Pages;
pub(crate) use self::{
    claim::{Claim, hold, unshared},
    end::{End, give_back},
};
use crate::{
    AppState,
    fault_points::{Flaw, KillPoint, is_broken, reach},
    isolation::Seat,
};

/// Claims in a row that came to nothing: after these the run is taken to kill its workers.
pub(crate) const MAX_CRASHES: i64 = 3;
/// Documents kept back at most before they are committed.
const MAX_PENDING: usize = 400;
/// Bytes kept back at most, roughly: a request to Firestore ends at 10 MiB
/// (<https://firebase.google.com/docs/firestore/quotas>).
const MAX_PENDING_BYTES: usize = 4 * 1024 * 1024;

/// Why a run cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another worker has taken over, or a person has cancelled the execution.
    #[error("the execution was taken over or cancelled")]
    Superseded,
    /// The database failed.
    #[error("the journal cannot be written")]
    Store(#[source] store::Error),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        if error.is_lost_race() {
            Self::Superseded
        } else {
            Self::Store(error)
        }
    }
}

/// One node in one iteration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepKey<'k> {
    pub(crate) node_id: &'k str,
    /// As in [`Step::iteration`].
    pub(crate) iteration: &'k str,
}

/// The journal of an execution that this worker holds.
pub(crate) struct Journal {
    store: Store,
    clock: SharedClock,
    lease_secs: i64,
    execution: Versioned<Execution>,
    steps: HashMap<String, Recorded>,
    /// Steps that the next commit writes.
    changed: Vec<String>,
    lines: Vec<LogLine>,
    /// Documents of several steps that this worker has written.
    pages: usize,
    pending_bytes: usize,
    output_bytes: usize,
    /// Keeps the run beside others, or away from them.
    _seat: Seat,
}

struct Recorded {
    step: Step,
    /// Whether it has a document of its own.
    has_document: bool,
    is_changed: bool,
}

impl StepKey<'_> {
    fn name(&self) -> String {
        Step::name_of(self.node_id, self.iteration)
    }
}

impl Journal {
    /// A journal without steps, of an execution that this worker has made or is about to claim.
    pub(crate) fn of(state: &AppState, execution: Versioned<Execution>, seat: Seat) -> Self {
        Self {
            store: state.store.clone(),
            clock: state.clock.clone(),
            lease_secs: state.settings.lease_secs,
            execution,
            steps: HashMap::new(),
            changed: Vec::new(),
            lines: Vec::new(),
            pages: 0,
            pending_bytes: 0,
            output_bytes: 0,
            _seat: seat,
        }
    }

    /// The execution as this worker knows it.
    pub(crate) fn execution(&self) -> &Execution {
        &self.execution.value
    }

    /// What is recorded of a node.
    pub(crate) fn step(&self, key: StepKey<'_>) -> Option<&Step> {
        self.steps.get(&key.name()).map(|recorded| &recorded.step)
    }

    /// All that is recorded, in no order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.values().map(|recorded| &recorded.step)
    }

    /// How much all outputs take together, in bytes, roughly.
    pub(crate) fn output_bytes(&self) -> usize {
        self.output_bytes
    }

    /// Whether this run has killed its workers too often.
    pub(crate) fn is_quarantined(&self) -> bool {
        self.execution.value.attempts > MAX_CRASHES
    }

    /// The present instant.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    /// The key that a node's side effect has in every attempt.
    pub(crate) fn idempotency_key(&self, key: StepKey<'_>) -> String {
        let execution = &self.execution.value;
        let (org_id, id) = (execution.org_id.as_str(), execution.id.as_str());
        let incarnation = execution.incarnation();
        let mut parts = vec![org_id, id, &incarnation, key.node_id, key.iteration];
        let fence = execution.lease.fence.to_string();
        if is_broken(Flaw::AttemptInKey) {
            parts.push(&fence);
        }
        fingerprint(&parts)
    }

    /// Records that a node begins. It is durable after the next [`Self::flush`].
    pub(crate) fn begin(&mut self, key: StepKey<'_>, kind: &str, request_hash: String) {
        let name = key.name();
        let earlier = self.steps.get(&name);
        let has_document = earlier.is_some_and(|earlier| earlier.has_document);
        let attempt = earlier.map_or(0, |earlier| earlier.step.intent.attempt) + 1;
        let execution = &self.execution.value;
        let step = Step {
            node_id: key.node_id.to_owned(),
            iteration: key.iteration.to_owned(),
            kind: kind.to_owned(),
            org_id: execution.org_id.clone(),
            status: StepStatus::Running,
            intent: StepIntent {
                attempt,
                idempotency_key: self.idempotency_key(key),
                request_hash,
                fence: execution.lease.fence,
                at: self.now(),
                resume_at: None,
            },
            result: None,
        };
        self.execution.value.budget.used_steps += i64::from(attempt == 1);
        self.put(name, step, has_document);
    }

    /// Records that a node is not run.
    pub(crate) fn skip(&mut self, key: StepKey<'_>, kind: &str, result: StepResult) {
        self.begin(key, kind, String::new());
        self.execution.value.budget.used_steps -= 1;
        self.finish(key, StepStatus::Skipped, result);
    }

    /// Records that a node waits, at the latest until an instant.
    pub(crate) fn wait(&mut self, key: StepKey<'_>, resume_at: Option<Timestamp>) {
        let name = key.name();
        let Some(recorded) = self.steps.get_mut(&name) else {
            return;
        };
        let step = &mut recorded.step;
        if step.status == StepStatus::Waiting && step.intent.resume_at == resume_at {
            return;
        }
        step.status = StepStatus::Waiting;
        step.intent.resume_at = resume_at;
        self.mark(name);
    }

    /// Records what a node came to; the first result stays.
    pub(crate) fn finish(&mut self, key: StepKey<'_>, status: StepStatus, result: StepResult) {
        let name = key.name();
        let Some(recorded) = self.steps.get_mut(&name) else {
            return;
        };
        if recorded.step.result.is_some() && !is_broken(Flaw::LastResultWins) {
            return;
        }
        let bytes = Extent::of(&result.output.0).bytes;
        let budget = &mut self.execution.value.budget;
        budget.used_tokens += result.tokens;
        budget.used_cost_micro_usd += result.cost_micro_usd;
        recorded.step.status = status;
        recorded.step.result = Some(result);
        self.pending_bytes += bytes;
        self.output_bytes += bytes;
        self.mark(name);
    }

    /// Takes over the result of another run's step, unless it has one itself.
    pub(crate) fn adopt(&mut self, step: Step) {
        let name = Step::name_of(&step.node_id, &step.iteration);
        if self.steps.contains_key(&name) {
            return;
        }
        let output = step.result.as_ref().map(|result| &result.output.0);
        let bytes = output.map_or(0, |output| Extent::of(output).bytes);
        self.pending_bytes += bytes;
        self.output_bytes += bytes;
        self.put(name, step, false);
    }

    /// Records that nothing is left to be taken over.
    pub(crate) fn end_adoption(&mut self) {
        self.execution.value.has_adopted = true;
    }

    /// Appends a line to the log, with what looks like a secret covered.
    pub(crate) fn log(
        &mut self,
        node_id: Option<&str>,
        level: LogLevel,
        kind: LogKind,
        message: impl Into<String>,
    ) {
        let message = redact(&message.into());
        self.pending_bytes += message.len();
        self.execution.value.log_seq += 1;
        self.lines.push(LogLine {
            seq: self.execution.value.log_seq,
            ts: self.now(),
            node_id: node_id.map(str::to_owned),
            level,
            kind,
            message,
            org_id: self.execution.value.org_id.clone(),
        });
    }

    /// Whether so much is kept back that it should be committed.
    pub(crate) fn is_full(&self) -> bool {
        self.changed.len() + self.lines.len() >= MAX_PENDING
            || self.pending_bytes >= MAX_PENDING_BYTES
    }

    /// Commits what is recorded, and renews the lease.
    ///
    /// # Errors
    /// Returns [`Error::Superseded`] when the execution is not ours any more.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        if self.changed.is_empty() && self.lines.is_empty() {
            return Ok(());
        }
        self.renew().await
    }

    /// Renews the lease.
    ///
    /// # Errors
    /// Returns [`Error::Superseded`] when the execution is not ours any more.
    pub(crate) async fn renew(&mut self) -> Result<(), Error> {
        let until = self.now().plus_seconds(self.lease_secs);
        self.execution.value.lease.until = Some(until);
        self.write(Vec::new()).await
    }

    /// Commits what is recorded, together with `others`.
    async fn write(&mut self, others: Vec<Write>) -> Result<(), Error> {
        let has_progress = self.changed.iter().any(|name| {
            let recorded = self.steps.get(name);
            recorded.is_some_and(|recorded| recorded.step.result.is_some())
        });
        if has_progress {
            self.execution.value.attempts = 0;
        }
        self.execution.value.lease.revision += 1;
        let (mut writes, pages) = self.writes()?;
        writes.extend(others);
        let commit = retry(Policy::REMOTE_CALL, || self.commit_once(&writes)).await;
        self.execution.version = commit?;
        self.pages += pages;
        for name in std::mem::take(&mut self.changed) {
            if let Some(recorded) = self.steps.get_mut(&name) {
                recorded.has_document = true;
                recorded.is_changed = false;
            }
        }
        self.lines.clear();
        self.pending_bytes = 0;
        if has_progress {
            reach(KillPoint::AfterResult);
        }
        Ok(())
    }

    /// What is to be written, and how many pages of steps are among it.
    fn writes(&self) -> Result<(Vec<Write>, usize), store::Error> {
        let execution = &self.execution.value;
        let mut writes = vec![executions::save_progress(&self.execution)?];
        let mut pages = Pages::default();
        let changed = self.changed.iter().filter_map(|name| self.steps.get(name));
        for Recorded {
            step, has_document, ..
        } in changed
        {
            if step.result.is_none() || *has_document {
                writes.push(executions::set_step(&execution.id, step)?);
            } else {
                pages.push(step.clone());
            }
        }
        let pages = pages.finish();
        let count = pages.len();
        for (page, number) in pages.into_iter().zip(self.pages..) {
            writes.push(executions::create_step_page(execution, number, page)?);
        }
        for line in &self.lines {
            writes.push(executions::create_log_line(&execution.id, line)?);
        }
        if is_broken(Flaw::NoFence) {
            let writes = writes.iter_mut();
            writes.for_each(|write| write.precondition = Precondition::None);
        }
        Ok((writes, count))
    }

    /// One commit. When its answer is lost, the execution tells whether it happened: nobody else
    /// writes this lease.
    async fn commit_once(&self, writes: &[Write]) -> Result<Timestamp, store::Error> {
        let ours = &self.execution.value;
        match self.store.commit(writes.to_vec()).await {
            Err(error) if error.is_transient() || error.is_lost_race() => {
                let found = self.store.find_execution(&ours.org_id, &ours.id).await?;
                let written = found.filter(|found| found.value == *ours);
                written.map(|found| found.version).ok_or(error)
            }
            result => result,
        }
    }

    fn put(&mut self, name: String, step: Step, has_document: bool) {
        let is_changed = self
            .steps
            .get(&name)
            .is_some_and(|earlier| earlier.is_changed);
        let recorded = Recorded {
            step,
            has_document,
            is_changed,
        };
        self.steps.insert(name.clone(), recorded);
        self.mark(name);
    }

    fn mark(&mut self, name: String) {
        if let Some(recorded) = self.steps.get_mut(&name)
            && !recorded.is_changed
        {
            recorded.is_changed = true;
            self.changed.push(name);
        }
    }
}
