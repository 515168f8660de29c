//! What a run may use.

use shared::{graph::Node, models::ExecutionError};

use super::{Run, error};

/// A worker holds all outputs of a run in memory, where many runs have to fit.
const MAX_OUTPUT_BYTES: usize = 16 * 1024 * 1024;

impl Run<'_> {
    pub(super) fn check_budget(&self, node: &Node) -> Result<(), ExecutionError> {
        let execution = self.journal.execution();
        let (budget, started_at) = (&execution.budget, execution.started_at);
        let exceeded = if self.journal.output_bytes() >= MAX_OUTPUT_BYTES {
            "room for outputs"
        } else if budget.used_steps >= budget.max_steps {
            "steps"
        } else if budget.used_tokens >= budget.max_tokens {
            "tokens"
        } else if started_at.plus_seconds(budget.max_seconds.saturating_add(self.waited_seconds()))
            < self.journal.now()
        {
            "time"
        } else {
            return Ok(());
        };
        let message = format!("the run has used up its {exceeded}");
        Err(error("limit_exceeded", message, Some(&node.id)))
    }

    /// Time spent in `wait` nodes, which does not count.
    pub(super) fn waited_seconds(&self) -> i64 {
        let waits = self.journal.steps().filter_map(|step| {
            let resume_at = step.intent.resume_at?.instant();
            Some((resume_at.as_second() - step.intent.at.instant().as_second()).max(0))
        });
        waits.sum()
    }
}
