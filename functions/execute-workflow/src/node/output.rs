//! `output`: what the run gives back.

use serde_json::Value;
use shared::{graph::OutputData, inputs::Bindings};

use super::{Failure, Outcome, Prepared};

/// Without a `value`, the output is that of the node before, or an object by node id when several
/// nodes before have one.
pub(super) fn prepare(
    data: &OutputData,
    before: &[(&str, &Value)],
    bindings: &Bindings,
) -> Result<Prepared, Failure> {
    let output = match &data.value {
        Some(value) => value.render(bindings)?,
        None => join(before),
    };
    Ok(Prepared::Done(Outcome::of(output)))
}

/// A single output as it is, several as an object by node id.
pub(crate) fn join(outputs: &[(&str, &Value)]) -> Value {
    if let [(_, only)] = outputs {
        return (*only).clone();
    }
    by_id(outputs)
}

/// Outputs as an object by node id.
pub(crate) fn by_id(outputs: &[(&str, &Value)]) -> Value {
    let entries = outputs.iter();
    let entries = entries.map(|(id, value)| ((*id).to_owned(), (*value).clone()));
    Value::Object(entries.collect())
}
