//! Giving a node its turn: skip it, end it at once, let it wait, or carry out its side effect.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use serde_json::Value;
use shared::{
    graph::{Node, NodeData, NodeKind, handle},
    models::{ExecutionError, LogKind, LogLevel, Step, StepStatus, Timestamp},
};

use super::{
    Run,
    attempt::{Performing, perform, timeout_of},
    label,
    plan::{Place, Rounds},
    settle::step_result,
};
use crate::{
    fault_points::{Flaw, is_broken},
    journal::StepKey,
    node::{self, Call, Effect, Failure, Outcome, Prepared, usual_handle},
};

/// No side effect is started later than this in one request: its retries and a last attempt of
/// 300 s still fit into the request's 590 s.
const START_WINDOW_SECS: i64 = 120;

/// A side effect that is about to begin: a node's own, or one move of it.
pub(super) struct Beginning<'b> {
    pub(super) place: Place,
    pub(super) node: &'b Node,
    /// Of the node, or of the move.
    pub(super) iteration: &'b str,
    /// What the journal calls it.
    pub(super) kind: &'b str,
    /// What the log calls it.
    pub(super) title: &'b str,
}

/// What begins has so long at least: what a turn of an agent has come to is kept after the run's time.
const LEAST_TIME: Duration = Duration::from_secs(5);

/// What the journal says of a node that has its turn.
pub(super) enum Past {
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
    pub(super) fn run(&mut self, place: Place) -> Result<Option<Performing<'a>>, ExecutionError> {
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
            Past::Begun if node.policy.at_most_once && node.kind() != NodeKind::Agent => self
                .settle(place, &iteration, Err(Failure::of_the_only_attempt()), 0)
                .map(|()| None),
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
        let elapsed = self.elapsed(place, &iteration);
        self.settle(place, &iteration, Ok(outcome), elapsed)
    }

    /// How long ago the node began, in milliseconds.
    pub(super) fn elapsed(&self, place: Place, iteration: &str) -> i64 {
        let step = self.step_of(place, iteration);
        step.map_or(0, |step| {
            let now = self.journal.now().instant();
            let elapsed = now.duration_since(step.intent.at.instant());
            i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
        })
    }

    fn step_of(&self, place: Place, iteration: &str) -> Option<&Step> {
        let node_id = &self.graph.node_at(place.node).id;
        self.journal.step(StepKey { node_id, iteration })
    }

    pub(super) fn past(&self, node: &Node, iteration: &str) -> Past {
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
    ) -> Result<Option<Performing<'a>>, ExecutionError> {
        let graph = Arc::clone(&self.graph);
        let node = graph.node_at(place.node);
        if is_new {
            self.check_budget(node)?;
        }
        match self.prepare(place) {
            Ok(Prepared::Effect(effect)) => {
                return Ok(self.start_effect(&Beginning::of(place, node, iteration), effect));
            }
            Ok(Prepared::AskFirst { question, effect }) => {
                let effect = match self.is_granted(place, iteration) {
                    true => effect,
                    false => question,
                };
                return Ok(self.start_effect(&Beginning::of(place, node, iteration), effect));
            }
            Ok(Prepared::Turn(turn)) => {
                if is_new {
                    self.begin(node, iteration, turn.request_hash());
                    self.log_start(node, label(node), "started");
                }
                return self.go_on(place, iteration, &turn);
            }
            Ok(Prepared::Wait { duration }) => {
                self.begin(node, iteration, String::new());
                let resume_at = self.journal.now().plus(duration);
                let node_id = &node.id;
                self.journal
                    .wait(StepKey { node_id, iteration }, Some(resume_at));
                self.waits.push((place, Some(resume_at)));
                self.log_start(node, label(node), "started");
            }
            Ok(Prepared::Items(items)) => {
                if is_new {
                    self.begin(node, iteration, String::new());
                    self.log_start(node, label(node), "started");
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

    pub(super) fn start_effect(
        &mut self,
        beginning: &Beginning<'_>,
        effect: Box<dyn Effect>,
    ) -> Option<Performing<'a>> {
        let window_ends = self.claimed_at.plus_seconds(START_WINDOW_SECS);
        if self.journal.now() > window_ends || self.state.shutdown.has_begun() {
            self.is_cut_short = true;
            return None;
        }
        let Beginning { place, node, .. } = *beginning;
        self.record_intent(beginning, effect.as_ref());
        let call = Call {
            execution: Arc::new(self.journal.execution().clone()),
            node_id: node.id.clone(),
            iteration: beginning.iteration.to_owned(),
            idempotency_key: self.journal.idempotency_key(beginning.key()),
            at_most_once: node.policy.at_most_once,
            allowance: Arc::clone(&self.allowance),
        };
        let timeout = timeout_of(node).min(self.time_left().max(LEAST_TIME));
        let node = node.clone();
        Some(perform(self.state, place, node, effect, call, timeout).boxed())
    }

    /// What waits for an answer from outside has begun once and for all. What is to be granted first
    /// waits from the beginning, and begins again when it is: as long as it waits, it has not acted.
    fn record_intent(&mut self, beginning: &Beginning<'_>, effect: &dyn Effect) {
        let is_granted = self.granted.remove(&beginning.place);
        let key = beginning.key();
        let step = self.journal.step(key);
        if step.is_some_and(|step| step.status == StepStatus::Waiting) && !is_granted {
            return;
        }
        let request_hash = effect.request_hash();
        self.compare(beginning, &request_hash);
        self.record_beginning(beginning, request_hash);
        let what = match effect.asks_for_leave() {
            true => "asks whether it may begin",
            false => "started",
        };
        if effect.asks_for_leave() {
            self.journal.wait(key, None);
        }
        self.log_start(beginning.node, beginning.title, what);
    }

    pub(super) fn record_beginning(&mut self, beginning: &Beginning<'_>, request_hash: String) {
        self.journal
            .begin(beginning.key(), beginning.kind, request_hash);
    }

    /// Whether people have granted what a node is about to do: it has begun, or is about to.
    pub(super) fn is_granted(&self, place: Place, iteration: &str) -> bool {
        let step = self.step_of(place, iteration);
        let has_begun = step.is_some_and(|step| step.status == StepStatus::Running);
        has_begun || self.granted.contains(&place)
    }

    /// Tells people when what is asked again under the same key is not what was asked first: an
    /// agent may have been changed meanwhile.
    fn compare(&mut self, beginning: &Beginning<'_>, request_hash: &str) {
        let step = self.journal.step(beginning.key());
        let earlier = step.map(|step| &step.intent.request_hash);
        if earlier.is_some_and(|earlier| earlier != request_hash) {
            let message = format!("{} begins again, with another input", beginning.title);
            let (level, kind) = (LogLevel::Warn, LogKind::NodeStarted);
            let node_id = Some(&*beginning.node.id);
            self.journal.log(node_id, level, kind, message);
        }
    }

    fn begin(&mut self, node: &Node, iteration: &str, request_hash: String) {
        let node_id = &node.id;
        let key = StepKey { node_id, iteration };
        self.journal.begin(key, node.kind().as_str(), request_hash);
    }

    fn log_start(&mut self, node: &Node, title: &str, what: &str) {
        let (level, kind) = (LogLevel::Info, LogKind::NodeStarted);
        let message = format!("{title} {what}");
        self.journal.log(Some(&node.id), level, kind, message);
    }
}

impl<'b> Beginning<'b> {
    fn of(place: Place, node: &'b Node, iteration: &'b str) -> Self {
        Self {
            place,
            node,
            iteration,
            kind: node.kind().as_str(),
            title: label(node),
        }
    }

    fn key(&self) -> StepKey<'b> {
        StepKey {
            node_id: &self.node.id,
            iteration: self.iteration,
        }
    }
}

/// Where a node that is given goes on, unless that is given as well.
fn mocked_handle(kind: NodeKind, output: &Value) -> &'static str {
    match kind {
        NodeKind::Approval => handle::APPROVED,
        NodeKind::Condition if *output == Value::Bool(true) => handle::TRUE,
        kind => usual_handle(kind),
    }
}
