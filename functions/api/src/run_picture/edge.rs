use std::collections::HashMap;

use serde_json::Value;
use shared::{
    graph::handle,
    models::{Step, StepStatus},
};

use super::is_fatal;

/// A connection of two nodes, by their places in the list.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) source: usize,
    pub(super) target: usize,
    /// Where it begins.
    pub(super) handle: String,
    /// Whether it leads from the body of a loop back to the loop.
    pub(super) is_back: bool,
    /// Whether the run went along it; unknown without a run.
    pub(super) is_taken: Option<bool>,
}

impl Edge {
    /// The handle, if there can be others.
    pub(super) fn label(&self) -> Option<&str> {
        (self.handle != handle::OUT).then_some(&self.handle)
    }
}

pub(super) fn parse(edges: &[Value], places: &HashMap<&str, usize>) -> Vec<Edge> {
    let place = |id: &Value| places.get(id.as_str()?).copied();
    let edges = edges.iter().filter_map(|edge| {
        let handle = edge["sourceHandle"].as_str();
        Some(Edge {
            source: place(&edge["source"])?,
            target: place(&edge["target"])?,
            handle: handle.unwrap_or(handle::OUT).to_owned(),
            is_back: edge["targetHandle"] == handle::NEXT,
            is_taken: None,
        })
    });
    edges.collect()
}

/// Marks the edges that the run went along, given its steps by node.
pub(super) fn mark_taken(edges: &mut [Edge], nodes: &[&Value], steps: &[Vec<&Step>]) {
    for edge in edges {
        let is_entered = || {
            let mut steps = steps[edge.target].iter();
            steps.any(|step| step.status != StepStatus::Skipped)
        };
        edge.is_taken = Some(match edge.handle.as_str() {
            handle::EACH => is_entered(),
            handle => {
                let is_fatal = is_fatal(nodes[edge.source]);
                let mut steps = steps[edge.source].iter();
                steps.any(|step| leaves_by(step, handle, is_fatal))
            }
        });
    }
}

fn leaves_by(step: &Step, handle: &str, is_fatal: bool) -> bool {
    let goes_on = match step.status {
        StepStatus::Succeeded => true,
        StepStatus::Failed | StepStatus::Unknown => !is_fatal,
        StepStatus::Running | StepStatus::Waiting | StepStatus::Skipped => false,
    };
    let result = step.result.as_ref();
    goes_on && result.is_some_and(|result| result.handle == handle)
}
