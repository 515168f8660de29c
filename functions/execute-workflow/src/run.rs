//! Driving an execution through its graph: everything that is ready runs, side by side.

mod attempt;
mod begin;
mod budget;
mod moves;
mod output;
mod plan;
mod rerun;
mod settle;

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures::stream::{FuturesUnordered, StreamExt};
use shared::{
    graph::{Graph, Node},
    ids::{ExecutionId, OrgId},
    inputs::Bindings,
    models::{Execution, ExecutionError, Mock, Step, Timestamp},
    retry::{Policy, retry},
};

use tokio::time::Instant;
use tracing::Instrument;

use self::{
    attempt::{Finished, Performing},
    plan::{Place, Plan, Turn},
};
use crate::{
    AppState,
    allowance::Allowance,
    fault_points::{Flaw, KillPoint, is_broken, reach},
    journal::{self, Claim, End, Error, Journal, StepKey},
    node::Stop,
    publish, trace, version,
};

/// Tries of a claim that others get in the way of, by claiming runs of the same workflow.
const MAX_CLAIMS: usize = 8;

/// What is under way has so long to end when this instance is stopped: Cloud Run leaves 10 s
/// (<https://cloud.google.com/run/docs/container-contract#instance-shutdown>).
const GRACE: Duration = Duration::from_secs(5);

/// What became of an attempt to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advance {
    /// It went on, or there is nothing to do now.
    Done,
    /// Another worker is at it.
    Busy,
}

/// Goes on with an execution as far as it can get in one request. Does nothing when it has ended,
/// waits for something that has not happened, or is held by another worker.
///
/// # Errors
/// Returns [`Error::Store`] when the database fails; the execution is then still due.
pub(crate) async fn advance(
    state: &AppState,
    org_id: &OrgId,
    id: &ExecutionId,
    woke: bool,
) -> Result<Advance, Error> {
    for _ in 0..MAX_CLAIMS {
        match Journal::claim(state, org_id, id, woke).await {
            Ok(Claim::Held(journal)) => {
                drive(state, *journal, None).await?;
                return Ok(Advance::Done);
            }
            Ok(Claim::Busy) => return Ok(Advance::Busy),
            Ok(Claim::NotOurs) => return Ok(Advance::Done),
            Err(Error::Superseded) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Advance::Busy)
}

/// Goes on with an execution that this worker holds, and hands in what follows from it.
///
/// # Errors
/// Returns [`Error::Store`] when the database fails; the execution is then still due.
pub(crate) async fn drive(
    state: &AppState,
    journal: Journal,
    graph: Option<Arc<Graph>>,
) -> Result<(), Error> {
    let span = trace::of_run(journal.execution());
    drive_held(state, journal, graph).instrument(span).await
}

async fn drive_held(
    state: &AppState,
    journal: Journal,
    graph: Option<Arc<Graph>>,
) -> Result<(), Error> {
    let held = journal.execution().clone();
    let id = &held.id;
    let result = let_run(state, journal, graph).await;
    trace::end_run(&result);
    match result {
        Ok(execution) => {
            publish::follow_up(state, &execution).await;
            Ok(())
        }
        Err(Error::Superseded) => {
            tracing::info!(execution.id = %id, "execution left to whoever holds it now");
            Ok(())
        }
        Err(error) => {
            // This worker has not crashed: the run must not count that.
            journal::give_back(state, &held).await;
            Err(error)
        }
    }
}

async fn let_run(
    state: &AppState,
    journal: Journal,
    graph: Option<Arc<Graph>>,
) -> Result<Execution, Error> {
    if journal.is_quarantined() {
        let message = "the run ended its worker too often";
        let error = error("quarantined", message.to_owned(), None);
        return journal.let_go(End::Closed(Err(error))).await;
    }
    if is_orphan(state, journal.execution()).await? {
        return journal.let_go(End::Abandoned).await;
    }
    let graph = match graph {
        Some(graph) => Ok(graph),
        None => version::load_graph(state, journal.execution()).await?,
    };
    match graph {
        Ok(graph) => Box::pin(Run::new(state, journal, graph).drive()).await,
        Err(error) => journal.let_go(End::Closed(Err(error))).await,
    }
}

/// Whether the run that this one is a part of has ended without it.
async fn is_orphan(state: &AppState, execution: &Execution) -> Result<bool, Error> {
    let Some(parent) = &execution.parent else {
        return Ok(false);
    };
    let (org_id, parent_id) = (&execution.org_id, &parent.execution_id);
    let find = || state.store.find_execution(org_id, parent_id);
    let parent = retry(Policy::REMOTE_CALL, find).await?;
    Ok(parent.is_none_or(|parent| parent.value.status.is_terminal()))
}

/// One worker's run of an execution.
struct Run<'a> {
    state: &'a AppState,
    journal: Journal,
    graph: Arc<Graph>,
    plan: Plan,
    /// By node id, what is not run but given.
    mocks: BTreeMap<String, Mock>,
    claimed_at: Timestamp,
    /// What the model calls under way may use together.
    allowance: Arc<Allowance>,
    /// Why the run fails, once a node has failed it.
    failure: Option<ExecutionError>,
    /// Where this worker has found that something is waited for, and until when at the latest.
    waits: Vec<(Place, Option<Timestamp>)>,
    /// Which nodes people have let act that have not begun to.
    granted: HashSet<Place>,
    /// Whether nodes are left to another request.
    is_cut_short: bool,
    /// Whether the journal may hold more results than the plan knows.
    is_replaying: bool,
    /// Nodes that begin after the replay.
    unrecorded: Vec<Place>,
    /// When what is under way is given up, once this instance is being stopped.
    stops_at: Option<Instant>,
}

impl<'a> Run<'a> {
    fn new(state: &'a AppState, journal: Journal, graph: Arc<Graph>) -> Self {
        let execution = journal.execution();
        let bindings = Bindings::new(execution.input.0.clone())
            .with_execution(execution.id.as_str(), &execution.started_at.to_string())
            .with_workflow(execution.workflow_id.as_str(), &execution.workflow_name);
        let mocks = execution.options.mocks.as_ref();
        let mocks = mocks.and_then(|mocks| serde_json::from_value(mocks.0.clone()).ok());
        Self {
            state,
            plan: Plan::new(Arc::clone(&graph), bindings),
            graph,
            mocks: mocks.unwrap_or_default(),
            claimed_at: journal.now(),
            allowance: Arc::new(Allowance::of(&execution.budget)),
            failure: None,
            waits: Vec::new(),
            granted: HashSet::new(),
            is_cut_short: false,
            is_replaying: true,
            unrecorded: Vec::new(),
            stops_at: None,
            journal,
        }
    }

    async fn drive(mut self) -> Result<Execution, Error> {
        if let Err(error) = self.adopt_earlier_run().await? {
            return self.journal.let_go(End::Closed(Err(error))).await;
        }
        let mut running = FuturesUnordered::new();
        loop {
            running.extend(self.start_ready());
            let is_partial = self.journal.is_full() && self.failure.is_none();
            // Intents are durable before any effect: the futures above have not been polled yet.
            if !is_broken(Flaw::NoIntent) {
                self.journal.flush().await?;
            }
            if is_partial {
                continue;
            }
            if !running.is_empty() {
                reach(KillPoint::AfterIntent);
            }
            // After a failure nothing begins any more, but what has begun comes to its end.
            match self.next_finished(&mut running).await? {
                Some(finished) => self.record(finished)?,
                None => return self.end().await,
            }
        }
    }

    /// Gives every node its turn that can have it, and returns the side effects to await. Nodes
    /// without a side effect end at once, unless the journal is full and has to be committed
    /// first, or the run fails.
    fn start_ready(&mut self) -> Vec<Performing<'a>> {
        let mut effects = Vec::new();
        loop {
            while !self.journal.is_full() && self.failure.is_none() {
                let Some(turn) = self.plan.next_turn() else {
                    break;
                };
                let result = match turn {
                    Turn::Run(place) => self.run(place).map(|effect| effects.extend(effect)),
                    Turn::Skip(place) => {
                        self.skip(place);
                        Ok(())
                    }
                    Turn::Close(place) => self.close_loop(place),
                };
                if let Err(error) = result {
                    self.failure.get_or_insert(error);
                }
            }
            if !self.is_replaying || self.journal.is_full() || self.failure.is_some() {
                return effects;
            }
            self.is_replaying = false;
            let unrecorded = std::mem::take(&mut self.unrecorded);
            self.plan.put_back(unrecorded);
        }
    }

    /// Waits for the next side effect to end, and keeps the lease meanwhile. When this instance is
    /// stopped, nothing more begins, and what takes too long is left to another.
    async fn next_finished<F: Future<Output = Finished>>(
        &mut self,
        running: &mut FuturesUnordered<F>,
    ) -> Result<Option<Finished>, Error> {
        let shutdown = &self.state.shutdown;
        let renew_every = Duration::from_secs(self.state.settings.lease_secs.unsigned_abs()) / 3;
        loop {
            let is_stopping = shutdown.has_begun();
            let patience = match self.grace_left() {
                Some(left) => left,
                None => renew_every,
            };
            let next = async {
                tokio::select! {
                    biased;
                    finished = running.next() => Some(finished),
                    () = shutdown.begun(), if !is_stopping => None,
                }
            };
            match tokio::time::timeout(patience, next).await {
                Ok(Some(finished)) => return Ok(finished),
                Ok(None) => {}
                Err(_) if is_stopping => {
                    running.clear();
                    self.is_cut_short = true;
                }
                Err(_) => {
                    reach(KillPoint::InRenewal);
                    self.journal.renew().await?;
                }
            }
        }
    }

    /// How long this instance still has, once it is being stopped.
    fn grace_left(&mut self) -> Option<Duration> {
        if !self.state.shutdown.has_begun() {
            return None;
        }
        let now = Instant::now();
        let end = *self.stops_at.get_or_insert(now + GRACE);
        Some(end.saturating_duration_since(now))
    }

    /// Records what a side effect came to, unless our own database failed in it.
    fn record(&mut self, finished: Finished) -> Result<(), Error> {
        reach(KillPoint::AfterResponse);
        let (place, duration_ms) = (finished.place, finished.duration_ms);
        let key = StepKey {
            node_id: &self.graph.node_at(place.node).id,
            iteration: &finished.iteration,
        };
        let result = match finished.result {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Failed(failure)) => Err(failure),
            Err(Stop::Database(error)) => return Err(error.into()),
            Err(Stop::Pending(until)) => {
                self.journal.wait(key, until);
                self.waits.push((place, until));
                return Ok(());
            }
            Err(Stop::Granted) => {
                self.granted.insert(place);
                self.plan.put_back([place]);
                return Ok(());
            }
        };
        let iteration = finished.iteration;
        if Step::is_move_name(&iteration) {
            self.record_move(place, &iteration, result, duration_ms);
        } else if let Err(error) = self.settle(place, &iteration, result, duration_ms) {
            self.failure.get_or_insert(error);
        }
        let budget = &self.journal.execution().budget;
        self.allowance.book(&finished.idempotency_key, budget);
        Ok(())
    }

    /// Nothing runs any more: the run has ended, waits, or needs another request.
    async fn end(self) -> Result<Execution, Error> {
        if let Some(error) = self.failure {
            return self.journal.let_go(End::Closed(Err(error))).await;
        }
        if self.is_cut_short {
            return self.journal.let_go(End::HandedOver).await;
        }
        if self.plan.is_done() {
            let output = output::collect(&self.graph, &self.plan);
            return self.journal.let_go(End::Closed(output)).await;
        }
        // Nobody waits any more for what an item waited for that has failed since.
        let waits = self.waits.iter();
        let waits = waits.filter(|(place, _)| self.plan.is_open(place.frame));
        let resume_at = waits.filter_map(|(_, until)| *until).min();
        self.journal.let_go(End::Suspended(resume_at)).await
    }
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
