use serde_json::Value;
use shared::{
    graph::{Graph, NodeIndex, NodeKind},
    inputs::{Extent, MAX_RESULT_BYTES},
    models::{ExecutionError, JsonText},
};

use super::{Plan, error};
use crate::node::{by_id, join};

/// The run's output: that of the `output` node that was reached, an object by node id when there
/// are several, or the outputs of the last nodes when there is none.
pub(super) fn collect(graph: &Graph, plan: &Plan) -> Result<JsonText, ExecutionError> {
    let nodes = graph.nodes().iter().enumerate();
    let outputs = nodes.filter(|(_, node)| node.kind() == NodeKind::Output);
    let outputs = outputs.map(|(position, _)| position);
    let outputs: Vec<NodeIndex> = outputs.filter(|node| plan.has_run(*node)).collect();
    let output = match outputs.as_slice() {
        [] => by_id(&values(graph, plan, &plan.leaves())),
        reached => join(&values(graph, plan, reached)),
    };
    if Extent::of(&output).bytes > MAX_RESULT_BYTES {
        let message = format!("the output is larger than {MAX_RESULT_BYTES} bytes");
        return Err(error("limit_exceeded", message, None));
    }
    Ok(JsonText(output))
}

fn values<'r>(graph: &'r Graph, plan: &'r Plan, nodes: &[NodeIndex]) -> Vec<(&'r str, &'r Value)> {
    let bindings = plan.bindings(Plan::RUN);
    let ids = nodes.iter().map(|node| graph.node_at(*node).id.as_str());
    let value = |id| Some((id, bindings?.output(id)?));
    ids.filter_map(value).collect()
}
