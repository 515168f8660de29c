use serde_json::{Map, Value, json};

/// Plain JSON as Firestore's fields. An object whose only key ends in `Value` is taken as it is:
/// `{"timestampValue": "…"}`.
pub(super) fn to_fields(document: &Value) -> Map<String, Value> {
    let fields = document.as_object().expect("an object");
    fields
        .iter()
        .map(|(name, value)| (name.clone(), to_value(value)))
        .collect()
}

fn to_value(value: &Value) -> Value {
    match value {
        Value::Null => json!({ "nullValue": null }),
        Value::Bool(flag) => json!({ "booleanValue": flag }),
        Value::Number(number) if number.is_f64() => json!({ "doubleValue": number }),
        Value::Number(number) => json!({ "integerValue": number.to_string() }),
        Value::String(text) => json!({ "stringValue": text }),
        Value::Array(items) => {
            let values: Vec<Value> = items.iter().map(to_value).collect();
            json!({ "arrayValue": { "values": values } })
        }
        Value::Object(fields) => {
            let mut keys = fields.keys();
            match (keys.next(), keys.next()) {
                (Some(key), None) if key.ends_with("Value") => value.clone(),
                _ => json!({ "mapValue": { "fields": to_fields(value) } }),
            }
        }
    }
}

/// An object with keys `k0`, `k1`, ….
pub(super) fn keys(count: usize) -> Value {
    let entries = (0..count).map(|index| (format!("k{index}"), json!(index)));
    Value::Object(entries.collect())
}
