//! Access by position, for those who walk through a graph: each call takes a moment, whatever the
//! size of the graph.

use super::{Edge, Graph, Node, NodeIndex, handle};

/// Positions have to be those of this graph.
impl Graph {
    /// The position of a node.
    pub fn index_of(&self, id: &str) -> Option<NodeIndex> {
        self.positions.get(id).copied()
    }

    /// The node at a position.
    pub fn node_at(&self, node: NodeIndex) -> &Node {
        &self.nodes[node]
    }

    /// The edge at a position in [`Graph::edges`].
    pub fn edge_at(&self, edge: usize) -> &Edge {
        &self.edges[edge]
    }

    /// The source and the target of an edge.
    pub fn edge_ends(&self, edge: usize) -> (NodeIndex, NodeIndex) {
        self.topology.ends(edge)
    }

    /// The edges out of a node, those that lead back into a loop included.
    pub fn outgoing_of(&self, node: NodeIndex) -> &[usize] {
        self.topology.outgoing(node)
    }

    /// The edges into a node, without those that lead back into a loop: those it waits for.
    pub fn incoming_of(&self, node: NodeIndex) -> &[usize] {
        self.topology.incoming(node)
    }

    /// The edges from a loop's handle `each`.
    pub fn entries_of(&self, node: NodeIndex) -> impl Iterator<Item = usize> {
        let edges = self.outgoing_of(node).iter().copied();
        edges.filter(|edge| self.edges[*edge].source_handle == handle::EACH)
    }

    /// The edges into a loop's handle `next`.
    pub fn nexts_of(&self, node: NodeIndex) -> &[usize] {
        self.topology.nexts(node)
    }

    /// The innermost loop around a node.
    pub fn loop_of(&self, node: NodeIndex) -> Option<NodeIndex> {
        self.scopes.loop_of(node)
    }

    /// The number of loops around a node.
    pub fn loops_around(&self, node: NodeIndex) -> usize {
        std::iter::successors(self.loop_of(node), |outer| self.loop_of(*outer)).count()
    }

    /// The nodes of a loop's body, each after all those before it, with the loops in it but
    /// without their bodies.
    pub fn body_of(&self, node: NodeIndex) -> &[NodeIndex] {
        self.scopes.body_of(node)
    }

    /// The nodes in no loop, each after all those before it.
    pub fn top_level(&self) -> &[NodeIndex] {
        self.scopes.top_level()
    }

    /// Whether nothing follows a node on its level: no edge but those into its own body.
    pub fn is_last(&self, node: NodeIndex) -> bool {
        self.entries_of(node).count() == self.outgoing_of(node).len()
    }
}
