//! Fields that someone has to fill in: the payload of a run, the form of an approval.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::graph::{Invalid, Problem, schema};

/// The type of a payload's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Text.
    String,
    /// An integer or a float.
    Number,
    /// True or false.
    Boolean,
    /// A JSON object.
    Object,
    /// A JSON array.
    Array,
    /// Anything, `null` included.
    Any,
}

/// Checks values, which are called `name` in problems, against the fields of a node.
pub(super) fn check(
    fields: &BTreeMap<String, FieldType>,
    values: &Value,
    node_id: &str,
    name: &str,
) -> Result<(), Invalid> {
    let problem = |field: &String, message: String| {
        Problem::of_node(node_id, format!("{name}.{field}"), message)
    };
    let check = |(field, kind): (&String, &FieldType)| match values.get(field) {
        None => Some(problem(field, "missing field".to_owned())),
        Some(value) if kind.fits(value) => None,
        Some(_) => Some(problem(field, format!("must be of type {}", kind.as_str()))),
    };
    let mut problems = fields.iter().filter_map(check).collect();
    Invalid::unless_empty(&mut problems)
}

/// The schema of the fields themselves.
pub(super) fn schema(description: &str) -> Value {
    let kind = schema::words(&FieldType::ALL.map(FieldType::as_str));
    schema::record(kind, description)
}

impl FieldType {
    const ALL: [Self; 6] = [
        Self::String,
        Self::Number,
        Self::Boolean,
        Self::Object,
        Self::Array,
        Self::Any,
    ];

    /// The type as in the graph.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Object => "object",
            Self::Array => "array",
            Self::Any => "any",
        }
    }

    /// Whether the value is of the type.
    pub fn fits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
            Self::Any => true,
        }
    }
}
