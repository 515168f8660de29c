//! What a run may use.

use std::time::Duration;

use shared::{graph::Node, models::ExecutionError};

use super::{Run, error};

/// A worker holds all outputs of a run in memory, where many runs have to fit.
const MAX_OUTPUT_BYTES: usize = 16 * 1024 * 1024;

impl Run<'_> {
    pub(super) fn check_budget(&self, node: &Node) -> Result<(), ExecutionError> {
        let execution = self.journal.execution();
        let budget = &execution.budget;
        let is_too_dear = |most: i64| budget.used_cost_micro_usd >= most;
        let exceeded = if self.journal.output_bytes() >= MAX_OUTPUT_BYTES {
            "room for outputs"
        } else if budget.used_steps >= budget.max_steps {
            "steps"
        } else if budget.used_tokens >= budget.max_tokens {
            "tokens"
        } else if budget.max_cost_micro_usd.is_some_and(is_too_dear) {
            "money"
        } else if self.time_left().is_zero() {
            "time"
        } else {
            return Ok(());
        };
        let message = format!("the run has used up its {exceeded}");
        Err(error("limit_exceeded", message, Some(&node.id)))
    }

    /// How long the run may go on, waits not counted.
    pub(super) fn time_left(&self) -> Duration {
        let execution = self.journal.execution();
        let budget = &execution.budget;
        let seconds = budget.max_seconds.saturating_add(budget.waited_seconds);
        let end = execution.started_at.plus_seconds(seconds).instant();
        let left = end.duration_since(self.journal.now().instant());
        Duration::try_from(left).unwrap_or_default()
    }
}
