//! What an action is told, as JSON Schema.

use serde_json::{Map, Value, json};

use super::{Action, Field, FieldKind};

/// <https://www.rfc-editor.org/rfc/rfc3339#section-5.6>, the calendar aside.
const INSTANT: &str = r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$";

impl Action {
    /// The schema of its whole input.
    #[must_use]
    pub fn input_schema(&self) -> Value {
        let described = |field: &Field| {
            let mut schema = field.schema();
            schema["description"] = field.description.into();
            (field.name.to_owned(), schema)
        };
        let properties: Map<String, Value> = self.fields.iter().map(described).collect();
        let required = self.fields.iter().filter(|field| field.is_required);
        let required: Vec<_> = required.map(|field| field.name).collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}

impl Field {
    /// The schema of a value that is no expression.
    #[must_use]
    pub fn schema(&self) -> Value {
        let text = json!({ "type": "string", "minLength": 1 });
        match self.kind {
            FieldKind::Text => text,
            FieldKind::Any if self.is_required => json!({ "not": { "type": "null" } }),
            FieldKind::Any => json!({}),
            FieldKind::Texts => json!({
                "type": "array",
                "items": text,
                "minItems": i32::from(self.is_required),
            }),
            FieldKind::Flag => json!({ "type": "boolean" }),
            FieldKind::Integer { least, most } => {
                json!({ "type": "integer", "minimum": least, "maximum": most })
            }
            FieldKind::Choice(words) => json!({ "type": "string", "enum": words }),
            FieldKind::Instant => {
                json!({ "type": "string", "format": "date-time", "pattern": INSTANT })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::all;

    /// The values that a kind allows and does not.
    fn examples(kind: FieldKind) -> (Value, Value) {
        match kind {
            FieldKind::Text => (json!("x"), json!("")),
            FieldKind::Texts => (json!(["x"]), json!([""])),
            FieldKind::Flag => (json!(true), json!("true")),
            FieldKind::Integer { least, .. } => (json!(least), json!("1")),
            FieldKind::Choice(words) => (json!(words[0]), json!("no such word")),
            FieldKind::Instant => (json!("2026-11-23T12:00:00Z"), json!("tomorrow")),
            FieldKind::Any => (json!({ "a": [1] }), json!(null)),
        }
    }

    #[test]
    fn a_schema_allows_what_the_check_allows() {
        for action in all() {
            let schema = jsonschema::validator_for(&action.input_schema()).unwrap();
            let fields = action.fields.iter();
            let good: Map<String, Value> = fields
                .map(|field| (field.name.to_owned(), examples(field.kind).0))
                .collect();
            let whole = Value::from(good.clone());
            assert!(schema.is_valid(&whole), "{}: {whole}", action.name);
            assert_eq!(action.check(&whole), Ok(()), "{}", action.name);
            for field in action.fields.iter().filter(|field| field.is_required) {
                let mut bad = good.clone();
                bad.insert(field.name.to_owned(), examples(field.kind).1);
                let bad = Value::from(bad);
                assert!(!schema.is_valid(&bad), "{}: {bad}", action.name);
                assert!(action.check(&bad).is_err(), "{}: {bad}", action.name);
            }
            let unknown = json!({ "unknown": 1 });
            assert!(!schema.is_valid(&unknown), "{}", action.name);
        }
    }
}
