//! What Firestore cannot hold (<https://firebase.google.com/docs/firestore/quotas>), found before
//! it is sent.

use serde_json::{Map, Value};
use shared::inputs::{self, Extent};

use crate::error::Problem;

/// Most levels of maps and arrays in a document.
const MAX_DEPTH: usize = 20;

/// Longest name of a field, in bytes.
const MAX_NAME_BYTES: usize = 1_500;

/// Most bytes that the parts may take together, as Firestore counts them and as text, which is how
/// versions and answers are kept: 1 MiB, less what the other fields may take.
const MAX_BYTES: usize = 900_000;

/// Most values that the parts may have together: each costs time whenever the workflow is read.
const MAX_VALUES: usize = 20_000;

/// What is wrong with arrays that become fields of one document, by field.
pub(crate) fn problems(parts: &[(&str, &[Value])]) -> Vec<Problem> {
    let values = parts.iter().flat_map(|(name, values)| {
        let path = move |index| format!("{name}[{index}]");
        values
            .iter()
            .enumerate()
            .map(move |(index, value)| (path(index), value))
    });
    let mut problems: Vec<Problem> = values
        .filter_map(|(path, value)| find_problem(&path, value, Container::Array, 2))
        .collect();
    let all = || parts.iter().flat_map(|(_, values)| *values);
    if all().map(count_values).sum::<usize>() > MAX_VALUES {
        let message = format!("the workflow has more than {MAX_VALUES} values");
        problems.push(Problem::new("nodes", message));
        return problems;
    }
    let bytes: usize = all().map(stored_bytes).sum();
    let text: usize = all().map(|value| value.to_string().len() + 1).sum();
    if bytes.max(text) > MAX_BYTES {
        let message = format!("the workflow takes more than {MAX_BYTES} bytes when stored");
        problems.push(Problem::new("nodes", message));
    }
    problems
}

/// What is wrong with a value that a run is given, if it is nested deeper than a journal can hold.
pub(crate) fn depth_problem(field: &str, value: &Value) -> Option<Problem> {
    let is_too_deep = Extent::of(value).depth > inputs::MAX_DEPTH;
    let message = || format!("must be nested at most {} levels deep", inputs::MAX_DEPTH);
    is_too_deep.then(|| Problem::new(field, message()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Map,
    Array,
}

/// The first problem in `value`, which would be stored at `depth`.
fn find_problem(path: &str, value: &Value, inside: Container, depth: usize) -> Option<Problem> {
    let is_container = value.is_array() || value.is_object();
    if is_container && depth > MAX_DEPTH {
        return Some(Problem::new(path, "is nested too deeply to be stored"));
    }
    match value {
        Value::Array(_) if inside == Container::Array => Some(Problem::new(
            path,
            "an array directly in an array cannot be stored",
        )),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            find_problem(
                &format!("{path}[{index}]"),
                item,
                Container::Array,
                depth + 1,
            )
        }),
        Value::Object(fields) => find_field_problem(path, fields, depth),
        Value::Number(number) if number.is_u64() && !number.is_i64() => {
            Some(Problem::new(path, "the number is too large to be stored"))
        }
        _ => None,
    }
}

fn find_field_problem(path: &str, fields: &Map<String, Value>, depth: usize) -> Option<Problem> {
    fields.iter().find_map(|(name, value)| {
        let is_reserved = name.starts_with("__") && name.ends_with("__");
        if name.is_empty() || name.len() > MAX_NAME_BYTES || is_reserved {
            let message = "has a field with a name that is empty, too long or reserved (`__…__`)";
            return Some(Problem::new(path, message));
        }
        find_problem(&format!("{path}.{name}"), value, Container::Map, depth + 1)
    })
}

fn count_values(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(count_values).sum::<usize>() + 1,
        Value::Object(fields) => fields.values().map(count_values).sum::<usize>() + 1,
        _ => 1,
    }
}

/// The size that counts against the limit of a document
/// (<https://firebase.google.com/docs/firestore/storage-size>).
fn stored_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 1,
        Value::Array(items) => items.iter().map(stored_bytes).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| name.len() + 1 + stored_bytes(value))
            .sum(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields_of(node: Value) -> Vec<String> {
        let problems = problems(&[("nodes", &[node])]);
        problems.into_iter().map(|problem| problem.field).collect()
    }

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |value, _| json!({ "x": value }))
    }

    #[test]
    fn an_ordinary_node_can_be_stored() {
        let node = json!({ "id": "a", "data": { "list": [{ "n": [1, "x"], "none": null }], "max": i64::MAX } });
        assert!(fields_of(node).is_empty());
    }

    #[test]
    fn what_cannot_be_stored_is_told_by_field() {
        let cases = [
            (json!({ "data": { "m": [[1]] } }), "nodes[0].data.m[0]"),
            (json!({ "data": { "n": u64::MAX } }), "nodes[0].data.n"),
            (json!({ "data": { "": 1 } }), "nodes[0].data"),
            (json!({ "data": { "__id__": 1 } }), "nodes[0].data"),
            (json!([1]), "nodes[0]"),
        ];
        for (node, field) in cases {
            assert_eq!(fields_of(node), [field]);
        }
    }

    #[test]
    fn twenty_levels_are_the_most() {
        // The array `nodes` is the first level.
        assert!(fields_of(nested(19)).is_empty());
        assert_eq!(fields_of(nested(20)).len(), 1);
    }

    #[test]
    fn many_small_numbers_are_counted_as_they_are_stored() {
        let node = json!({ "data": vec![1; 130_000] });
        assert_eq!(fields_of(node), ["nodes"]);
    }
}
