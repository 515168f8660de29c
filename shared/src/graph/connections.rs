//! Checks of how the nodes are connected, loops aside.

use std::collections::HashSet;

use petgraph::{algo::kosaraju_scc, graph::DiGraph};

use super::{NodeKind, Problem, draft::Draft, edge::DraftEdge, handle, topology::Topology};

/// Every run begins with the only trigger.
pub(super) fn check_triggers(drafts: &[Draft], problems: &mut Vec<Problem>) {
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

/// A failure that is to be handled has a way to go.
pub(super) fn check_error_branches(
    drafts: &[Draft],
    edges: &[DraftEdge],
    problems: &mut Vec<Problem>,
) {
    let followed: HashSet<usize> = edges
        .iter()
        .filter(|edge| edge.edge.source_handle == handle::ERROR)
        .map(|edge| edge.source)
        .collect();
    for (position, draft) in drafts.iter().enumerate() {
        if draft.has_error_branch() && !followed.contains(&position) {
            let field = format!("{}.data.onError", draft.path());
            let message = "`branch` needs an edge from the handle `error`";
            problems.push(Problem::of_node(&draft.id, field, message));
        }
    }
}

/// Only edges into a loop's `next` lead back.
pub(super) fn check_cycles(drafts: &[Draft], topology: &Topology, problems: &mut Vec<Problem>) {
    if topology.order().len() == drafts.len() {
        return;
    }
    let mut graph = DiGraph::<(), ()>::with_capacity(drafts.len(), 0);
    let indices: Vec<_> = drafts.iter().map(|_| graph.add_node(())).collect();
    for node in 0..drafts.len() {
        for after in topology.after(node) {
            graph.add_edge(indices[node], indices[after], ());
        }
    }
    for component in kosaraju_scc(&graph) {
        if component.len() > 1 {
            let mut ids: Vec<&str> = component
                .iter()
                .map(|index| drafts[index.index()].id.as_str())
                .collect();
            ids.sort_unstable();
            let message = format!("these nodes form a cycle: `{}`", ids.join("`, `"));
            problems.push(Problem::of_graph("edges", message));
        }
    }
}

/// Every node can come to run. Returns which can, or all where there is no trigger.
pub(super) fn check_reachability(
    drafts: &[Draft],
    topology: &Topology,
    problems: &mut Vec<Problem>,
) -> Vec<bool> {
    let Some(start) = drafts.iter().position(is_trigger) else {
        return vec![true; drafts.len()];
    };
    let is_reached = topology.reached_from(start, drafts.len());
    for (draft, is_reached) in drafts.iter().zip(&is_reached) {
        if !is_reached && !is_trigger(draft) {
            let message = "cannot be reached from the trigger";
            problems.push(Problem::of_node(&draft.id, draft.path(), message));
        }
    }
    is_reached
}

fn is_trigger(draft: &Draft) -> bool {
    draft.kind == Some(NodeKind::Trigger)
}
