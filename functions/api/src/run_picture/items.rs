//! What became of the items of loops, as the steps of their bodies tell.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use shared::{
    graph::handle,
    models::{Step, StepStatus},
};

use super::{edge::Edge, is_fatal, outcome::Count};

/// The items of each node that is a loop and has begun.
pub(super) fn count(edges: &[Edge], nodes: &[&Value], steps: &[Vec<&Step>]) -> Vec<Option<Count>> {
    let mut outgoing: Vec<Vec<&Edge>> = nodes.iter().map(|_| Vec::new()).collect();
    for edge in edges {
        outgoing[edge.source].push(edge);
    }
    let count = |node: usize| {
        let body = Body::of(node, &outgoing);
        let is_begun = !body.0.is_empty() && !steps[node].is_empty();
        is_begun.then(|| body.count(node, nodes, steps))
    };
    (0..nodes.len()).map(count).collect()
}

/// The nodes that run once for each item; none if the node is no loop.
struct Body(BTreeSet<usize>);

#[derive(Default)]
struct Item {
    ended: usize,
    is_failed: bool,
}

impl Body {
    fn of(node: usize, outgoing: &[Vec<&Edge>]) -> Self {
        let targets = |node: usize, is_entry: bool| {
            let edges = outgoing[node].iter();
            let edges = edges
                .filter(move |edge| !edge.is_back && (edge.handle == handle::EACH) == is_entry);
            edges.map(|edge| edge.target)
        };
        let mut reached = BTreeSet::new();
        let mut open: Vec<usize> = targets(node, true).collect();
        while let Some(place) = open.pop() {
            if place != node && reached.insert(place) {
                // The bodies of loops in this one have items of their own.
                open.extend(targets(place, false));
            }
        }
        Self(reached)
    }

    fn count(&self, node: usize, nodes: &[&Value], steps: &[Vec<&Step>]) -> Count {
        let own: Vec<&str> = steps[node].iter().map(|step| &*step.iteration).collect();
        let mut items: BTreeMap<&str, Item> = BTreeMap::new();
        for place in &self.0 {
            for step in &steps[*place] {
                let outer = step.iteration.rsplit_once('.').map(|(outer, _)| outer);
                if outer.is_none_or(|outer| !own.contains(&outer)) {
                    continue;
                }
                let item = items.entry(&step.iteration).or_default();
                let has_failed = matches!(step.status, StepStatus::Failed | StepStatus::Unknown);
                item.is_failed |= has_failed && is_fatal(nodes[*place]);
                let has_ended = step.result.is_some() || step.status == StepStatus::Skipped;
                item.ended += usize::from(has_ended);
            }
        }
        let mut count = Count::default();
        for item in items.values() {
            match item {
                Item {
                    is_failed: true, ..
                } => count.failed += 1,
                Item { ended, .. } if *ended == self.0.len() => count.done += 1,
                Item { .. } => count.open += 1,
            }
        }
        count
    }
}
