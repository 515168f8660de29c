use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::{Value, json};

use super::Settings;

/// Text that must not be empty and may have expressions.
pub(in crate::graph) fn text(description: &str) -> Value {
    let mut field = plain(description);
    field["x-expression"] = json!(true);
    field
}

/// Text without expressions that must not be empty.
pub(in crate::graph) fn plain(description: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "description": description })
}

/// Any value with expressions.
pub(in crate::graph) fn any(description: &str) -> Value {
    json!({ "description": description, "x-expression": true })
}

/// An expression that decides.
pub(in crate::graph) fn condition(description: &str) -> Value {
    let mut field = plain(description);
    field["x-expression"] = json!(true);
    field["x-condition"] = json!(true);
    field
}

/// An integer in a range.
pub(in crate::graph) fn integer(range: RangeInclusive<impl Serialize>, description: &str) -> Value {
    let mut field = number(range, description);
    field["type"] = json!("integer");
    field
}

/// A number in a range.
pub(in crate::graph) fn number(range: RangeInclusive<impl Serialize>, description: &str) -> Value {
    let (least, most) = range.into_inner();
    json!({ "type": "number", "minimum": least, "maximum": most, "description": description })
}

/// True or false, false by default.
pub(in crate::graph) fn flag(description: &str) -> Value {
    json!({ "type": "boolean", "default": false, "description": description })
}

/// One of several words.
pub(in crate::graph) fn choice(words: &[&str], description: &str) -> Value {
    let mut field = self::words(words);
    field["description"] = json!(description);
    field
}

/// Some of several words, each once.
pub(in crate::graph) fn choices(words: &[&str], description: &str) -> Value {
    json!({
        "type": "array",
        "items": self::words(words),
        "minItems": 1,
        "uniqueItems": true,
        "description": description,
    })
}

/// As [`choice`], within a field that is described.
pub(in crate::graph) fn words(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// An object with any names.
pub(in crate::graph) fn record(values: Value, description: &str) -> Value {
    json!({ "type": "object", "additionalProperties": values, "description": description })
}

/// A list of objects.
pub(in crate::graph) fn list(
    items: Settings,
    count: RangeInclusive<usize>,
    description: &str,
) -> Value {
    json!({
        "type": "array",
        "items": items.into_field(),
        "minItems": count.start(),
        "maxItems": count.end(),
        "description": description,
    })
}

/// The field with the value that it has when it is absent.
pub(in crate::graph) fn with_default(mut field: Value, value: impl Serialize) -> Value {
    field["default"] = json!(value);
    field
}

/// The field, or `null`.
pub(super) fn nullable(mut field: Value) -> Value {
    if let Some(kind) = field.get("type").cloned() {
        let mut kinds = match kind {
            Value::Array(kinds) => kinds,
            kind => vec![kind],
        };
        kinds.push(json!("null"));
        field["type"] = Value::Array(kinds);
    }
    if let Some(Value::Array(words)) = field.get_mut("enum") {
        words.push(Value::Null);
    }
    if let Some(Value::Array(forms)) = field.get_mut("anyOf") {
        forms.push(json!({ "type": "null" }));
    }
    field
}
