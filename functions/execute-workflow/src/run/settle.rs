//! Ending a node: its policy for failures, the journal, what later nodes see.

use std::sync::Arc;

use serde_json::json;
use shared::{
    graph::{Node, OnError, handle},
    inputs::{Extent, MAX_DEPTH, MAX_RESULT_BYTES},
    models::{
        ExecutionError, JsonText, LogKind, LogLevel, Step, StepResult, StepStatus, Timestamp,
    },
};

use super::{
    Run, error, label,
    plan::{Bearer, Place},
};
use crate::{
    journal::StepKey,
    node::{Failure, Outcome, usual_handle},
};

impl Run<'_> {
    /// Records what a node came to, by its policy for failures.
    pub(super) fn settle(
        &mut self,
        place: Place,
        iteration: &str,
        result: Result<Outcome, Failure>,
        duration_ms: i64,
    ) -> Result<(), ExecutionError> {
        let graph = Arc::clone(&self.graph);
        let node = graph.node_at(place.node);
        let (outcome, failure, status) = match result.and_then(within_limits) {
            Ok(outcome) => (outcome, None, StepStatus::Succeeded),
            Err(failure) => {
                let status = status_of(node, &failure);
                let error = error(&failure.code, failure.message, Some(&node.id));
                let outcome = Outcome {
                    tokens: failure.tokens,
                    cost_micro_usd: failure.cost_micro_usd,
                    ..after_failure(node, &error)
                };
                (outcome, Some(error), status)
            }
        };
        self.log_end(node, &outcome, failure.as_ref(), duration_ms);
        let (handle, output) = (outcome.handle.clone(), outcome.output.clone());
        let result = step_result(outcome, duration_ms, self.journal.now(), failure.clone());
        let node_id = &node.id;
        self.journal
            .finish(StepKey { node_id, iteration }, status, result);
        self.conclude(place, node, &handle, output, failure)
    }

    /// Takes over what the journal holds: a recorded result is never made again.
    pub(super) fn replay(&mut self, place: Place, step: Step) -> Result<(), ExecutionError> {
        let graph = Arc::clone(&self.graph);
        let node = graph.node_at(place.node);
        match (step.status, step.result) {
            (StepStatus::Skipped, _) | (_, None) => {
                self.plan.skip(place);
                Ok(())
            }
            (_, Some(result)) => {
                self.conclude(place, node, &result.handle, result.output.0, result.error)
            }
        }
    }

    /// What follows from a node's end.
    fn conclude(
        &mut self,
        place: Place,
        node: &Node,
        handle: &str,
        output: serde_json::Value,
        failure: Option<ExecutionError>,
    ) -> Result<(), ExecutionError> {
        match failure {
            Some(error) if node.policy.on_error == OnError::Fail => self.bear(place, error),
            _ => {
                self.plan.take(place, handle, output);
                Ok(())
            }
        }
    }

    /// A node has failed what is around it: an item, a loop, or the run.
    fn bear(&mut self, place: Place, error: ExecutionError) -> Result<(), ExecutionError> {
        // It came too late: the item has ended without it.
        if !self.plan.is_open(place.frame) {
            return Ok(());
        }
        match self.plan.fail(place.frame, &error) {
            Bearer::Run => Err(error),
            Bearer::Item => Ok(()),
            Bearer::Loop(around) => {
                let iteration = self.plan.iteration(around.frame).to_owned();
                let message = format!("an item failed: {}", error.message);
                let failure = Failure::permanent("failed_precondition", message);
                self.settle(around, &iteration, Err(failure), 0)
            }
        }
    }

    fn log_end(
        &mut self,
        node: &Node,
        outcome: &Outcome,
        failure: Option<&ExecutionError>,
        duration_ms: i64,
    ) {
        let node_id = Some(node.id.as_str());
        for thought in &outcome.thoughts {
            let (level, kind) = (LogLevel::Info, LogKind::Thought);
            self.journal.log(node_id, level, kind, thought.clone());
        }
        let (level, message) = match failure {
            None => (
                LogLevel::Info,
                format!("{} finished in {duration_ms} ms", label(node)),
            ),
            Some(error) => (
                LogLevel::Error,
                format!("{} failed: {}", label(node), error.message),
            ),
        };
        self.journal
            .log(node_id, level, LogKind::NodeFinished, message);
    }
}

/// What must not happen twice and may have happened has no known end.
pub(super) fn status_of(node: &Node, failure: &Failure) -> StepStatus {
    if node.policy.at_most_once && failure.may_have_happened {
        StepStatus::Unknown
    } else {
        StepStatus::Failed
    }
}

pub(super) fn step_result(
    outcome: Outcome,
    duration_ms: i64,
    at: Timestamp,
    error: Option<ExecutionError>,
) -> StepResult {
    StepResult {
        output: JsonText(outcome.output),
        handle: outcome.handle.into_owned(),
        error,
        tokens: outcome.tokens,
        cost_micro_usd: outcome.cost_micro_usd,
        duration_ms,
        at,
    }
}

/// An output that the journal cannot hold fails the node.
pub(super) fn within_limits(outcome: Outcome) -> Result<Outcome, Failure> {
    let Extent { depth, bytes } = Extent::of(&outcome.output);
    let message = if depth > MAX_DEPTH {
        format!("the output is nested deeper than {MAX_DEPTH} levels")
    } else if bytes > MAX_RESULT_BYTES {
        format!("the output is larger than {MAX_RESULT_BYTES} bytes")
    } else {
        return Ok(outcome);
    };
    Err(Failure::permanent("limit_exceeded", message))
}

/// What the nodes after a failed one get to see.
fn after_failure(node: &Node, error: &ExecutionError) -> Outcome {
    match &node.policy.on_error {
        OnError::Fail | OnError::Continue => Outcome::at(usual_handle(node.kind()), json!(null)),
        OnError::Default(value) => Outcome::at(usual_handle(node.kind()), value.clone()),
        OnError::Branch => {
            let details = json!({ "error": { "code": error.code, "message": error.message } });
            Outcome::at(handle::ERROR, details)
        }
    }
}
