//! Giving a node its turn: skip it, end it at once, let it wait, or carry out its side effect.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use shared::{
    graph::{Node, NodeData, NodeKind, handle},
    models::{ExecutionError, LogKind, LogLevel, Step, StepStatus, Timestamp},
    retry::{self, retry},
};

use super::{
    Run, label,
    plan::{Place, Rounds},
    settle::step_result,
};
use crate::{
    AppState,
    fault_points::{Flaw, is_broken},
    journal::StepKey,
    node::{self, Call, Effect, Failure, Outcome, Prepared, Stop, usual_handle},
};

/// No side effect is started later than this in one request: its retries and a last attempt of
/// 300 s still fit into the request's 590 s.
const START_WINDOW_SECS: i64 = 120;
/// Time for one attempt of an HTTP node that sets none.
const HTTP_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for one attempt of any other node that sets none.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// No attempt of a node begins later than this after its first.
const RETRY_BUDGET: Duration = Duration::from_secs(150);

/// A side effect that has come to an end.
pub(super) struct Finished {
    pub(super) place: Place,
    pub(super) iteration: String,
    pub(super) idempotency_key: String,
    pub(super) result: Result<Outcome, Stop>,
    pub(super) duration_ms: i64,
}

/// What the journal says of a node that has its turn.
enum Past {
    /// It has not begun.
    None,
    /// It has ended.
    Ended(Box<Step>),
    /// An earlier worker began it and did not end it.
    Begun,
    /// It waits, and its time has come or may have.
    Waiting,
    /// It waits until then.
    NotDue(Timestamp),
}

impl<'a> Run<'a> {
    /// Runs a node, or takes over what it has come to before.
    pub(super) fn run(
        &mut self,
        place: Place,
    ) -> Result<Option<impl Future<Output = Finished> + use<'a>>, ExecutionError> {
        let graph = Arc::clone(&self.graph);
        let node = graph.node_at(place.node);
        let iteration = self.plan.iteration(place.frame).to_owned();
        match self.past(node, &iteration) {
            Past::Ended(step) => self.replay(place, *step).map(|()| None),
            Past::NotDue(until) => {
                self.waits.push((place, Some(until)));
                Ok(None)
            }
            _ if self.is_replaying && node.kind() != NodeKind::Loop => {
                self.unrecorded.push(place);
                Ok(None)
            }
            Past::Begun if node.policy.at_most_once => {
                let message =
                    "an earlier attempt may have had its effect, and must be the only one";
                let failure = Failure::permanent("unknown", message).perhaps_done();
                self.settle(place, &iteration, Err(failure), 0)
                    .map(|()| None)
            }
            Past::Waiting if node.kind() == NodeKind::Wait => {
                let outcome = Ok(Outcome::default());
                self.settle(place, &iteration, outcome, 0).map(|()| None)
            }
            past => self.start(place, &iteration, matches!(past, Past::None)),
        }
    }

    /// Records that no edge led to the node, unless that is on record.
    pub(super) fn skip(&mut self, place: Place) {
        let graph = Arc::clone(&self.graph);
        let node = graph.node_at(place.node);
        let iteration = self.plan.iteration(place.frame).to_owned();
        let key = StepKey {
            node_id: &node.id,
            iteration: &iteration,
        };
        if self.journal.step(key).is_none() {
            let result = step_result(Outcome::default(), 0, self.journal.now(), None);
            self.journal.skip(key, node.kind().as_str(), result);
            let (level, kind) = (LogLevel::Info, LogKind::NodeSkipped);
            let message = format!("{} skipped", label(node));
            self.journal.log(Some(&node.id), level, kind, message);
        }
        self.plan.skip(place);
    }

    /// Ends a loop, all items of which are done.
    pub(super) fn close_loop(&mut self, place: Place) -> Result<(), ExecutionError> {
        let iteration = self.plan.iteration(place.frame).to_owned();
        let results = self.plan.end_loop(place);
        let outcome = Outcome::at(handle::DONE, results.into());
        let started_at = self.step_of(place, &iteration).map(|step| step.intent.at);
        let elapsed = started_at.map_or(0, |started_at| {
            let elapsed = self
                .journal
                .now()
                .instant()
                .duration_since(started_at.instant());
            i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
        });
        self.settle(place, &iteration, Ok(outcome), elapsed)
    }

    fn step_of(&self, place: Place, iteration: &str) -> Option<&Step> {
        let node_id = &self.graph.node_at(place.node).id;
        self.journal.step(StepKey { node_id, iteration })
    }

    fn past(&self, node: &Node, iteration: &str) -> Past {
        let key = StepKey {
            node_id: &node.id,
            iteration,
        };
        match self.journal.step(key) {
            None => Past::None,
            Some(step) if step.result.is_some() && !is_broken(Flaw::LastResultWins) => {
                Past::Ended(Box::new(step.clone()))
            }
            Some(step) if step.status == StepStatus::Waiting => {
                let resume_at = step.intent.resume_at;
                match resume_at.filter(|due| *due > self.journal.now()) {
                    Some(until) if node.kind() == NodeKind::Wait => Past::NotDue(until),
                    _ => Past::Waiting,
                }
            }
            Some(_) => Past::Begun,
        }
    }

    fn start(
        &mut self,
        place: Place,
        iteration: &str,
        is_new: bool,
    ) -> Result<Option<impl Future<Output = Finished> + use<'a>>, ExecutionError> {
        let graph = Arc::clone(&self.graph);
        let node = graph.node_at(place.node);
        if is_new {
            self.check_budget(node)?;
        }
        match self.prepare(place) {
            Ok(Prepared::Effect(effect)) => {
                return Ok(self.start_effect(place, iteration, effect));
            }
            Ok(Prepared::Wait { duration }) => {
                self.begin(node, iteration, String::new());
                let resume_at = self.journal.now().plus(duration);
                let node_id = &node.id;
                self.journal
                    .wait(StepKey { node_id, iteration }, Some(resume_at));
                self.waits.push((place, Some(resume_at)));
                self.log_start(node);
            }
            Ok(Prepared::Items(items)) => {
                if is_new {
                    self.begin(node, iteration, String::new());
                    self.log_start(node);
                }
                if let NodeData::Loop(data) = &node.data {
                    self.plan.begin_loop(place, Rounds::new(data, items));
                }
            }
            Ok(Prepared::Done(outcome)) => {
                self.begin(node, iteration, String::new());
                self.settle(place, iteration, Ok(outcome), 0)?;
            }
            Err(failure) => {
                self.begin(node, iteration, String::new());
                self.settle(place, iteration, Err(failure), 0)?;
            }
        }
        Ok(None)
    }

    fn prepare(&self, place: Place) -> Result<Prepared, Failure> {
        let node = self.graph.node_at(place.node);
        if let Some(mock) = self.mocks.get(&node.id) {
            let output = mock.output.clone();
            return Ok(Prepared::Done(match &mock.handle {
                Some(handle) => Outcome::at(handle.clone(), output),
                None => Outcome::at(mocked_handle(node.kind(), &output), output),
            }));
        }
        match self.plan.bindings(place.frame) {
            Some(bindings) => {
                let before = self.plan.taken_inputs(place);
                node::prepare(node, &before, bindings)
            }
            None => Ok(Prepared::Done(Outcome::default())),
        }
    }

    fn start_effect(
        &mut self,
        place: Place,
        iteration: &str,
        effect: Box<dyn Effect>,
    ) -> Option<impl Future<Output = Finished> + use<'a>> {
        let window_ends = self.claimed_at.plus_seconds(START_WINDOW_SECS);
        if self.journal.now() > window_ends || self.state.shutdown.has_begun() {
            self.is_cut_short = true;
            return None;
        }
        let graph = Arc::clone(&self.graph);
        let node = graph.node_at(place.node);
        let key = StepKey {
            node_id: &node.id,
            iteration,
        };
        // What waits for an answer from outside has begun once and for all.
        let is_waiting = self
            .journal
            .step(key)
            .is_some_and(|step| step.status == StepStatus::Waiting);
        if !is_waiting {
            let request_hash = effect.request_hash();
            self.compare(node, key, &request_hash);
            self.begin(node, iteration, request_hash);
            self.log_start(node);
        }
        let call = Call {
            execution: Arc::new(self.journal.execution().clone()),
            node_id: node.id.clone(),
            iteration: iteration.to_owned(),
            idempotency_key: self.journal.idempotency_key(key),
            allowance: Arc::clone(&self.allowance),
        };
        let timeout = timeout_of(node).min(self.time_left());
        Some(perform(
            self.state,
            place,
            node.clone(),
            effect,
            call,
            timeout,
        ))
    }

    /// Tells people when what is asked again under the same key is not what was asked first: an
    /// agent may have been changed meanwhile.
    fn compare(&mut self, node: &Node, key: StepKey<'_>, request_hash: &str) {
        let earlier = self.journal.step(key).map(|step| &step.intent.request_hash);
        if earlier.is_some_and(|earlier| earlier != request_hash) {
            let message = format!("{} begins again, with another input", label(node));
            let (level, kind) = (LogLevel::Warn, LogKind::NodeStarted);
            self.journal.log(Some(&node.id), level, kind, message);
        }
    }

    fn begin(&mut self, node: &Node, iteration: &str, request_hash: String) {
        let node_id = &node.id;
        let key = StepKey { node_id, iteration };
        self.journal.begin(key, node.kind().as_str(), request_hash);
    }

    fn log_start(&mut self, node: &Node) {
        let (level, kind) = (LogLevel::Info, LogKind::NodeStarted);
        let message = format!("{} started", label(node));
        self.journal.log(Some(&node.id), level, kind, message);
    }
}

/// Carries out a side effect by the node's policy for retries and time.
async fn perform(
    state: &AppState,
    place: Place,
    node: Node,
    effect: Box<dyn Effect>,
    call: Call,
    timeout: Duration,
) -> Finished {
    let started_at = state.clock.now();
    let result = retry(retry_policy(&node), async || {
        let attempt = attempt(&node, effect.as_ref(), state, &call);
        let result = match tokio::time::timeout(timeout, attempt).await {
            Ok(result) => result,
            Err(_) => {
                let message = "the node took too long";
                let failure = Failure::transient("deadline_exceeded", message);
                Err(failure.perhaps_done().into())
            }
        };
        result.map_err(insist_if_broken)
    })
    .await;
    let elapsed = state.clock.now().duration_since(started_at).as_millis();
    Finished {
        place,
        iteration: call.iteration,
        idempotency_key: call.idempotency_key,
        result,
        duration_ms: i64::try_from(elapsed).unwrap_or(i64::MAX),
    }
}

/// One attempt. Our own database's failures are not the node's: they are tried again at once, if
/// the effect may be repeated.
async fn attempt(
    node: &Node,
    effect: &dyn Effect,
    state: &AppState,
    call: &Call,
) -> Result<Outcome, Stop> {
    let policy = match node.policy.at_most_once {
        true => retry::Policy::NEVER,
        false => retry::Policy::REMOTE_CALL,
    };
    let result = retry(policy, async || match effect.perform(state, call).await {
        Err(Stop::Database(error)) => Err(error),
        result => Ok(result),
    });
    result.await.unwrap_or_else(|error| Err(error.into()))
}

/// Where a node that is given goes on, unless that is given as well.
fn mocked_handle(kind: NodeKind, output: &Value) -> &'static str {
    match kind {
        NodeKind::Approval => handle::APPROVED,
        NodeKind::Condition if *output == Value::Bool(true) => handle::TRUE,
        kind => usual_handle(kind),
    }
}

/// A flaw of the fault tests: what is refused for good is tried again.
fn insist_if_broken(stop: Stop) -> Stop {
    match stop {
        Stop::Failed(failure) if is_broken(Flaw::RetryOn400) => {
            Failure::transient(failure.code, failure.message).into()
        }
        stop => stop,
    }
}

fn timeout_of(node: &Node) -> Duration {
    match (node.policy.timeout_secs, node.kind()) {
        (Some(seconds), _) => Duration::from_secs(seconds.into()),
        (None, NodeKind::Http) => HTTP_TIMEOUT,
        (None, _) => DEFAULT_TIMEOUT,
    }
}

/// The node's policy; without one, a single attempt.
fn retry_policy(node: &Node) -> retry::Policy {
    let Some(policy) = node.policy.retry else {
        return match is_broken(Flaw::RetryOn400) {
            true => retry::Policy::REMOTE_CALL,
            false => retry::Policy::NEVER,
        };
    };
    let (first, longest) = (policy.first_delay_ms, policy.max_delay_ms);
    let (first, longest) = (Duration::from_millis(first), Duration::from_millis(longest));
    retry::Policy::new(policy.attempts, first, longest, RETRY_BUDGET)
        .unwrap_or(retry::Policy::NEVER)
}
