//! Partial answers (<https://developers.google.com/workspace/drive/api/guides/fields-parameter>).

use serde_json::{Map, Value};

/// The fields of an answer that `a,b(c,d)` asks for.
pub(super) fn select(mask: &str, value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| select(mask, item)).collect(),
        Value::Object(fields) => {
            let mut selected = Map::new();
            for (name, rest) in split(mask) {
                let Some(found) = fields.get(name) else {
                    continue;
                };
                let found = match rest {
                    Some(rest) => select(rest, found),
                    None => found.clone(),
                };
                selected.insert(name.to_owned(), found);
            }
            Value::Object(selected)
        }
        other => other.clone(),
    }
}

/// The names of a mask, each with the mask of what is in it.
fn split(mask: &str) -> Vec<(&str, Option<&str>)> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (place, character) in mask.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&mask[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&mask[start..]);
    let parts = parts.into_iter().map(|part| match part.find('(') {
        Some(open) => (&part[..open], Some(&part[open + 1..part.len() - 1])),
        None => (part, None),
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_asked_for_is_told() {
        let answer = json!({ "next": "n", "list": [{ "id": 1, "in": { "a": 1, "b": 2 } }] });
        let selected = select("list(in(b),id),other", &answer);
        assert_eq!(selected, json!({ "list": [{ "id": 1, "in": { "b": 2 } }] }));
        assert_eq!(select("next", &answer), json!({ "next": "n" }));
    }
}
