//! The graph that a run is pinned to.

use std::sync::Arc;

use serde_json::Value;
use shared::{
    graph::{Graph, GraphLimits, Invalid, version_hash},
    ids::{OrgId, WorkflowId},
    models::{Execution, ExecutionError, JsonText, Timestamp, WorkflowVersion},
    retry::{Policy, retry},
    store,
};

use crate::AppState;

/// A version's document, 1 MiB at most, holds the graph as text.
pub(crate) const MAX_BYTES: usize = 1_000_000;
/// Problems of a graph that an execution's error names.
const MAX_PROBLEMS: usize = 5;

/// The graph of an execution, or why it cannot be run.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn load_graph(
    state: &AppState,
    execution: &Execution,
) -> Result<Result<Arc<Graph>, ExecutionError>, store::Error> {
    let (org_id, workflow_id) = (&execution.org_id, &execution.workflow_id);
    let hash = &execution.workflow_version;
    let store = &state.store;
    let find = || store.find_workflow_version(org_id, workflow_id, hash);
    let version = retry(Policy::REMOTE_CALL, find).await?;
    let Some(version) = version else {
        let message = "the workflow's version is gone".to_owned();
        return Ok(Err(refusal("not_found", message)));
    };
    let graph = parse(
        &version.nodes.into_items(),
        &version.edges.into_items(),
        &state.settings.graph_limits,
    );
    Ok(graph.map(Arc::new))
}

/// Checks a graph.
pub(crate) fn parse(
    nodes: &[Value],
    edges: &[Value],
    limits: &GraphLimits,
) -> Result<Graph, ExecutionError> {
    Graph::parse_within(nodes, edges, limits)
        .map_err(|invalid| refusal("invalid_argument", describe(&invalid)))
}

/// The document that pins a graph.
pub(crate) fn pin(
    org_id: &OrgId,
    workflow_id: &WorkflowId,
    nodes: Vec<Value>,
    edges: Vec<Value>,
    now: Timestamp,
) -> WorkflowVersion {
    WorkflowVersion {
        hash: version_hash(&nodes, &edges),
        org_id: org_id.clone(),
        workflow_id: workflow_id.clone(),
        nodes: JsonText(Value::Array(nodes)),
        edges: JsonText(Value::Array(edges)),
        created_at: now,
    }
}

/// Why a run is refused.
pub(crate) fn refusal(code: &str, message: String) -> ExecutionError {
    ExecutionError {
        code: code.to_owned(),
        message,
        node_id: None,
    }
}

/// The problems of a graph or payload as one message, the first few of them.
pub(crate) fn describe(invalid: &Invalid) -> String {
    let problems = invalid.problems.iter().take(MAX_PROBLEMS);
    let lines = problems.map(|problem| format!("`{}`: {}", problem.field, problem.message));
    lines.collect::<Vec<_>>().join("; ")
}
