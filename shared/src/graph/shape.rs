//! What Firestore can hold: the arrays `nodes` and `edges` are stored as they are.

use serde_json::Value;

/// Firestore allows 20 levels of maps and arrays
/// (<https://firebase.google.com/docs/firestore/quotas#limits>); the array is one of them.
const MAX_DEPTH: usize = 19;

/// The first place in a node or edge that Firestore would refuse: its path and why.
pub(super) fn find_unstorable(value: &Value, path: &str) -> Option<(String, &'static str)> {
    let (place, problem) = find(value, MAX_DEPTH)?;
    Some((format!("{path}{place}"), problem))
}

/// As above, with the path from `value` on: it is put together on the way out, as most values
/// need none.
fn find(value: &Value, levels: usize) -> Option<(String, &'static str)> {
    if (value.is_array() || value.is_object()) && levels == 0 {
        let problem = "nested deeper than Firestore can store (20 levels)";
        return Some((String::new(), problem));
    }
    match value {
        Value::Array(items) => items.iter().enumerate().find_map(|(position, item)| {
            let (place, problem) = if item.is_array() {
                let problem = "Firestore cannot store an array directly in an array";
                (String::new(), problem)
            } else {
                find(item, levels - 1)?
            };
            Some((format!("[{position}]{place}"), problem))
        }),
        Value::Object(entries) => entries.iter().find_map(|(key, item)| {
            let (place, problem) = find(item, levels - 1)?;
            Some((format!(".{key}{place}"), problem))
        }),
        _ => None,
    }
}
