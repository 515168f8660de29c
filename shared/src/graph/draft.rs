use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{
    Node, NodeData, NodeKind, OnError, Policy, Problem,
    fields::{Fields, Reference},
    handle,
    schema::Settings,
    shape,
};

const MAX_ID_LENGTH: usize = 64;

/// A node that has an id and may have problems.
pub(super) struct Draft {
    /// Position in the editor's list.
    pub(super) position: usize,
    /// Unique among the drafts.
    pub(super) id: String,
    /// The kind, if it is known.
    pub(super) kind: Option<NodeKind>,
    /// What its expressions use.
    pub(super) references: Vec<Reference>,
    policy: Policy,
    label: Option<String>,
    data: Option<NodeData>,
}

/// The nodes with an id of their own; problems of these and the others are added to the list.
pub(super) fn parse_nodes(nodes: &[Value], problems: &mut Vec<Problem>) -> Vec<Draft> {
    let mut seen = HashSet::new();
    let mut drafts = Vec::new();
    for (position, node) in nodes.iter().enumerate() {
        let path = format!("nodes[{position}]");
        let id = match node_id(node) {
            Ok(id) => id,
            Err(message) => {
                problems.push(Problem::of_graph(format!("{path}.id"), message));
                continue;
            }
        };
        if !seen.insert(id) {
            problems.push(Problem::of_node(
                id,
                format!("{path}.id"),
                "another node has this id",
            ));
            continue;
        }
        drafts.push(Draft::parse(position, id, node, problems));
    }
    drafts
}

/// The schema of a kind's data with what every node may say about itself.
pub(super) fn schema(settings: Settings) -> Settings {
    let label = json!({ "type": "string", "description": "What the editor shows." });
    let description = json!({ "type": "string", "description": "What the node is for." });
    settings
        .optional("label", label)
        .optional("description", description)
        .optional("ui", json!({ "description": "Belongs to the editor." }))
}

impl Draft {
    /// The node, if it has no problems.
    pub(super) fn finish(self) -> Option<Node> {
        Some(Node {
            id: self.id,
            label: self.label,
            data: self.data?,
            policy: self.policy,
        })
    }

    /// Where the node is.
    pub(super) fn path(&self) -> String {
        format!("nodes[{}]", self.position)
    }

    /// Whether a failure goes on at the handle `error`.
    pub(super) fn has_error_branch(&self) -> bool {
        self.policy.on_error == OnError::Branch
    }

    /// The source handles, if they are known.
    pub(super) fn handles(&self) -> Option<Vec<&str>> {
        let mut handles = match (&self.data, self.kind?) {
            (Some(data), _) => data.handles(),
            (None, kind) if kind.has_handles_of_its_own() => return None,
            (None, kind) => kind.handles().to_vec(),
        };
        if self.has_error_branch() {
            handles.push(handle::ERROR);
        }
        Some(handles)
    }

    fn parse(position: usize, id: &str, node: &Value, problems: &mut Vec<Problem>) -> Self {
        let mut draft = Self {
            position,
            id: id.to_owned(),
            kind: None,
            references: Vec::new(),
            policy: Policy::default(),
            label: None,
            data: None,
        };
        let path = draft.path();
        if let Some((field, message)) = shape::find_unstorable(node, &path) {
            problems.push(Problem::of_node(id, field, message));
            return draft;
        }
        match node_kind(node) {
            Ok(kind) => draft.kind = Some(kind),
            Err(message) => problems.push(Problem::of_node(id, format!("{path}.type"), message)),
        }
        let path = format!("{path}.data");
        match (draft.kind, node_data(node)) {
            (_, Err(message)) => problems.push(Problem::of_node(id, path, message)),
            (None, _) => {}
            (Some(kind), Ok(values)) => {
                draft.read(kind, Fields::new(id, path, values, problems));
            }
        }
        draft
    }

    fn read(&mut self, kind: NodeKind, mut fields: Fields<'_>) {
        self.label = fields.optional("label");
        let _: Option<String> = fields.optional("description");
        let _: Option<Value> = fields.optional("ui");
        self.policy = Policy::read(kind, &mut fields);
        self.data = NodeData::read(kind, &mut fields);
        self.references = fields.finish();
    }
}

/// Ids become parts of document paths
/// (<https://firebase.google.com/docs/firestore/quotas#collections_documents_and_fields>).
fn node_id(node: &Value) -> Result<&str, &'static str> {
    let id = node
        .get("id")
        .and_then(Value::as_str)
        .ok_or("must be a string")?;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    if id.is_empty() || id.len() > MAX_ID_LENGTH || !id.chars().all(is_allowed) {
        return Err("must be 1 to 64 of A-Z a-z 0-9 _ . : -");
    }
    if id == "." || id == ".." || (id.starts_with("__") && id.ends_with("__")) {
        return Err("must not be a dot, two dots or between double underscores");
    }
    Ok(id)
}

fn node_kind(node: &Value) -> Result<NodeKind, String> {
    let text = node
        .get("type")
        .and_then(Value::as_str)
        .ok_or("must be a string")?;
    NodeKind::parse(text).ok_or_else(|| {
        let text: String = text.chars().take(MAX_ID_LENGTH).collect();
        format!("there is no node type `{text}`")
    })
}

fn node_data(node: &Value) -> Result<Map<String, Value>, &'static str> {
    match node.get("data") {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(values)) => Ok(values.clone()),
        Some(_) => Err("must be an object"),
    }
}
