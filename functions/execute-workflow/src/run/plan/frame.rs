use shared::{
    graph::{Graph, MergeMode, NodeIndex},
    inputs::Bindings,
};

use super::Place;

/// A frame's number; numbers are not used again.
pub(in crate::run) type FrameId = usize;

/// A scope at work.
pub(super) struct Frame {
    /// The loop and the number of the item; none for the run itself.
    pub(super) of: Option<(Place, usize)>,
    pub(super) iteration: String,
    pub(super) bindings: Bindings,
    /// By position in the scope.
    pub(super) joins: Vec<Join>,
    /// Nodes that are not decided.
    pub(super) left: usize,
    /// The nodes whose edge into `next` was taken.
    pub(super) results: Vec<NodeIndex>,
}

/// How far the edges into a node are decided.
#[derive(Clone, Debug, Default)]
pub(super) struct Join {
    pub(super) edges: usize,
    pub(super) undecided: usize,
    pub(super) taken: usize,
    /// The edges that were taken, in the order in which that became known.
    pub(super) taken_edges: Vec<usize>,
    /// Whether it has become clear whether the node runs.
    pub(super) had_turn: bool,
    pub(super) has_run: bool,
}

impl Join {
    /// Whether the node runs, once that is clear.
    pub(super) fn outcome(&self, mode: MergeMode) -> Option<bool> {
        let not_taken = self.edges - self.undecided - self.taken;
        match mode {
            MergeMode::First if self.taken > 0 => Some(true),
            MergeMode::All if not_taken > 0 => Some(false),
            _ if self.undecided > 0 => None,
            _ => Some(self.taken > 0 || self.edges == 0),
        }
    }
}

/// The state of a node at the beginning of its scope: edges from the loop around it are taken.
pub(super) fn join(graph: &Graph, around: Option<NodeIndex>, node: NodeIndex) -> Join {
    let edges = graph.incoming_of(node);
    let sources = edges.iter().map(|edge| graph.edge_ends(*edge).0);
    let taken = sources.filter(|source| Some(*source) == around).count();
    Join {
        edges: edges.len(),
        undecided: edges.len() - taken,
        taken,
        ..Join::default()
    }
}
