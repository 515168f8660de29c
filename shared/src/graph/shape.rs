//! What Firestore can hold: the arrays `nodes` and `edges` are stored as they are.

use serde_json::Value;

/// Firestore allows 20 levels of maps and arrays
/// (<https://firebase.google.com/docs/firestore/quotas#limits>); the array is one of them.
const MAX_DEPTH: usize = 19;

/// The first place in a node or edge that Firestore would refuse: its path and why.
pub(super) fn find_unstorable(value: &Value, path: &str) -> Option<(String, &'static str)> {
    find(value, path, MAX_DEPTH)
}

fn find(value: &Value, path: &str, levels: usize) -> Option<(String, &'static str)> {
    if (value.is_array() || value.is_object()) && levels == 0 {
        return Some((
            path.to_owned(),
            "nested deeper than Firestore can store (20 levels)",
        ));
    }
    match value {
        Value::Array(items) => items.iter().enumerate().find_map(|(position, item)| {
            let path = format!("{path}[{position}]");
            if item.is_array() {
                return Some((path, "Firestore cannot store an array directly in an array"));
            }
            find(item, &path, levels - 1)
        }),
        Value::Object(entries) => entries
            .iter()
            .find_map(|(key, item)| find(item, &format!("{path}.{key}"), levels - 1)),
        _ => None,
    }
}
