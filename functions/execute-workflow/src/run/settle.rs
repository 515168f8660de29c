//! Ending a node: its policy for failures, the journal, what later nodes see.

use serde_json::json;
use shared::{
    graph::{Node, OnError, handle},
    inputs::MAX_RESULT_BYTES,
    models::{ExecutionError, JsonText, LogKind, LogLevel, StepResult, StepStatus, Timestamp},
};

use super::{Decision, Run, error, label};
use crate::{
    extent::Extent,
    node::{Failure, Outcome},
};

/// `serde_json` reads at most 127 levels: a deeper output could not be read back.
const MAX_DEPTH: usize = 100;

impl Run<'_> {
    /// Records what a node came to, by its policy for failures.
    pub(super) fn settle(
        &mut self,
        node: &Node,
        result: Result<Outcome, Failure>,
        duration_ms: i64,
    ) -> Result<(), ExecutionError> {
        let (outcome, failure) = match result.and_then(within_limits) {
            Ok(outcome) => (outcome, None),
            Err(failure) => {
                let error = error(failure.code, failure.message, Some(&node.id));
                (after_failure(node, &error), Some(error))
            }
        };
        self.log_end(node, &outcome, failure.as_ref(), duration_ms);
        let status = if failure.is_some() {
            StepStatus::Failed
        } else {
            StepStatus::Succeeded
        };
        self.bindings
            .set_output(node.id.clone(), outcome.output.clone());
        self.decided
            .insert(node.id.clone(), Decision::Taken(outcome.handle.to_owned()));
        let result = step_result(outcome, duration_ms, self.journal.now(), failure.clone());
        self.journal.finish(&node.id, status, result);
        match failure {
            Some(error) if node.policy.on_error == OnError::Fail => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn log_end(
        &mut self,
        node: &Node,
        outcome: &Outcome,
        failure: Option<&ExecutionError>,
        duration_ms: i64,
    ) {
        for thought in &outcome.thoughts {
            self.journal.log(
                Some(&node.id),
                LogLevel::Info,
                LogKind::Thought,
                thought.clone(),
            );
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
            .log(Some(&node.id), level, LogKind::NodeFinished, message);
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
        handle: outcome.handle.to_owned(),
        error,
        tokens: outcome.tokens,
        cost_micro_usd: 0,
        duration_ms,
        at,
    }
}

/// An output that the journal cannot hold fails the node.
fn within_limits(outcome: Outcome) -> Result<Outcome, Failure> {
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
        OnError::Fail | OnError::Continue => Outcome::default(),
        OnError::Default(value) => Outcome::of(value.clone()),
        OnError::Branch => {
            let details = json!({ "error": { "code": error.code, "message": error.message } });
            Outcome {
                handle: handle::ERROR,
                ..Outcome::of(details)
            }
        }
    }
}
