//! `workflow`: another workflow runs as a part of this one. The run sleeps until it has ended.

use async_trait::async_trait;
use serde_json::{Value, json};
use shared::{
    graph::{RunLimits, WorkflowData},
    ids::{WorkflowId, fingerprint},
    inputs::Bindings,
    models::{Budget, Execution, ExecutionParent, ExecutionStatus},
};

use super::{Call, Effect, Failure, Outcome, Prepared, Stop};
use crate::{
    AppState,
    start::{self, Child},
};

/// A workflow to run, with its expressions resolved.
struct SubWorkflow {
    workflow_id: WorkflowId,
    payload: Value,
    limits: RunLimits,
}

pub(super) fn prepare(data: &WorkflowData, bindings: &Bindings) -> Result<Prepared, Failure> {
    let workflow_id = WorkflowId::parse(data.workflow_id.render_text(bindings)?);
    let workflow_id = workflow_id.map_err(|error| {
        Failure::permanent("invalid_argument", format!("`workflowId`: {error}"))
    })?;
    let payload = data.payload.as_ref();
    let payload = payload
        .map(|payload| payload.render(bindings))
        .transpose()?;
    Ok(Prepared::Effect(Box::new(SubWorkflow {
        workflow_id,
        payload: payload.unwrap_or_else(|| json!({})),
        limits: data.limits,
    })))
}

#[async_trait]
impl Effect for SubWorkflow {
    fn request_hash(&self) -> String {
        let payload = self.payload.to_string();
        fingerprint(&["workflow", self.workflow_id.as_str(), &payload])
    }

    /// Starts the run, unless it has been started, and looks whether it has ended.
    async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop> {
        let (parent, store) = (&call.execution, &state.store);
        let id = start::child_id(parent, &call.node_id, &call.iteration);
        if let Some(child) = store.find_execution(&parent.org_id, &id).await? {
            return outcome(child.value);
        }
        let depth = parent.parent.as_ref().map_or(0, |parent| parent.depth) + 1;
        let most = ExecutionParent::MAX_DEPTH;
        if depth > most {
            let message = format!("more than {most} workflows within each other");
            return Err(Failure::permanent("limit_exceeded", message).into());
        }
        let child = Child {
            id,
            workflow_id: self.workflow_id.clone(),
            payload: self.payload.clone(),
            limits: within(&parent.budget, self.limits),
            depth,
        };
        start::start_child(state, parent, &child).await?;
        Err(Stop::Pending(None))
    }
}

fn outcome(child: Execution) -> Result<Outcome, Stop> {
    let (tokens, cost) = (child.budget.used_tokens, child.budget.used_cost_micro_usd);
    match child.status {
        ExecutionStatus::Succeeded => Ok(Outcome {
            tokens,
            cost_micro_usd: cost,
            ..Outcome::of(child.output.map(|output| output.0).unwrap_or_default())
        }),
        ExecutionStatus::Failed => {
            let reason = child.error.map(|error| error.message).unwrap_or_default();
            let message = format!("the workflow's run failed: {reason}");
            let failure = Failure::permanent("failed_precondition", message);
            Err(failure.having_used(tokens, cost).into())
        }
        ExecutionStatus::Cancelled => {
            let failure = Failure::permanent("cancelled", "the workflow's run was cancelled");
            Err(failure.having_used(tokens, cost).into())
        }
        ExecutionStatus::Queued | ExecutionStatus::Running | ExecutionStatus::Waiting => {
            Err(Stop::Pending(None))
        }
    }
}

/// The node's limits, and no more than what the run around it has left.
fn within(budget: &Budget, limits: RunLimits) -> RunLimits {
    let least = |limit: Option<i64>, left: i64| Some(limit.map_or(left, |limit| limit.min(left)));
    let tokens_left = (budget.max_tokens - budget.used_tokens).max(0);
    let cost_left = budget
        .max_cost_micro_usd
        .map(|most| (most - budget.used_cost_micro_usd).max(0));
    RunLimits {
        max_tokens: least(limits.max_tokens, tokens_left),
        max_cost_micro_usd: match cost_left {
            Some(left) => least(limits.max_cost_micro_usd, left),
            None => limits.max_cost_micro_usd,
        },
        ..limits
    }
}
