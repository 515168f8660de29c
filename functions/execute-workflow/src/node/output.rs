//! `output`: what the run gives back.

use serde_json::{Map, Value};
use shared::{
    graph::{Graph, Node, OutputData},
    inputs::Bindings,
};

use super::{Failure, Outcome, Prepared};

/// Without a `value`, the output is that of the node before, or an object by node id when several
/// nodes before have one.
pub(super) fn prepare(
    data: &OutputData,
    node: &Node,
    graph: &Graph,
    bindings: &Bindings,
) -> Result<Prepared, Failure> {
    let output = match &data.value {
        Some(value) => value.render(bindings)?,
        None => {
            let sources = graph.incoming(&node.id).map(|edge| edge.source.as_str());
            let outputs = sources.filter_map(|id| Some((id, bindings.output(id)?)));
            join(outputs.collect())
        }
    };
    Ok(Prepared::Done(Outcome::of(output)))
}

fn join(outputs: Vec<(&str, &Value)>) -> Value {
    match outputs.as_slice() {
        [(_, only)] => (*only).clone(),
        _ => {
            let entries = outputs
                .into_iter()
                .map(|(id, value)| (id.to_owned(), value.clone()));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}
