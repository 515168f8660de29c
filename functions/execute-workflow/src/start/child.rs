//! Runs that are parts of other runs.

use serde_json::Value;
use shared::{
    graph::RunLimits,
    ids::{ExecutionId, TriggerId, WorkflowId},
    models::{
        Execution, ExecutionParent, JsonText, StartOptions, Timestamp, Trigger, TriggerSource,
        TriggerType,
    },
    store::{Error, Write, commit_contended},
    telemetry,
};

use super::{Blueprint, creation, new_execution};
use crate::{AppState, CALLER, publish};

/// A run that is to be a part of another.
pub(crate) struct Child {
    pub(crate) id: ExecutionId,
    pub(crate) workflow_id: WorkflowId,
    pub(crate) payload: Value,
    /// What it may use, whatever its own trigger allows.
    pub(crate) limits: RunLimits,
    /// How many runs are above.
    pub(crate) depth: i64,
}

/// The execution that a node's iteration starts.
pub(crate) fn child_id(parent: &Execution, node_id: &str, iteration: &str) -> ExecutionId {
    let (id, incarnation) = (parent.id.as_str(), parent.incarnation());
    ExecutionId::derive(&["child", id, &incarnation, node_id, iteration])
}

/// Makes the execution, unless it has been made, and hands it in. One that can never run is made as
/// a failed one.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn start_child(
    state: &AppState,
    parent: &Execution,
    child: &Child,
) -> Result<(), Error> {
    let made = commit_contended(&state.store, || writes(state, parent, child)).await?;
    if let Some(execution) = made {
        publish::follow_up(state, &execution).await;
    }
    Ok(())
}

async fn writes(
    state: &AppState,
    parent: &Execution,
    child: &Child,
) -> Result<(Vec<Write>, Option<Execution>), Error> {
    let (org_id, store) = (&parent.org_id, &state.store);
    if store.find_execution(org_id, &child.id).await?.is_some() {
        return Ok((Vec::new(), None));
    }
    let now = Timestamp::from(state.clock.now());
    let trigger = trigger(parent, child, now);
    let mut blueprint = Blueprint::of_trigger(state, &trigger).await?;
    let limits = &mut blueprint.settings.limits;
    limits.max_steps = least(limits.max_steps, child.limits.max_steps);
    limits.max_seconds = least(limits.max_seconds, child.limits.max_seconds);
    limits.max_tokens = least(limits.max_tokens, child.limits.max_tokens);
    limits.max_cost_micro_usd = least(limits.max_cost_micro_usd, child.limits.max_cost_micro_usd);
    // A part waits for nobody's place: the run around it may have that very place.
    blueprint.settings.concurrency = None;
    // Its failure is the node's. The workflow for failures, too, may run parts that fail.
    blueprint.settings.error_workflow_id = None;
    let above = Some(ExecutionParent {
        execution_id: parent.id.clone(),
        depth: child.depth,
    });
    let execution = new_execution(
        &child.id,
        &trigger,
        above,
        &blueprint,
        state.settings.max_steps,
        now,
    );
    let mut writes = creation(state, &execution, &blueprint, now).await?;
    if execution.status.is_terminal() {
        writes.extend(shared::runs::writes_at_end(store, &execution, now).await?);
    }
    Ok((writes, Some(execution)))
}

/// A part of a run has no trigger document; this one says what it starts.
fn trigger(parent: &Execution, child: &Child, now: Timestamp) -> Trigger {
    let id = TriggerId::derive(&["child", child.id.as_str()]);
    Trigger {
        dedupe_key: id.to_string(),
        id,
        org_id: parent.org_id.clone(),
        workflow_id: child.workflow_id.clone(),
        kind: TriggerType::Workflow,
        payload: JsonText(child.payload.clone()),
        source: TriggerSource {
            function: CALLER.function.to_owned(),
            uid: None,
        },
        created_at: now,
        options: StartOptions::default(),
        traceparent: telemetry::traceparent(),
    }
}

fn least(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
