//! Letting an agent take its turn, one move after the other: each is a step of the journal beside
//! the node's own.

use std::sync::Arc;

use shared::{
    actions::{self, Effect},
    graph::Node,
    models::{ExecutionError, LogKind, LogLevel, Step, StepResult, StepStatus},
};

use super::{
    Run,
    attempt::Performing,
    begin::{Beginning, Past},
    error,
    plan::Place,
    settle::{status_of, step_result, within_limits},
};
use crate::{
    journal::StepKey,
    node::{Failure, Move, Next, Outcome, Prepared, Repeat, Turn},
};

/// The kind of the last move.
const CLOSING: &str = "agent.closing";

/// How the kinds of those moves begin that are no tools.
const OWN: &str = "agent.";

impl<'a> Run<'a> {
    /// Goes on with an agent's turn up to its next side effect, or to its end.
    pub(super) fn go_on(
        &mut self,
        place: Place,
        iteration: &str,
        turn: &Turn,
    ) -> Result<Option<Performing<'a>>, ExecutionError> {
        let graph = Arc::clone(&self.graph);
        let node = graph.node_at(place.node);
        while !self.journal.is_full() {
            let ended = self.ended_moves(node, iteration);
            let number = ended.len();
            let next = match turn.next(&ended) {
                Next::End(result) => {
                    let elapsed = self.elapsed(place, iteration);
                    self.settle(place, iteration, result, elapsed)?;
                    return Ok(None);
                }
                Next::Move(next) => next,
            };
            let iteration = Step::move_of(iteration, number);
            let node = &node_of(node, &next);
            let past = self.past(node, &iteration);
            // What was done is kept, whatever the run has used.
            let is_over = match past {
                Past::None if next.kind != CLOSING => self.check_budget(node).err(),
                _ => None,
            };
            let beginning = Beginning {
                place,
                node,
                iteration: &iteration,
                kind: next.kind,
                title: &next.title,
            };
            let failure = match next.prepared {
                _ if let Some(error) = &is_over => error.into(),
                _ if matches!(past, Past::Begun) && node.policy.at_most_once => {
                    Failure::of_the_only_attempt()
                }
                Ok(Prepared::Effect(effect)) => return Ok(self.start_effect(&beginning, effect)),
                Ok(Prepared::AskFirst { question, effect }) => {
                    let effect = match self.is_granted(place, &iteration) {
                        true => effect,
                        false => question,
                    };
                    return Ok(self.start_effect(&beginning, effect));
                }
                Ok(_) => Failure::permanent("internal", "the move is none"),
                Err(failure) => failure,
            };
            if matches!(past, Past::None) {
                self.record_beginning(&beginning, String::new());
            }
            self.end_move(node, &iteration, Err(failure), 0);
        }
        self.plan.put_back([place]);
        Ok(None)
    }

    /// Records what a move has come to; the node's turn goes on from there.
    pub(super) fn record_move(
        &mut self,
        place: Place,
        iteration: &str,
        result: Result<Outcome, Failure>,
        duration_ms: i64,
    ) {
        let graph = Arc::clone(&self.graph);
        let node = graph.node_at(place.node);
        self.end_move(node, iteration, result, duration_ms);
        self.plan.put_back([place]);
    }

    fn ended_moves(&self, node: &Node, iteration: &str) -> Vec<&StepResult> {
        let results = (0..).map_while(|number| {
            let key = StepKey {
                node_id: &node.id,
                iteration: &Step::move_of(iteration, number),
            };
            self.journal.step(key)?.result.as_ref()
        });
        results.collect()
    }

    fn end_move(
        &mut self,
        node: &Node,
        iteration: &str,
        result: Result<Outcome, Failure>,
        duration_ms: i64,
    ) {
        let node_id = &node.id;
        let key = StepKey { node_id, iteration };
        let (outcome, failure) = match result.and_then(within_limits) {
            Ok(outcome) => (outcome, None),
            Err(failure) => (Outcome::of_failed(&failure), Some(failure)),
        };
        for thought in &outcome.thoughts {
            let (level, kind) = (LogLevel::Info, LogKind::Thought);
            self.journal
                .log(Some(node_id), level, kind, thought.clone());
        }
        let what = self.journal.step(key).map(|step| step.kind.clone());
        let what = what.unwrap_or_default();
        let is_once = actions::find(&what).is_some_and(|it| it.effect == Effect::Once);
        let status = match &failure {
            None => StepStatus::Succeeded,
            Some(failure) if is_once && failure.may_have_happened => StepStatus::Unknown,
            Some(failure) => status_of(node, failure),
        };
        let error = failure.map(|failure| {
            let message = format!("{what} failed: {}", failure.message);
            let (level, kind) = (LogLevel::Warn, LogKind::NodeFinished);
            self.journal.log(Some(node_id), level, kind, message);
            match what.starts_with(OWN) {
                true => error(&failure.code, failure.message, Some(node_id)),
                false => of_tool(failure, node_id),
            }
        });
        let result = step_result(outcome, duration_ms, self.journal.now(), error);
        self.journal.finish(key, status, result);
    }
}

/// The node, with the policy of one move.
fn node_of(node: &Node, next: &Move) -> Node {
    let mut node = node.clone();
    match next.repeat {
        Repeat::Harmless => node.policy.at_most_once = false,
        Repeat::AsTheNode => {}
        Repeat::Never => {
            node.policy.at_most_once = true;
            node.policy.retry = None;
        }
    }
    node
}

/// What a failed tool tells. A model that hears of a failure tries again, as another move with another
/// key: it has to know when that may do the same thing twice.
fn of_tool(failure: Failure, node_id: &str) -> ExecutionError {
    if !failure.may_have_happened {
        return error(&failure.code, failure.message, Some(node_id));
    }
    let message = format!(
        "{}; it may have been done all the same, so look before you try again",
        failure.message
    );
    error("unknown", message, Some(node_id))
}
