//! Taking over what an earlier run has done, up to the node from which it is repeated.

mod bodies;

use std::collections::HashSet;

use shared::{
    graph::{Graph, NodeIndex, OnError, handle},
    models::{ExecutionError, Rerun, Step, StepStatus},
};

use super::{Run, error};
use crate::journal::Error;

impl Run<'_> {
    /// Takes over the results of the run that this one repeats in part, if it does.
    pub(super) async fn adopt_earlier_run(&mut self) -> Result<Result<(), ExecutionError>, Error> {
        let execution = self.journal.execution();
        let Some(rerun) = execution.options.rerun.clone() else {
            return Ok(Ok(()));
        };
        // From then on, the earlier run may go.
        if execution.has_adopted {
            return Ok(Ok(()));
        }
        let (store, org_id) = (&self.state.store, execution.org_id.clone());
        let earlier = store.find_execution(&org_id, &rerun.execution_id).await?;
        if earlier.is_none() {
            let message = "the run that is to be repeated has been deleted".to_owned();
            return Ok(Err(error("not_found", message, None)));
        }
        let steps = store.list_steps(&org_id, &rerun.execution_id).await?;
        let repeated = Repeated::new(&self.graph, &rerun);
        // Of an agent's turn that is over, only what it has come to counts.
        let kept = steps.into_iter().filter(|step| {
            let is_over = step.result.is_some() && !step.is_move();
            is_over && !fails_the_run(&self.graph, step) && !repeated.includes(step)
        });
        let mut kept: Vec<Step> = kept.collect();
        let copied = self.copy_bodies(&rerun.execution_id, &mut kept).await?;
        if copied.is_err() {
            return Ok(copied);
        }
        for step in kept {
            self.journal.adopt(step);
            if self.journal.is_full() {
                self.journal.flush().await?;
            }
        }
        self.journal.end_adoption();
        Ok(Ok(()))
    }
}

/// A failure that nothing was there for is tried again.
fn fails_the_run(graph: &Graph, step: &Step) -> bool {
    let policy = graph.node(&step.node_id).map(|node| &node.policy.on_error);
    let has_failed = matches!(step.status, StepStatus::Failed | StepStatus::Unknown);
    has_failed && policy.is_none_or(|policy| *policy == OnError::Fail)
}

/// The steps that are run again: those of the node and of all that follows from it, in its loop's
/// round and outside.
struct Repeated {
    levels: Vec<Level>,
}

/// What follows from a node on one level of loops.
struct Level {
    nodes: HashSet<String>,
    /// The round; all when absent.
    iteration: Option<String>,
}

impl Repeated {
    fn new(graph: &Graph, rerun: &Rerun) -> Self {
        let mut levels = Vec::new();
        let first = graph.index_of(&rerun.node_id);
        let around = |node: &NodeIndex| graph.loop_of(*node);
        let mut iteration = rerun.iteration.clone();
        for (depth, node) in std::iter::successors(first, around).enumerate() {
            levels.push(Level {
                nodes: following(graph, node, depth > 0),
                iteration: iteration.clone(),
            });
            iteration = iteration.and_then(|inner| Some(inner.rsplit_once('.')?.0.to_owned()));
        }
        Self { levels }
    }

    fn includes(&self, step: &Step) -> bool {
        self.levels.iter().any(|level| {
            let is_round = level.iteration.as_deref().is_none_or(|iteration| {
                let rest = step.iteration.strip_prefix(iteration);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            });
            is_round && level.nodes.contains(&step.node_id)
        })
    }
}

/// The node and all that comes after it on its level, with the bodies of loops among them; without
/// its own body if it is around the node that is repeated.
fn following(graph: &Graph, node: NodeIndex, is_around: bool) -> HashSet<String> {
    let mut seen = HashSet::from([node]);
    let mut open = vec![node];
    while let Some(next) = open.pop() {
        for edge in graph.outgoing_of(next) {
            let leads_in = graph.edge_at(*edge).source_handle == handle::EACH;
            let leads_back = graph.edge_at(*edge).target_handle == handle::NEXT;
            let target = graph.edge_ends(*edge).1;
            let is_own_body = is_around && next == node && leads_in;
            if !leads_back && !is_own_body && seen.insert(target) {
                open.push(target);
            }
        }
    }
    let ids = seen.into_iter().map(|node| graph.node_at(node).id.clone());
    ids.collect()
}
