use crate::ids::WorkflowId;

use super::fields::Fields;

const MAX_CONCURRENCY: u32 = 100;
const MAX_DEBOUNCE_SECS: u32 = 3600;

/// How the runs of a workflow behave, in its trigger's `data.settings`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunSettings {
    /// What one run may use.
    pub limits: RunLimits,
    /// Runs that are under way at the same time; without it, any number.
    pub concurrency: Option<u32>,
    /// A run begins once no other event has come for so long; the last event's payload counts.
    pub debounce_secs: Option<u32>,
    /// The workflow that runs when a run of this one fails.
    pub error_workflow_id: Option<WorkflowId>,
}

/// What one run may use; where nothing is set, the engine's own limit holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunLimits {
    /// Nodes that are run, each item of a loop counted.
    pub max_steps: Option<i64>,
    /// Time without waits and approvals.
    pub max_seconds: Option<i64>,
    /// Input and output tokens of all model calls.
    pub max_tokens: Option<i64>,
    /// Cost of all model calls, in millionths of a US dollar.
    pub max_cost_micro_usd: Option<i64>,
}

impl RunSettings {
    pub(super) fn read(fields: &mut Fields<'_>, name: &str) -> Self {
        let settings = fields.object(name, |fields| Self {
            limits: RunLimits::read(fields, "limits"),
            concurrency: fields.within("concurrency", 1..=MAX_CONCURRENCY),
            debounce_secs: fields.within("debounceSecs", 1..=MAX_DEBOUNCE_SECS),
            error_workflow_id: fields.optional("errorWorkflowId"),
        });
        settings.unwrap_or_default()
    }
}

impl RunLimits {
    pub(super) fn read(fields: &mut Fields<'_>, name: &str) -> Self {
        let limits = fields.object(name, |fields| Self {
            max_steps: fields.within("maxSteps", 1..=1000),
            max_seconds: fields.within("maxSeconds", 1..=86_400),
            max_tokens: fields.within("maxTokens", 1..=10_000_000),
            max_cost_micro_usd: fields.within("maxCostMicroUsd", 1..=1_000_000_000),
        });
        limits.unwrap_or_default()
    }
}
