//! Driving an execution through its graph: everything that is ready runs, side by side.

mod begin;
mod budget;
mod output;
mod settle;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::stream::{FuturesUnordered, StreamExt};
use shared::{
    graph::{Graph, Node, Readiness},
    ids::{ExecutionId, OrgId},
    inputs::Bindings,
    models::{ExecutionError, JsonText, StepStatus, Timestamp, WorkflowVersion},
    store::Error as StoreError,
};

use self::begin::Finished;
use crate::{
    AppState,
    journal::{Claim, Error, Journal, LEASE_SECS},
    node::Stop,
    start,
};

/// The lease is renewed while nodes run.
const RENEW_EVERY: Duration = Duration::from_secs(LEASE_SECS.unsigned_abs() / 3);

/// Goes on with an execution as far as it can get in one request. Does nothing when it has ended,
/// waits, or is held by another worker.
///
/// # Errors
/// Returns [`Error::Store`] when the database fails; the execution is then still due.
pub(crate) async fn advance(
    state: &AppState,
    org_id: &OrgId,
    id: &ExecutionId,
) -> Result<(), Error> {
    let result = match Journal::claim(&state.store, &state.clock, org_id, id).await {
        Ok(Claim::Held(journal)) => drive(state, *journal).await,
        Ok(Claim::NotOurs) => Ok(()),
        Err(error) => Err(error),
    };
    match result {
        Err(Error::Superseded) => {
            tracing::info!(execution.id = %id, "execution left to whoever holds it now");
            Ok(())
        }
        result => result,
    }
}

async fn drive(state: &AppState, journal: Journal) -> Result<(), Error> {
    if journal.is_quarantined() {
        let message = "the run ended its worker too often";
        return journal
            .close(Err(error("quarantined", message.to_owned(), None)))
            .await;
    }
    let Some(version) = pinned_version(state, &journal).await? else {
        let message = "the workflow's version is gone";
        return journal
            .close(Err(error("not_found", message.to_owned(), None)))
            .await;
    };
    match parse(&version) {
        Ok(graph) => Box::pin(Run::new(state, journal, graph).drive()).await,
        Err(message) => {
            journal
                .close(Err(error("invalid_argument", message, None)))
                .await
        }
    }
}

/// One worker's run of an execution.
struct Run<'a> {
    state: &'a AppState,
    journal: Journal,
    graph: Arc<Graph>,
    bindings: Bindings,
    /// What became of each node that has ended; a node without an entry has not.
    decided: BTreeMap<String, Decision>,
    claimed_at: Timestamp,
    /// Why the run fails, once a node has failed it.
    failure: Option<ExecutionError>,
}

/// What became of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Decision {
    /// It ran; edges from this handle are followed.
    Taken(String),
    /// No edge led to it.
    Skipped,
}

impl<'a> Run<'a> {
    fn new(state: &'a AppState, journal: Journal, graph: Graph) -> Self {
        let execution = journal.execution();
        let bindings = Bindings::new(execution.input.0.clone())
            .with_execution(execution.id.as_str(), &execution.started_at.to_string())
            .with_workflow(execution.workflow_id.as_str(), &execution.workflow_name);
        let claimed_at = journal.now();
        let mut run = Self {
            state,
            journal,
            graph: Arc::new(graph),
            bindings,
            decided: BTreeMap::new(),
            claimed_at,
            failure: None,
        };
        run.replay();
        run
    }

    /// Takes over what the journal holds: a recorded result is never made again.
    fn replay(&mut self) {
        for step in self.journal.steps() {
            let decision = match (step.status, &step.result) {
                (StepStatus::Skipped, _) => Decision::Skipped,
                (_, Some(result)) => {
                    self.bindings
                        .set_output(step.node_id.clone(), result.output.0.clone());
                    Decision::Taken(result.handle.clone())
                }
                (_, None) => continue,
            };
            self.decided.insert(step.node_id.clone(), decision);
        }
    }

    async fn drive(mut self) -> Result<(), Error> {
        let mut running = FuturesUnordered::new();
        loop {
            if self.failure.is_none() {
                running.extend(self.start_ready());
            }
            let is_partial = self.journal.is_full() && self.failure.is_none();
            // Intents are durable before any effect: the futures above have not been polled yet.
            self.journal.flush().await?;
            if is_partial {
                continue;
            }
            // After a failure nothing begins any more, but what has begun comes to its end.
            match self.next_finished(&mut running).await? {
                Some(finished) => self.record(finished)?,
                None => return self.end().await,
            }
        }
    }

    /// Begins every node that can begin, and returns the side effects to await. Nodes without a
    /// side effect end at once, so that one pass in topological order reaches all, unless the
    /// journal is full and has to be committed first, or a node fails the run.
    fn start_ready(&mut self) -> Vec<impl Future<Output = Finished> + use<'a>> {
        let mut effects = Vec::new();
        for node in Arc::clone(&self.graph).in_order() {
            if self.journal.is_full() || self.failure.is_some() {
                break;
            }
            if self.decided.contains_key(&node.id) || self.is_under_way(node) {
                continue;
            }
            match self.readiness(node) {
                Readiness::Undecided => {}
                Readiness::Skipped => self.skip(node),
                Readiness::Ready => match self.start(node) {
                    Ok(effect) => effects.extend(effect),
                    Err(error) => self.failure = Some(error),
                },
            }
        }
        effects
    }

    fn readiness(&self, node: &Node) -> Readiness {
        self.graph
            .readiness(&node.id, |edge| match self.decided.get(&edge.source)? {
                Decision::Taken(handle) => Some(*handle == edge.source_handle),
                Decision::Skipped => Some(false),
            })
    }

    /// Whether this worker has begun the node, or it waits for its time. A step that an earlier
    /// worker began and did not end begins again, under the same idempotency key.
    fn is_under_way(&self, node: &Node) -> bool {
        let Some(step) = self.journal.step(&node.id) else {
            return false;
        };
        let is_waiting = step.intent.resume_at.is_some();
        let is_ours = step.intent.fence == self.journal.execution().lease.fence;
        step.result.is_none()
            && if is_waiting {
                !self.is_due(step.intent.resume_at)
            } else {
                is_ours
            }
    }

    fn is_due(&self, resume_at: Option<Timestamp>) -> bool {
        resume_at.is_some_and(|resume_at| resume_at <= self.journal.now())
    }

    /// Waits for the next side effect to end, and keeps the lease meanwhile.
    async fn next_finished<F: Future<Output = Finished>>(
        &mut self,
        running: &mut FuturesUnordered<F>,
    ) -> Result<Option<Finished>, Error> {
        loop {
            match tokio::time::timeout(RENEW_EVERY, running.next()).await {
                Ok(finished) => return Ok(finished),
                Err(_) => self.journal.renew().await?,
            }
        }
    }

    /// Records what a side effect came to, unless our own database failed in it.
    fn record(&mut self, finished: Finished) -> Result<(), Error> {
        let Some(node) = self.graph.node(&finished.node_id).cloned() else {
            return Ok(());
        };
        let result = match finished.result {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Failed(failure)) => Err(failure),
            Err(Stop::Database(error)) => return Err(Error::Store(error)),
        };
        if let Err(error) = self.settle(&node, result, finished.duration_ms) {
            self.failure.get_or_insert(error);
        }
        Ok(())
    }

    /// Nothing runs any more: the run has ended, waits, or needs another request.
    async fn end(self) -> Result<(), Error> {
        if let Some(error) = self.failure {
            return self.journal.close(Err(error)).await;
        }
        let waits = self.journal.steps().filter(|step| step.result.is_none());
        let resume_at = waits.filter_map(|step| step.intent.resume_at).min();
        if let Some(resume_at) = resume_at {
            return self.journal.suspend(resume_at).await;
        }
        if self
            .graph
            .nodes()
            .iter()
            .any(|node| !self.decided.contains_key(&node.id))
        {
            return self.journal.hand_over().await;
        }
        let output = output::collect(&self.graph, &self.decided, &self.bindings);
        self.journal.close(output.map(JsonText)).await
    }
}

async fn pinned_version(
    state: &AppState,
    journal: &Journal,
) -> Result<Option<WorkflowVersion>, StoreError> {
    let execution = journal.execution();
    let (org_id, workflow_id) = (&execution.org_id, &execution.workflow_id);
    state
        .store
        .find_workflow_version(org_id, workflow_id, &execution.workflow_version)
        .await
}

fn parse(version: &WorkflowVersion) -> Result<Graph, String> {
    let items = |json: &JsonText| json.0.as_array().cloned().unwrap_or_default();
    Graph::parse(&items(&version.nodes), &items(&version.edges))
        .map_err(|invalid| start::describe(&invalid))
}

fn label(node: &Node) -> &str {
    node.label.as_deref().unwrap_or(&node.id)
}

fn error(code: &str, message: String, node_id: Option<&str>) -> ExecutionError {
    ExecutionError {
        code: code.to_owned(),
        message,
        node_id: node_id.map(str::to_owned),
    }
}
