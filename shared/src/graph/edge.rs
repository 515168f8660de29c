use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{NodeKind, Problem, draft::Draft, handle, shape};

const MAX_ID_LENGTH: usize = 256;

/// A valid edge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// Unique in the graph.
    pub id: String,
    /// The node it comes from.
    pub source: String,
    /// The node it goes to.
    pub target: String,
    /// The handle it comes from: one of [`handle`], or a case of a switch.
    pub source_handle: String,
    /// The handle it goes to: `in` or, back into a loop, `next`.
    pub target_handle: String,
}

/// An edge between two drafts that may have problems.
pub(super) struct DraftEdge {
    /// Position in the editor's list.
    pub(super) position: usize,
    /// Position of the source among the drafts.
    pub(super) source: usize,
    /// Position of the target among the drafts.
    pub(super) target: usize,
    /// The edge itself.
    pub(super) edge: Edge,
}

/// The edges between known nodes; problems of these and the others are added to the list.
pub(super) fn parse_edges(
    edges: &[Value],
    drafts: &[Draft],
    positions: &HashMap<&str, usize>,
    problems: &mut Vec<Problem>,
) -> Vec<DraftEdge> {
    let mut ids = HashSet::new();
    let mut connections = HashSet::new();
    let mut parsed = Vec::new();
    for (position, edge) in edges.iter().enumerate() {
        let Some(mut reader) = Reader::new(position, edge, problems) else {
            continue;
        };
        if !ids.insert(reader.id) {
            reader.refuse("id", "another edge has this id");
        }
        let Some((source, target)) = reader.ends(positions) else {
            continue;
        };
        let Some(edge) = reader.read(&drafts[source], &drafts[target]) else {
            continue;
        };
        let handles = (edge.source_handle.clone(), edge.target_handle.clone());
        if !connections.insert((source, target, handles)) {
            reader.refuse("target", "another edge connects the same nodes");
        }
        parsed.push(DraftEdge {
            position,
            source,
            target,
            edge,
        });
    }
    parsed
}

impl DraftEdge {
    /// A problem of one of its fields.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        let field = format!("edges[{}].{key}", self.position);
        Problem::of_edge(&self.edge.id, field, message)
    }
}

struct Reader<'e, 'p> {
    id: &'e str,
    path: String,
    edge: &'e Value,
    problems: &'p mut Vec<Problem>,
}

impl<'e, 'p> Reader<'e, 'p> {
    fn new(position: usize, edge: &'e Value, problems: &'p mut Vec<Problem>) -> Option<Self> {
        let path = format!("edges[{position}]");
        let id = edge.get("id").and_then(Value::as_str);
        let Some(id) = id.filter(|id| !id.is_empty() && id.len() <= MAX_ID_LENGTH) else {
            let message = "must be a string of 1 to 256 bytes";
            problems.push(Problem::of_graph(format!("{path}.id"), message));
            return None;
        };
        if let Some((field, message)) = shape::find_unstorable(edge, &path) {
            problems.push(Problem::of_edge(id, field, message));
            return None;
        }
        Some(Self {
            id,
            path,
            edge,
            problems,
        })
    }

    fn refuse(&mut self, key: &str, message: impl Into<String>) {
        let field = format!("{}.{key}", self.path);
        self.problems
            .push(Problem::of_edge(self.id, field, message));
    }

    /// The edge, if it connects two nodes: the topology is checked with it, even if it has other
    /// problems.
    fn read(&mut self, source: &Draft, target: &Draft) -> Option<Edge> {
        let source_handle = self.handle("sourceHandle", handle::OUT);
        self.check_handle(source, &source_handle);
        let target_handle = self.target_handle(target);
        if target.kind == Some(NodeKind::Trigger) {
            self.refuse("target", "nothing can lead to a trigger node");
            return None;
        }
        if source.id == target.id {
            self.refuse("target", "an edge cannot lead back to its node");
            return None;
        }
        Some(Edge {
            id: self.id.to_owned(),
            source: source.id.clone(),
            target: target.id.clone(),
            source_handle,
            target_handle,
        })
    }

    /// The positions of both nodes.
    fn ends(&mut self, positions: &HashMap<&str, usize>) -> Option<(usize, usize)> {
        let source = self.end("source", positions);
        let target = self.end("target", positions);
        source.zip(target)
    }

    fn end(&mut self, key: &str, positions: &HashMap<&str, usize>) -> Option<usize> {
        let Some(id) = self.edge.get(key).and_then(Value::as_str) else {
            self.refuse(key, "must be a string");
            return None;
        };
        let position = positions.get(id).copied();
        if position.is_none() {
            self.refuse(key, "there is no such node");
        }
        position
    }

    fn target_handle(&mut self, target: &Draft) -> String {
        let found = self.handle("targetHandle", handle::IN);
        match (found.as_str(), target.kind) {
            (handle::IN, _) | (handle::NEXT, Some(NodeKind::Loop)) => return found,
            (_, Some(NodeKind::Loop)) => {
                self.refuse("targetHandle", "must be `in`, `next` or absent");
            }
            _ => self.refuse("targetHandle", "must be `in` or absent"),
        }
        handle::IN.to_owned()
    }

    /// ReactFlow leaves out the handle of a node with one, or sets it to `null`.
    fn handle(&mut self, key: &str, default: &str) -> String {
        match self.edge.get(key) {
            None | Some(Value::Null) => default.to_owned(),
            Some(Value::String(handle)) => handle.clone(),
            Some(_) => {
                self.refuse(key, "must be a string");
                default.to_owned()
            }
        }
    }

    fn check_handle(&mut self, source: &Draft, handle: &str) {
        match source.handles().as_deref() {
            Some([]) => self.refuse("source", "nothing can follow an output node"),
            Some(handles) if !handles.contains(&handle) => {
                let handles = handles.join("`, `");
                self.refuse("sourceHandle", format!("must be one of `{handles}`"));
            }
            _ => {}
        }
    }
}
