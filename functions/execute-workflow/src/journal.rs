//! The durable record of one run. Every write carries the execution's version, so that a worker
//! whose lease was taken over cannot write any more: its commit fails as a whole.

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    clock::SharedClock,
    ids::{ExecutionId, OrgId, fingerprint, random_token},
    models::{
        Execution, ExecutionError, ExecutionStatus, JsonText, LogKind, LogLevel, LogLine, Step,
        StepIntent, StepResult, StepStatus, Timestamp,
    },
    retry::{Policy, Transient, retry},
    store::{self, Store, Versioned, Write, executions},
};

use crate::extent::Extent;

/// A worker that says nothing for so long has lost its execution.
pub(crate) const LEASE_SECS: i64 = 60;
/// Claims in a row without an orderly end: after these the run is taken to kill its workers.
const MAX_CRASHES: i64 = 3;
/// Writes kept back at most before they are committed.
const MAX_PENDING: usize = 200;
/// Bytes kept back at most, roughly: a request to Firestore ends at 10 MiB
/// (<https://firebase.google.com/docs/firestore/quotas>).
const MAX_PENDING_BYTES: usize = 4 * 1024 * 1024;
/// Nodes outside of loops.
const NO_ITERATION: &str = "0";

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

/// What became of an attempt to work on an execution.
pub(crate) enum Claim {
    /// It is ours.
    Held(Box<Journal>),
    /// It has ended, another worker has it, or it is not due.
    NotOurs,
}

/// The journal of an execution that this worker holds.
pub(crate) struct Journal {
    store: Store,
    clock: SharedClock,
    execution: Versioned<Execution>,
    steps: BTreeMap<String, Step>,
    changed_steps: BTreeSet<String>,
    new_lines: Vec<LogLine>,
    pending_bytes: usize,
    output_bytes: usize,
}

impl Journal {
    /// Takes the execution's lease, if it is free.
    ///
    /// # Errors
    /// Returns [`Error::Superseded`] when another worker was quicker.
    pub(crate) async fn claim(
        store: &Store,
        clock: &SharedClock,
        org_id: &OrgId,
        id: &ExecutionId,
    ) -> Result<Claim, Error> {
        let Some(mut execution) = store.find_execution(org_id, id).await? else {
            return Ok(Claim::NotOurs);
        };
        let now = Timestamp::from(clock.now());
        if !is_free(&execution.value, now) {
            return Ok(Claim::NotOurs);
        }
        let lease = &mut execution.value.lease;
        lease.owner = Some(random_token());
        lease.fence += 1;
        execution.value.status = ExecutionStatus::Running;
        execution.value.resume_at = None;
        execution.value.attempts += 1;
        let mut journal = Self {
            store: store.clone(),
            clock: clock.clone(),
            execution,
            steps: BTreeMap::new(),
            changed_steps: BTreeSet::new(),
            new_lines: Vec::new(),
            pending_bytes: 0,
            output_bytes: 0,
        };
        journal.commit().await?;
        // Read after the claim is counted: a journal that cannot be read ends in quarantine.
        if !journal.is_quarantined() {
            let steps = store.list_steps(org_id, id).await?;
            let outputs = steps.iter().filter_map(|step| step.result.as_ref());
            journal.output_bytes = outputs
                .map(|result| Extent::of(&result.output.0).bytes)
                .sum();
            journal.steps = steps
                .into_iter()
                .map(|step| (step.node_id.clone(), step))
                .collect();
        }
        Ok(Claim::Held(Box::new(journal)))
    }

    /// The execution as this worker knows it.
    pub(crate) fn execution(&self) -> &Execution {
        &self.execution.value
    }

    /// What is recorded of a node.
    pub(crate) fn step(&self, node_id: &str) -> Option<&Step> {
        self.steps.get(node_id)
    }

    /// All that is recorded.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.values()
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
    pub(crate) fn idempotency_key(&self, node_id: &str) -> String {
        let execution = &self.execution.value;
        fingerprint(&[
            execution.org_id.as_str(),
            execution.id.as_str(),
            node_id,
            NO_ITERATION,
        ])
    }

    /// Records that a node begins. It is durable after the next [`Self::flush`].
    pub(crate) fn begin(
        &mut self,
        node_id: &str,
        kind: &str,
        request_hash: String,
        resume_at: Option<Timestamp>,
    ) {
        let attempt = self
            .steps
            .get(node_id)
            .map_or(0, |step| step.intent.attempt)
            + 1;
        let intent = StepIntent {
            attempt,
            idempotency_key: self.idempotency_key(node_id),
            request_hash,
            fence: self.execution.value.lease.fence,
            at: self.now(),
            resume_at,
        };
        let status = if resume_at.is_some() {
            StepStatus::Waiting
        } else {
            StepStatus::Running
        };
        let step = Step {
            node_id: node_id.to_owned(),
            iteration: NO_ITERATION.to_owned(),
            kind: kind.to_owned(),
            org_id: self.execution.value.org_id.clone(),
            status,
            intent,
            result: None,
        };
        self.execution.value.budget.used_steps += i64::from(attempt == 1);
        self.put(step);
    }

    /// Records what a node came to; the first result stays.
    pub(crate) fn finish(&mut self, node_id: &str, status: StepStatus, result: StepResult) {
        let Some(step) = self.steps.get(node_id).filter(|step| step.result.is_none()) else {
            return;
        };
        self.execution.value.budget.used_tokens += result.tokens;
        let bytes = Extent::of(&result.output.0).bytes;
        self.pending_bytes += bytes;
        self.output_bytes += bytes;
        let step = Step {
            status,
            result: Some(result),
            ..step.clone()
        };
        self.put(step);
    }

    /// Appends a line to the log.
    pub(crate) fn log(
        &mut self,
        node_id: Option<&str>,
        level: LogLevel,
        kind: LogKind,
        message: impl Into<String>,
    ) {
        let message = message.into();
        self.pending_bytes += message.len();
        self.execution.value.log_seq += 1;
        self.new_lines.push(LogLine {
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
        self.changed_steps.len() + self.new_lines.len() >= MAX_PENDING
            || self.pending_bytes >= MAX_PENDING_BYTES
    }

    /// Commits what is recorded, and renews the lease.
    ///
    /// # Errors
    /// Returns [`Error::Superseded`] when the execution is not ours any more.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        let is_clean = self.changed_steps.is_empty() && self.new_lines.is_empty();
        if is_clean {
            Ok(())
        } else {
            self.commit().await
        }
    }

    /// Renews the lease.
    ///
    /// # Errors
    /// Returns [`Error::Superseded`] when the execution is not ours any more.
    pub(crate) async fn renew(&mut self) -> Result<(), Error> {
        self.commit().await
    }

    /// Ends the execution with its output or the reason why it failed.
    ///
    /// # Errors
    /// Returns [`Error::Superseded`] when the execution is not ours any more.
    pub(crate) async fn close(
        mut self,
        result: Result<JsonText, ExecutionError>,
    ) -> Result<(), Error> {
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
        self.release(None).await
    }

    /// Lets the execution wait until an instant; the sweeper goes on with it.
    ///
    /// # Errors
    /// Returns [`Error::Superseded`] when the execution is not ours any more.
    pub(crate) async fn suspend(mut self, resume_at: Timestamp) -> Result<(), Error> {
        let message = format!("execution waits until {resume_at}");
        self.log(None, LogLevel::Info, LogKind::Execution, message);
        self.execution.value.status = ExecutionStatus::Waiting;
        self.execution.value.resume_at = Some(resume_at);
        self.release(None).await
    }

    /// Gives the execution back before it has ended; the sweeper goes on with it at once.
    ///
    /// # Errors
    /// Returns [`Error::Superseded`] when the execution is not ours any more.
    pub(crate) async fn hand_over(self) -> Result<(), Error> {
        let now = self.now();
        self.release(Some(now)).await
    }

    /// Ends this worker's hold; the execution is due again at `until`.
    async fn release(mut self, until: Option<Timestamp>) -> Result<(), Error> {
        let execution = &mut self.execution.value;
        execution.lease.owner = None;
        execution.lease.until = until;
        execution.attempts = 0;
        self.write().await
    }

    async fn commit(&mut self) -> Result<(), Error> {
        let until = self.now().plus_seconds(LEASE_SECS);
        self.execution.value.lease.until = Some(until);
        self.write().await
    }

    async fn write(&mut self) -> Result<(), Error> {
        let writes = self.writes()?;
        let commit = retry(Policy::REMOTE_CALL, || self.commit_once(&writes)).await;
        self.execution.version = commit?;
        self.changed_steps.clear();
        self.new_lines.clear();
        self.pending_bytes = 0;
        Ok(())
    }

    fn writes(&self) -> Result<Vec<Write>, store::Error> {
        let id = &self.execution.value.id;
        let mut writes = vec![executions::replace(&self.execution)?];
        let changed = self
            .changed_steps
            .iter()
            .filter_map(|node_id| self.steps.get(node_id));
        for step in changed {
            writes.push(executions::set_step(id, step)?);
        }
        for line in &self.new_lines {
            writes.push(executions::create_log_line(id, line)?);
        }
        Ok(writes)
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

    fn put(&mut self, step: Step) {
        self.changed_steps.insert(step.node_id.clone());
        self.steps.insert(step.node_id.clone(), step);
    }
}

fn is_free(execution: &Execution, now: Timestamp) -> bool {
    let lease_is_over = execution.lease.until.is_none_or(|until| until <= now);
    match execution.status {
        ExecutionStatus::Queued => true,
        ExecutionStatus::Running => execution.lease.owner.is_none() || lease_is_over,
        ExecutionStatus::Waiting => execution.resume_at.is_none_or(|due| due <= now),
        ExecutionStatus::Succeeded | ExecutionStatus::Failed | ExecutionStatus::Cancelled => false,
    }
}
