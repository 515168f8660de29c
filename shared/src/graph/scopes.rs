//! Which nodes a loop runs for each of its items: its body.
//!
//! An edge from a loop's handle `each` leads into its body, any other edge stays in the body of
//! its source. All edges into a node have to agree.

use super::{
    NodeKind, Problem, draft::Draft, edge::DraftEdge, handle, lists::Lists, topology::Topology,
};

/// Loops in loops: the steps of a run grow by a power.
const MAX_DEPTH: usize = 3;

/// The loop around each node, and the other way round.
#[derive(Clone, Debug)]
pub(super) struct Scopes {
    loops: Vec<Option<usize>>,
    /// By loop; the last list is of the nodes in no loop.
    bodies: Lists,
}

/// Finds the bodies and checks them. The nodes have to be without a cycle.
pub(super) fn check(
    drafts: &[Draft],
    edges: &[DraftEdge],
    topology: &Topology,
    is_reached: &[bool],
    problems: &mut Vec<Problem>,
) -> Scopes {
    let mut walk = Walk {
        drafts,
        edges,
        topology,
        is_reached,
        loops: vec![None; drafts.len()],
        problems,
    };
    for node in topology.order() {
        walk.enter(*node);
    }
    for (node, draft) in drafts.iter().enumerate() {
        if draft.kind == Some(NodeKind::Loop) {
            walk.check_loop(node);
        }
    }
    Scopes::new(walk.loops, topology)
}

impl Scopes {
    /// The innermost loop around a node.
    pub(super) fn loop_of(&self, node: usize) -> Option<usize> {
        self.loops[node]
    }

    /// The loops around a node, the innermost first.
    pub(super) fn around(&self, node: usize) -> impl Iterator<Item = usize> {
        around(&self.loops, self.loops[node])
    }

    /// The nodes of a loop's body, without the bodies of the loops in it.
    pub(super) fn body_of(&self, node: usize) -> &[usize] {
        self.bodies.get(node)
    }

    /// The nodes in no loop.
    pub(super) fn top_level(&self) -> &[usize] {
        self.bodies.get(self.loops.len())
    }

    /// So many nodes, as if no loop was among them.
    pub(super) fn without_loops(topology: &Topology, node_count: usize) -> Self {
        Self::new(vec![None; node_count], topology)
    }

    fn new(loops: Vec<Option<usize>>, topology: &Topology) -> Self {
        let top_level = loops.len();
        let order = topology.order().iter();
        let pairs: Vec<_> = order
            .map(|node| (loops[*node].unwrap_or(top_level), *node))
            .collect();
        Self {
            bodies: Lists::group(top_level + 1, &pairs),
            loops,
        }
    }
}

struct Walk<'g, 'p> {
    drafts: &'g [Draft],
    edges: &'g [DraftEdge],
    topology: &'g Topology,
    is_reached: &'g [bool],
    loops: Vec<Option<usize>>,
    problems: &'p mut Vec<Problem>,
}

impl Walk<'_, '_> {
    /// Finds the loop around a node; those of the nodes before it are known.
    fn enter(&mut self, node: usize) {
        let incoming = self.topology.incoming(node).iter().copied();
        let carried: Vec<(usize, Option<usize>)> = incoming
            .filter(|edge| self.is_reached[self.edges[*edge].source])
            .map(|edge| (edge, self.carried(edge)))
            .collect();
        let loops = carried.iter().map(|(_, carried)| *carried);
        let common = loops.reduce(|one, other| self.common(one, other));
        self.loops[node] = common.flatten();
        self.check_agreement(node, &carried);
        self.check_place(node);
    }

    /// The loop whose body an edge leads into or stays in.
    fn carried(&self, edge: usize) -> Option<usize> {
        let DraftEdge { source, edge, .. } = &self.edges[edge];
        let is_entry = self.drafts[*source].kind == Some(NodeKind::Loop)
            && edge.source_handle == handle::EACH
            && self.depth(*source) < MAX_DEPTH;
        if is_entry {
            Some(*source)
        } else {
            self.loops[*source]
        }
    }

    fn check_agreement(&mut self, node: usize, carried: &[(usize, Option<usize>)]) {
        let scope = self.loops[node];
        let outside = carried.iter().find(|(_, carried)| *carried == scope);
        for (edge, carried) in carried {
            let Some(inside) = carried.filter(|_| *carried != scope) else {
                continue;
            };
            let (id, inside) = (&self.drafts[node].id, &self.drafts[inside].id);
            let through = outside.map_or(String::new(), |(edge, _)| {
                format!(", through edge `{}`,", self.edges[*edge].edge.id)
            });
            let message = format!(
                "node `{id}` is reached from the body of loop `{inside}` and{through} from outside \
                 it: a body is entered only through `each` and left only through `next`"
            );
            let problem = self.edges[*edge].problem("target", message);
            self.problems.push(problem);
        }
    }

    fn check_place(&mut self, node: usize) {
        let draft = &self.drafts[node];
        match (draft.kind, self.loops[node]) {
            (Some(NodeKind::Output), Some(around)) => {
                let around = &self.drafts[around].id;
                let message = format!("an output node cannot be in the body of loop `{around}`");
                let field = format!("{}.type", draft.path());
                self.problems
                    .push(Problem::of_node(&draft.id, field, message));
            }
            (Some(NodeKind::Loop), Some(_)) if self.depth(node) >= MAX_DEPTH => {
                let message = format!("loops are nested at most {MAX_DEPTH} deep");
                let field = format!("{}.type", draft.path());
                self.problems
                    .push(Problem::of_node(&draft.id, field, message));
            }
            _ => {}
        }
    }

    fn check_loop(&mut self, node: usize) {
        let draft = &self.drafts[node];
        let outgoing = self.topology.outgoing(node).iter();
        let mut handles = outgoing.map(|edge| &self.edges[*edge].edge.source_handle);
        if !handles.any(|handle| handle == handle::EACH) {
            let message = "a loop needs an edge from the handle `each`";
            self.problems
                .push(Problem::of_node(&draft.id, draft.path(), message));
        }
        if self.depth(node) < MAX_DEPTH {
            for edge in self.topology.nexts(node) {
                self.check_next(node, &self.edges[*edge]);
            }
        }
    }

    fn check_next(&mut self, node: usize, edge: &DraftEdge) {
        let innermost = self.loops[edge.source];
        if innermost == Some(node) || !self.is_reached[edge.source] {
            return;
        }
        let id = &self.drafts[node].id;
        let message = match innermost {
            Some(inner) if around(&self.loops, innermost).any(|outer| outer == node) => {
                let inner = &self.drafts[inner].id;
                format!(
                    "the handle `next` of loop `{id}` takes edges from its own body, not from that \
                     of loop `{inner}` in it"
                )
            }
            _ => format!("the handle `next` of loop `{id}` takes edges from its body only"),
        };
        self.problems.push(edge.problem("source", message));
    }

    /// The innermost loop around both, of a loop or none each.
    fn common(&self, one: Option<usize>, other: Option<usize>) -> Option<usize> {
        around(&self.loops, one).find(|one| around(&self.loops, other).any(|other| *one == other))
    }

    /// The number of loops around a node.
    fn depth(&self, node: usize) -> usize {
        around(&self.loops, self.loops[node]).count()
    }
}

/// A loop and those around it.
fn around(loops: &[Option<usize>], innermost: Option<usize>) -> impl Iterator<Item = usize> {
    std::iter::successors(innermost, |inner| loops[*inner])
}
