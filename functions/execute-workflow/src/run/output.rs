use std::collections::BTreeMap;

use serde_json::{Map, Value};
use shared::{
    graph::{Graph, Node, NodeKind},
    inputs::{Bindings, MAX_RESULT_BYTES},
    models::ExecutionError,
};

use super::{Decision, error};

/// The run's output: that of the `output` node that was reached, an object by node id when there
/// are several, or the outputs of the last nodes when there is none.
pub(super) fn collect(
    graph: &Graph,
    decided: &BTreeMap<String, Decision>,
    bindings: &Bindings,
) -> Result<Value, ExecutionError> {
    let reached = |node: &&Node| matches!(decided.get(&node.id), Some(Decision::Taken(_)));
    let outputs: Vec<&Node> = graph
        .nodes()
        .iter()
        .filter(|node| node.kind() == NodeKind::Output)
        .filter(reached)
        .collect();
    let value = |node: &Node| bindings.output(&node.id).cloned().unwrap_or_default();
    let by_id = |nodes: Vec<&Node>| -> Value {
        let entries = nodes.into_iter().map(|node| (node.id.clone(), value(node)));
        Value::Object(entries.collect::<Map<_, _>>())
    };
    let output = match outputs.as_slice() {
        [only] => value(only),
        [] => by_id(graph.leaves().filter(reached).collect()),
        _ => by_id(outputs),
    };
    if output.to_string().len() > MAX_RESULT_BYTES {
        let message = format!("the output is larger than {MAX_RESULT_BYTES} bytes");
        return Err(error("limit_exceeded", message, None));
    }
    Ok(output)
}
