use std::collections::{HashMap, HashSet};

use petgraph::{
    algo::{tarjan_scc, toposort},
    graph::{DiGraph, NodeIndex},
    visit::{Dfs, Reversed, Walker},
};

use super::{Edge, Node, NodeKind, Problem, draft::Draft, handle};

type Topology = DiGraph<(), usize>;

/// A node per draft and an edge per edge, in their order.
pub(super) fn build(drafts: &[Draft], edges: &[Edge]) -> Topology {
    let mut topology = Topology::with_capacity(drafts.len(), edges.len());
    let indices: HashMap<&str, NodeIndex> = drafts
        .iter()
        .map(|draft| (draft.id.as_str(), topology.add_node(())))
        .collect();
    for (position, edge) in edges.iter().enumerate() {
        let ends = (
            indices.get(edge.source.as_str()),
            indices.get(edge.target.as_str()),
        );
        if let (Some(source), Some(target)) = ends {
            topology.add_edge(*source, *target, position);
        }
    }
    topology
}

/// Checks how the nodes are connected, and orders them.
pub(super) fn check(
    drafts: &[Draft],
    edges: &[Edge],
    topology: &Topology,
    problems: &mut Vec<Problem>,
) -> Vec<NodeIndex> {
    check_triggers(drafts, problems);
    check_error_branches(drafts, edges, problems);
    check_cycles(drafts, topology, problems);
    check_reachability(drafts, topology, problems);
    check_references(drafts, topology, problems);
    toposort(topology, None).unwrap_or_default()
}

/// The position of the trigger of a valid graph.
pub(super) fn trigger(nodes: &[Node]) -> usize {
    let trigger = nodes
        .iter()
        .position(|node| node.kind() == NodeKind::Trigger);
    trigger.unwrap_or_default()
}

fn check_triggers(drafts: &[Draft], problems: &mut Vec<Problem>) {
    let triggers: Vec<&Draft> = drafts.iter().filter(|draft| is_trigger(draft)).collect();
    if triggers.is_empty() {
        problems.push(Problem::of_graph(
            "nodes",
            "a workflow needs a trigger node",
        ));
    }
    for extra in triggers.iter().skip(1) {
        let field = format!("{}.type", extra.path());
        problems.push(Problem::of_node(
            &extra.id,
            field,
            "there is another trigger node",
        ));
    }
}

fn check_error_branches(drafts: &[Draft], edges: &[Edge], problems: &mut Vec<Problem>) {
    let followed: HashSet<&str> = edges
        .iter()
        .filter(|edge| edge.source_handle == handle::ERROR)
        .map(|edge| edge.source.as_str())
        .collect();
    for draft in drafts {
        if draft.has_error_branch() && !followed.contains(draft.id.as_str()) {
            let field = format!("{}.data.onError", draft.path());
            let message = "`branch` needs an edge from the handle `error`";
            problems.push(Problem::of_node(&draft.id, field, message));
        }
    }
}

fn check_cycles(drafts: &[Draft], topology: &Topology, problems: &mut Vec<Problem>) {
    for component in tarjan_scc(topology) {
        if component.len() > 1 {
            let mut ids: Vec<&str> = component
                .iter()
                .filter_map(|index| drafts.get(index.index()))
                .map(|draft| draft.id.as_str())
                .collect();
            ids.sort_unstable();
            let message = format!("these nodes form a cycle: `{}`", ids.join("`, `"));
            problems.push(Problem::of_graph("edges", message));
        }
    }
}

fn check_reachability(drafts: &[Draft], topology: &Topology, problems: &mut Vec<Problem>) {
    let start = drafts.iter().position(is_trigger);
    let Some(start) = start else {
        return;
    };
    let walk = Dfs::new(topology, NodeIndex::new(start));
    let reached: HashSet<NodeIndex> = walk.iter(topology).collect();
    for (draft, index) in drafts.iter().zip(topology.node_indices()) {
        if !reached.contains(&index) && !is_trigger(draft) {
            let message = "cannot be reached from the trigger";
            problems.push(Problem::of_node(&draft.id, draft.path(), message));
        }
    }
}

fn check_references(drafts: &[Draft], topology: &Topology, problems: &mut Vec<Problem>) {
    for (draft, index) in drafts.iter().zip(topology.node_indices()) {
        if draft.references.is_empty() {
            continue;
        }
        let against = Reversed(topology);
        let before = Dfs::new(against, index)
            .iter(against)
            .filter(|before| *before != index);
        let before: HashSet<&str> = before
            .filter_map(|before| drafts.get(before.index()))
            .map(|before| before.id.as_str())
            .collect();
        for reference in &draft.references {
            let id = reference.node_id.as_str();
            if before.contains(id) {
                continue;
            }
            let message = if drafts.iter().any(|draft| draft.id == id) {
                format!("node `{id}` does not run before this one")
            } else {
                format!("there is no node `{id}`")
            };
            problems.push(Problem::of_node(&draft.id, &reference.field, message));
        }
    }
}

fn is_trigger(draft: &Draft) -> bool {
    draft.kind == Some(NodeKind::Trigger)
}
