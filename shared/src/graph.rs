//! Workflow graphs as ReactFlow 11 and 12 export them (<https://reactflow.dev/api-reference/types>).
//!
//! A node is `{id, type, position, data}`, an edge `{id, source, target, sourceHandle,
//! targetHandle}`; other keys belong to the editor and are ignored. A node joins: it runs once
//! all of its incoming edges are decided, if at least one of them is taken, and is skipped if
//! none is.

mod draft;
mod edge;
mod fields;
mod http_request;
mod node;
mod node_data;
mod problem;
mod shape;
#[cfg(test)]
mod tests;
mod topology;
mod version;

use std::collections::HashMap;

use petgraph::{
    Direction,
    graph::{DiGraph, NodeIndex},
};
use serde_json::Value;

pub use edge::Edge;
pub use http_request::{check_url, parse_header_name, parse_url};
pub use node::{Node, NodeKind, OnError, Policy, RetryPolicy};
pub use node_data::{
    AgentData, ConditionData, FieldType, HttpData, HttpMethod, LlmData, NodeData, OutputData,
    TransformData, TriggerData, WaitData,
};
pub use problem::{Invalid, Problem};
pub use version::version_hash;

/// `DESIGN.md` section 3.
pub const MAX_NODES: usize = 500;
/// `DESIGN.md` section 3.
pub const MAX_EDGES: usize = 2000;

/// Source handles.
pub mod handle {
    /// Of every node but conditions and outputs; what an edge without a handle means.
    pub const OUT: &str = "out";
    /// Of a condition that holds.
    pub const TRUE: &str = "true";
    /// Of a condition that does not hold.
    pub const FALSE: &str = "false";
    /// Of a node with `onError: "branch"` that failed.
    pub const ERROR: &str = "error";
}

/// A valid graph.
#[derive(Clone, Debug)]
pub struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    positions: HashMap<String, NodeIndex>,
    topology: DiGraph<(), usize>,
    order: Vec<NodeIndex>,
    trigger: usize,
}

/// Whether a node can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// An incoming edge is not decided.
    Undecided,
    /// It runs.
    Ready,
    /// No incoming edge is taken.
    Skipped,
}

impl Graph {
    /// Parses and checks a graph.
    ///
    /// # Errors
    /// Returns every problem that can be found.
    pub fn parse(nodes: &[Value], edges: &[Value]) -> Result<Self, Invalid> {
        let mut problems = Vec::new();
        check_sizes(nodes, edges, &mut problems);
        Invalid::unless_empty(&mut problems)?;
        let drafts = draft::parse_nodes(nodes, &mut problems);
        let edges = edge::parse_edges(edges, &drafts, &mut problems);
        let topology = topology::build(&drafts, &edges);
        let order = topology::check(&drafts, &edges, &topology, &mut problems);
        Invalid::unless_empty(&mut problems)?;
        let nodes: Vec<Node> = drafts
            .into_iter()
            .filter_map(draft::Draft::finish)
            .collect();
        let positions = nodes.iter().zip(topology.node_indices());
        Ok(Self {
            positions: positions
                .map(|(node, index)| (node.id.clone(), index))
                .collect(),
            trigger: topology::trigger(&nodes),
            nodes,
            edges,
            topology,
            order,
        })
    }

    /// All nodes, as the editor lists them.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// All edges, as the editor lists them.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// A node.
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.get(self.positions.get(id)?.index())
    }

    /// The node that every run begins with.
    pub fn trigger(&self) -> &Node {
        &self.nodes[self.trigger]
    }

    /// The nodes, each after all those before it.
    pub fn in_order(&self) -> impl Iterator<Item = &Node> {
        self.order
            .iter()
            .filter_map(|index| self.nodes.get(index.index()))
    }

    /// The nodes without outgoing edges, as the editor lists them.
    pub fn leaves(&self) -> impl Iterator<Item = &Node> {
        self.nodes
            .iter()
            .filter(|node| self.outgoing(&node.id).next().is_none())
    }

    /// The edges into a node, as the editor lists them.
    pub fn incoming(&self, id: &str) -> impl Iterator<Item = &Edge> {
        self.edges_of(id, Direction::Incoming)
    }

    /// The edges out of a node, as the editor lists them.
    pub fn outgoing(&self, id: &str) -> impl Iterator<Item = &Edge> {
        self.edges_of(id, Direction::Outgoing)
    }

    /// Whether a node can run, given which edges are taken (`Some(true)`), not taken
    /// (`Some(false)`) or not decided yet (`None`). The trigger always can.
    pub fn readiness(&self, id: &str, taken: impl Fn(&Edge) -> Option<bool>) -> Readiness {
        let decisions: Vec<_> = self.incoming(id).map(taken).collect();
        if decisions.contains(&None) {
            Readiness::Undecided
        } else if decisions.is_empty() || decisions.contains(&Some(true)) {
            Readiness::Ready
        } else {
            Readiness::Skipped
        }
    }

    /// Checks the payload of a run against the fields that the trigger node declares.
    ///
    /// # Errors
    /// Returns every field that is missing or has another type.
    pub fn check_payload(&self, payload: &Value) -> Result<(), Invalid> {
        match &self.trigger().data {
            NodeData::Trigger(trigger) => trigger.check_payload(&self.trigger().id, payload),
            _ => Ok(()),
        }
    }

    fn edges_of(&self, id: &str, direction: Direction) -> impl Iterator<Item = &Edge> {
        let index = self.positions.get(id).copied();
        let references = index.map(|index| self.topology.edges_directed(index, direction));
        let mut positions: Vec<usize> = references
            .into_iter()
            .flatten()
            .map(|edge| *edge.weight())
            .collect();
        positions.sort_unstable();
        positions
            .into_iter()
            .filter_map(|position| self.edges.get(position))
    }
}

fn check_sizes(nodes: &[Value], edges: &[Value], problems: &mut Vec<Problem>) {
    if nodes.is_empty() {
        problems.push(Problem::of_graph("nodes", "a workflow needs nodes"));
    }
    if nodes.len() > MAX_NODES {
        problems.push(Problem::of_graph("nodes", "more than 500 nodes"));
    }
    if edges.len() > MAX_EDGES {
        problems.push(Problem::of_graph("edges", "more than 2,000 edges"));
    }
}
