use super::{edge::DraftEdge, handle, lists::Lists};

/// How the nodes are connected; nodes and edges are positions in their lists.
#[derive(Clone, Debug)]
pub(super) struct Topology {
    ends: Vec<(usize, usize)>,
    outgoing: Lists,
    incoming: Lists,
    nexts: Lists,
    is_next: Vec<bool>,
    order: Vec<usize>,
}

impl Topology {
    /// So many nodes, connected by the edges.
    pub(super) fn of(node_count: usize, edges: &[DraftEdge]) -> Self {
        let is_next = |edge: &DraftEdge| edge.edge.target_handle == handle::NEXT;
        let group = |is_wanted: &dyn Fn(&DraftEdge) -> bool, end: fn(&DraftEdge) -> usize| {
            let wanted = edges.iter().enumerate().filter(|(_, edge)| is_wanted(edge));
            let pairs: Vec<_> = wanted.map(|(at, edge)| (end(edge), at)).collect();
            Lists::group(node_count, &pairs)
        };
        let mut topology = Self {
            ends: edges
                .iter()
                .map(|edge| (edge.source, edge.target))
                .collect(),
            outgoing: group(&|_| true, |edge| edge.source),
            incoming: group(&|edge| !is_next(edge), |edge| edge.target),
            nexts: group(&is_next, |edge| edge.target),
            is_next: edges.iter().map(is_next).collect(),
            order: Vec::new(),
        };
        topology.order = topology.sort(node_count);
        topology
    }

    /// The source and the target of an edge.
    pub(super) fn ends(&self, edge: usize) -> (usize, usize) {
        self.ends[edge]
    }

    /// The edges out of a node.
    pub(super) fn outgoing(&self, node: usize) -> &[usize] {
        self.outgoing.get(node)
    }

    /// The edges into a node, without those that lead back into a loop.
    pub(super) fn incoming(&self, node: usize) -> &[usize] {
        self.incoming.get(node)
    }

    /// The edges that lead back into a loop.
    pub(super) fn nexts(&self, node: usize) -> &[usize] {
        self.nexts.get(node)
    }

    /// The nodes right before a node.
    pub(super) fn before(&self, node: usize) -> impl Iterator<Item = usize> {
        self.incoming(node).iter().map(|edge| self.ends[*edge].0)
    }

    /// The nodes right after a node.
    pub(super) fn after(&self, node: usize) -> impl Iterator<Item = usize> {
        let edges = self.outgoing(node).iter();
        edges
            .filter(|edge| !self.is_next[**edge])
            .map(|edge| self.ends[*edge].1)
    }

    /// The nodes, each after all those before it; without those in a cycle and after one.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    /// Whether a node leads to each node, itself included.
    pub(super) fn reached_from(&self, node: usize, node_count: usize) -> Vec<bool> {
        let mut is_reached = vec![false; node_count];
        is_reached[node] = true;
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            for after in self.after(node) {
                if !std::mem::replace(&mut is_reached[after], true) {
                    open.push(after);
                }
            }
        }
        is_reached
    }

    fn sort(&self, node_count: usize) -> Vec<usize> {
        let mut open: Vec<usize> = (0..node_count)
            .map(|node| self.incoming(node).len())
            .collect();
        let mut order: Vec<usize> = (0..node_count).filter(|node| open[*node] == 0).collect();
        let mut next = 0;
        while let Some(node) = order.get(next).copied() {
            next += 1;
            for after in self.after(node) {
                open[after] -= 1;
                if open[after] == 0 {
                    order.push(after);
                }
            }
        }
        order
    }
}
