//! Forms with brackets: `line_items[0][price]=price_1`.

use serde_json::{Map, Value, json};

/// The form as nested objects, whose leaves are texts; lists are objects with numbers for names.
pub(super) fn decode(text: &[u8]) -> Value {
    let mut form = Map::new();
    for (key, value) in url::form_urlencoded::parse(text) {
        let (first, rest) = key.split_once('[').unwrap_or((&key, ""));
        let rest = rest.strip_suffix(']').unwrap_or(rest);
        let mut names = vec![first];
        names.extend(rest.split("][").filter(|_| !rest.is_empty()));
        put(&mut form, &names, json!(value));
    }
    Value::Object(form)
}

fn put(fields: &mut Map<String, Value>, names: &[&str], value: Value) {
    let Some((first, rest)) = names.split_first() else {
        return;
    };
    // `names[]` appends.
    let name = match *first {
        "" => fields.len().to_string(),
        name => name.to_owned(),
    };
    if rest.is_empty() {
        fields.insert(name, value);
        return;
    }
    let inner = fields.entry(name).or_insert_with(|| json!({}));
    if !inner.is_object() {
        *inner = json!({});
    }
    put(inner.as_object_mut().unwrap(), rest, value);
}
