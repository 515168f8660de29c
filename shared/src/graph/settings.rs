use std::ops::RangeInclusive;

use serde_json::json;

use super::{
    fields::Fields,
    schema::{self, Settings},
};
use crate::ids::WorkflowId;

const STEPS: RangeInclusive<i64> = 1..=1000;
const SECONDS: RangeInclusive<i64> = 1..=86_400;
const TOKENS: RangeInclusive<i64> = 1..=10_000_000;
const COST_MICRO_USD: RangeInclusive<i64> = 1..=1_000_000_000;
const CONCURRENCY: RangeInclusive<u32> = 1..=100;
const DEBOUNCE_SECS: RangeInclusive<u32> = 1..=3600;

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
            concurrency: fields.within("concurrency", CONCURRENCY),
            debounce_secs: fields.within("debounceSecs", DEBOUNCE_SECS),
            error_workflow_id: fields.optional("errorWorkflowId"),
        });
        settings.unwrap_or_default()
    }

    pub(super) fn schema() -> Settings {
        let about = "Runs that are under way at the same time; without it, any number.";
        let concurrency = schema::integer(CONCURRENCY, about);
        let about = "A run begins once no other event has come for so long.";
        let debounce = schema::integer(DEBOUNCE_SECS, about);
        let workflow = json!({
            "type": "string",
            "pattern": r"^(?!\.{1,2}$)(?!__.*__$)[A-Za-z0-9_.:-]{1,128}$",
            "description": "The workflow that runs when a run of this one fails.",
        });
        Settings::new("Runs", "How the runs of the workflow behave.")
            .optional("limits", RunLimits::schema().into_field())
            .optional("concurrency", concurrency)
            .optional("debounceSecs", debounce)
            .optional("errorWorkflowId", workflow)
    }
}

impl RunLimits {
    pub(super) fn read(fields: &mut Fields<'_>, name: &str) -> Self {
        let limits = fields.object(name, |fields| Self {
            max_steps: fields.within("maxSteps", STEPS),
            max_seconds: fields.within("maxSeconds", SECONDS),
            max_tokens: fields.within("maxTokens", TOKENS),
            max_cost_micro_usd: fields.within("maxCostMicroUsd", COST_MICRO_USD),
        });
        limits.unwrap_or_default()
    }

    pub(super) fn schema() -> Settings {
        let cost = "Cost of all model calls, in millionths of a US dollar.";
        Settings::new("Limits", "What one run may use.")
            .optional("maxSteps", schema::integer(STEPS, "Nodes that are run."))
            .optional(
                "maxSeconds",
                schema::integer(SECONDS, "Time without waits."),
            )
            .optional(
                "maxTokens",
                schema::integer(TOKENS, "Tokens of all model calls."),
            )
            .optional("maxCostMicroUsd", schema::integer(COST_MICRO_USD, cost))
    }
}
