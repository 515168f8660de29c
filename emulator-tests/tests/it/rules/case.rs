use serde_json::{Value, json};

use super::{actor::Actor, values::to_fields};

/// What the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allow,
    Deny,
}

/// What somebody does with the document or collection at a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operation {
    Get,
    /// A query of the collection with conditions in Firestore's JSON.
    List(Vec<Value>),
    /// A query of all collections with the name.
    ListGroup(Vec<Value>),
    /// Fields of a new document in plain JSON.
    Create(Value),
    /// Fields to set in plain JSON and, after them, paths of fields to remove.
    Update(Value, Vec<&'static str>),
    /// `set` without `merge`: all fields of the document in plain JSON.
    Set(Value),
    Delete,
}

/// The kinds of access that rules tell apart.
pub(super) const METHODS: [&str; 5] = ["get", "list", "create", "update", "delete"];

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Case {
    pub(super) expected: Verdict,
    pub(super) actor: Actor,
    pub(super) path: String,
    pub(super) operation: Operation,
}

impl Case {
    /// The collection without ids: `executions/logs`.
    pub(super) fn collection(&self) -> String {
        collection_of(&self.path)
    }

    /// One of [`METHODS`]; `set` is a creation or an update, as it comes.
    pub(super) fn method(&self) -> Option<&'static str> {
        match self.operation {
            Operation::Get => Some("get"),
            Operation::List(_) | Operation::ListGroup(_) => Some("list"),
            Operation::Create(_) => Some("create"),
            Operation::Update(..) => Some("update"),
            Operation::Delete => Some("delete"),
            Operation::Set(_) => None,
        }
    }

    pub(super) fn is_write(&self) -> bool {
        !matches!(self.method(), Some("get" | "list"))
    }
}

pub(super) fn collection_of(path: &str) -> String {
    let names: Vec<&str> = path.split('/').step_by(2).collect();
    names.join("/")
}

pub(super) fn allow(actor: Actor, path: &str, operation: Operation) -> Case {
    case(Verdict::Allow, actor, path, operation)
}

pub(super) fn deny(actor: Actor, path: &str, operation: Operation) -> Case {
    case(Verdict::Deny, actor, path, operation)
}

fn case(expected: Verdict, actor: Actor, path: &str, operation: Operation) -> Case {
    Case {
        expected,
        actor,
        path: path.to_owned(),
        operation,
    }
}

/// Sets fields of a document that exists.
pub(super) fn update(fields: Value) -> Operation {
    Operation::Update(fields, Vec::new())
}

/// Removes a field of a document that exists.
pub(super) fn remove(field: &'static str) -> Operation {
    Operation::Update(json!({}), vec![field])
}

/// A query for documents whose field compares so with a value.
pub(super) fn list(field: &str, operator: &str, value: Value) -> Operation {
    Operation::List(vec![condition(field, operator, value)])
}

pub(super) fn condition(field: &str, operator: &str, value: Value) -> Value {
    let value = to_fields(&json!({ "v": value }))["v"].clone();
    json!({ "fieldFilter": { "field": { "fieldPath": field }, "op": operator, "value": value } })
}
