//! Workflow graphs as ReactFlow 11 and 12 export them (<https://reactflow.dev/api-reference/types>).
//!
//! A node is `{id, type, position, data}`, an edge `{id, source, target, sourceHandle,
//! targetHandle}`; other keys belong to the editor and are ignored. A node joins: it runs once
//! all of its incoming edges are decided, if at least one of them is taken, and is skipped if
//! none is; a `merge` may wait for all of them, or for the first.
//!
//! The body of a loop are the nodes after its handle `each`. A body is entered only through
//! `each` and left only through an edge into the loop's target handle `next`, the one kind of edge
//! that leads back; its source's output is the item's result. Bodies nest.

mod connections;
mod draft;
mod edge;
mod fields;
mod http_request;
mod lists;
mod node;
mod node_data;
mod policy;
mod problem;
mod references;
mod schema;
mod scopes;
mod settings;
mod shape;
#[cfg(test)]
mod tests;
mod topology;
mod version;
mod walk;

use std::collections::HashMap;

use serde_json::Value;

use draft::Draft;
use edge::DraftEdge;
pub use edge::Edge;
pub use http_request::{check_url, parse_header_name, parse_url};
pub use node::{Node, NodeKind};
pub use node_data::{
    ActionData, AgentData, ApprovalData, ApproverRole, Approvers, ConditionData, FieldType,
    HttpAuth, HttpBody, HttpData, HttpMethod, ItemError, KnowledgeData, LlmData, LoopData,
    MergeData, MergeMode, NextPage, NodeData, OutputData, Pagination, ResponseExpression,
    ResponseFormat, SwitchCase, SwitchData, TransformData, TriggerData, WaitData, WorkflowData,
};
pub use policy::{OnError, Policy, RetryPolicy};
pub use problem::{Invalid, Problem};
pub use schema::{NodeSchema, catalogue};
use scopes::Scopes;
pub use settings::{RunLimits, RunSettings};
use topology::Topology;
pub use version::version_hash;

/// How large a graph may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphLimits {
    /// Nodes at most.
    pub nodes: usize,
    /// Edges at most.
    pub edges: usize,
}

/// The handles of nodes: where edges begin and end.
pub mod handle {
    /// Of every node but those below and outputs; what an edge without a handle means.
    pub const OUT: &str = "out";
    /// Of a condition that holds.
    pub const TRUE: &str = "true";
    /// Of a condition that does not hold.
    pub const FALSE: &str = "false";
    /// Of a switch none of whose cases holds.
    pub const DEFAULT: &str = "default";
    /// Of a loop, into its body.
    pub const EACH: &str = "each";
    /// Of a loop that has ended.
    pub const DONE: &str = "done";
    /// Of an approval that was given.
    pub const APPROVED: &str = "approved";
    /// Of an approval that was refused.
    pub const REJECTED: &str = "rejected";
    /// Of an approval that nobody decided in time; only with `expiresAfterSecs`.
    pub const EXPIRED: &str = "expired";
    /// Of a node with `onError: "branch"` that failed.
    pub const ERROR: &str = "error";
    /// The target handle of every node; what an edge without a target handle means.
    pub const IN: &str = "in";
    /// The target handle of a loop for edges from its body.
    pub const NEXT: &str = "next";
}

/// The position of a node in [`Graph::nodes`].
pub type NodeIndex = usize;

/// A valid graph.
#[derive(Clone, Debug)]
pub struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    positions: HashMap<String, NodeIndex>,
    topology: Topology,
    scopes: Scopes,
    trigger: NodeIndex,
}

impl GraphLimits {
    /// `DESIGN.md` section 3.
    pub const DEFAULT: Self = Self {
        nodes: 500,
        edges: 2000,
    };
}

impl Graph {
    /// Parses and checks a graph of the usual size.
    ///
    /// # Errors
    /// Returns every problem that can be found.
    pub fn parse(nodes: &[Value], edges: &[Value]) -> Result<Self, Invalid> {
        Self::parse_within(nodes, edges, &GraphLimits::DEFAULT)
    }

    /// Parses and checks a graph of another size, in time that grows with the size.
    ///
    /// # Errors
    /// Returns every problem that can be found.
    pub fn parse_within(
        nodes: &[Value],
        edges: &[Value],
        limits: &GraphLimits,
    ) -> Result<Self, Invalid> {
        let mut problems = Vec::new();
        check_sizes(nodes, edges, limits, &mut problems);
        Invalid::unless_empty(&mut problems)?;
        let drafts = draft::parse_nodes(nodes, &mut problems);
        let ids = drafts.iter().map(|draft| draft.id.as_str());
        let positions = ids.zip(0..).collect();
        let edges = edge::parse_edges(edges, &drafts, &positions, &mut problems);
        let topology = Topology::of(drafts.len(), &edges);
        let scopes = check(&drafts, &positions, &edges, &topology, &mut problems);
        Invalid::unless_empty(&mut problems)?;
        let nodes = drafts.into_iter().filter_map(Draft::finish);
        let nodes: Vec<Node> = nodes.collect();
        let is_trigger = |node: &Node| node.kind() == NodeKind::Trigger;
        Ok(Self {
            positions: nodes.iter().map(|node| node.id.clone()).zip(0..).collect(),
            trigger: nodes.iter().position(is_trigger).unwrap_or_default(),
            edges: edges.into_iter().map(|edge| edge.edge).collect(),
            nodes,
            topology,
            scopes,
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
        self.index_of(id).map(|node| self.node_at(node))
    }

    /// The node that every run begins with.
    pub fn trigger(&self) -> &Node {
        &self.nodes[self.trigger]
    }

    /// The nodes, each after all those before it.
    pub fn in_order(&self) -> impl Iterator<Item = &Node> {
        self.topology.order().iter().map(|node| &self.nodes[*node])
    }

    /// The nodes in no loop that nothing follows, as the editor lists them.
    pub fn leaves(&self) -> impl Iterator<Item = &Node> {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .filter(|(position, _)| self.loop_of(*position).is_none() && self.is_last(*position))
            .map(|(_, node)| node)
    }

    /// The edges into a node that it waits for, as the editor lists them.
    pub fn incoming(&self, id: &str) -> impl Iterator<Item = &Edge> {
        let edges = self.index_of(id).map(|node| self.incoming_of(node));
        edges.into_iter().flatten().map(|edge| &self.edges[*edge])
    }

    /// The edges out of a node, as the editor lists them.
    pub fn outgoing(&self, id: &str) -> impl Iterator<Item = &Edge> {
        let edges = self.index_of(id).map(|node| self.outgoing_of(node));
        edges.into_iter().flatten().map(|edge| &self.edges[*edge])
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
}

fn check_sizes(
    nodes: &[Value],
    edges: &[Value],
    limits: &GraphLimits,
    problems: &mut Vec<Problem>,
) {
    if nodes.is_empty() {
        problems.push(Problem::of_graph("nodes", "a workflow needs nodes"));
    }
    if nodes.len() > limits.nodes {
        let message = format!("more than {} nodes", grouped(limits.nodes));
        problems.push(Problem::of_graph("nodes", message));
    }
    if edges.len() > limits.edges {
        let message = format!("more than {} edges", grouped(limits.edges));
        problems.push(Problem::of_graph("edges", message));
    }
}

/// How the nodes are connected, and what their expressions use. In a cycle, there is no before
/// and after.
fn check(
    drafts: &[Draft],
    positions: &HashMap<&str, NodeIndex>,
    edges: &[DraftEdge],
    topology: &Topology,
    problems: &mut Vec<Problem>,
) -> Scopes {
    connections::check_triggers(drafts, problems);
    connections::check_error_branches(drafts, edges, problems);
    connections::check_cycles(drafts, topology, problems);
    let is_reached = connections::check_reachability(drafts, topology, problems);
    if topology.order().len() < drafts.len() {
        return Scopes::without_loops(topology, drafts.len());
    }
    let scopes = scopes::check(drafts, edges, topology, &is_reached, problems);
    references::check(drafts, positions, topology, &scopes, problems);
    scopes
}

/// A number as people read it.
fn grouped(number: usize) -> String {
    match number / 1000 {
        0 => number.to_string(),
        thousands => format!("{},{:03}", grouped(thousands), number % 1000),
    }
}
