//! The kinds of nodes as a canvas has to know them: with the settings of each as a JSON Schema
//! (<https://json-schema.org/draft/2020-12>). Beside each `read` stands the schema of what it
//! reads.

mod field;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{NodeData, NodeKind, Policy, draft, handle};

pub(super) use field::{
    any, choice, choices, condition, flag, integer, list, number, plain, record, text,
    with_default, words,
};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A kind of node.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSchema {
    /// The node's `type`.
    pub kind: NodeKind,
    /// Its name.
    pub title: &'static str,
    /// What it does.
    pub description: &'static str,
    /// Its source handles. A switch has one more for each case, an approval has `expired` only
    /// with `expiresAfterSecs`, and a node with `onError: "branch"` has `error` too.
    pub handles: Vec<&'static str>,
    /// Its target handles.
    pub target_handles: Vec<&'static str>,
    /// What `data` has to be, as a JSON Schema. `x-expression` marks what may have expressions in
    /// `${` and `}`, `x-condition` an expression without them, `x-order` the fields as a form
    /// would show them. An action has the service that has to be connected as `x-service`, and as
    /// `x-scopes` lists of scopes: of each list one has to be granted.
    pub data: Value,
}

/// All kinds of nodes.
pub fn catalogue() -> Vec<NodeSchema> {
    NodeKind::all().map(node_schema).collect()
}

fn node_schema(kind: NodeKind) -> NodeSchema {
    let settings = NodeData::schema(kind);
    let (title, description) = (settings.title, settings.description);
    let settings = Policy::schema(kind, draft::schema(settings));
    NodeSchema {
        kind,
        title,
        description,
        handles: kind.handles().to_vec(),
        target_handles: match kind {
            NodeKind::Trigger => vec![],
            NodeKind::Loop => vec![handle::IN, handle::NEXT],
            _ => vec![handle::IN],
        },
        data: settings.into_document(),
    }
}

/// The schema of an object with named fields and no others.
pub(super) struct Settings {
    title: &'static str,
    description: &'static str,
    properties: Map<String, Value>,
    order: Vec<&'static str>,
    required: Vec<&'static str>,
    never_together: Vec<Value>,
    notes: Map<String, Value>,
}

impl Settings {
    /// An object without fields.
    pub(super) fn new(title: &'static str, description: &'static str) -> Self {
        Self {
            title,
            description,
            properties: Map::new(),
            order: Vec::new(),
            required: Vec::new(),
            never_together: Vec::new(),
            notes: Map::new(),
        }
    }

    /// With a field that must be there.
    pub(super) fn required(mut self, name: &'static str, field: Value) -> Self {
        self.required.push(name);
        self.with(name, field)
    }

    /// With a field that may be absent or `null`.
    pub(super) fn optional(self, name: &'static str, field: Value) -> Self {
        self.with(name, field::nullable(field))
    }

    /// With a combination of fields, as a schema, that is refused.
    pub(super) fn never(mut self, combination: Value) -> Self {
        self.never_together.push(combination);
        self
    }

    /// With something to know for whoever shows it.
    pub(super) fn noting(mut self, keyword: &str, value: impl Serialize) -> Self {
        self.notes.insert(keyword.to_owned(), json!(value));
        self
    }

    /// The schema as part of another.
    pub(super) fn into_field(self) -> Value {
        let mut schema = json!({
            "type": "object",
            "title": self.title,
            "description": self.description,
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": false,
            "x-order": self.order,
        });
        if !self.never_together.is_empty() {
            schema["not"] = json!({ "anyOf": self.never_together });
        }
        for (keyword, value) in self.notes {
            schema[keyword] = value;
        }
        schema
    }

    fn with(mut self, name: &'static str, field: Value) -> Self {
        self.properties.insert(name.to_owned(), field);
        self.order.push(name);
        self
    }

    fn into_document(self) -> Value {
        let mut schema = self.into_field();
        schema["$schema"] = json!(DIALECT);
        schema
    }
}
