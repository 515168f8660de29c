//! Repeating a part of an execution that has ended.

use serde_json::json;
use shared::{
    audit::{Entry, Trail},
    graph::{Graph, GraphLimits},
    ids::ExecutionId,
    models::{
        AuditAction, Execution, Principal, Rerun, StartOptions, Step, Timestamp, Trigger,
        TriggerType,
    },
    store::{self, Store},
};

use crate::{
    error::{Error, Problem},
    executions,
    idempotency::{Done, Once},
    start::{Draft, Started, find_started},
};

/// What has run was not too large for the engine, which may allow more than is usual.
const LIMITS: GraphLimits = GraphLimits {
    nodes: usize::MAX,
    edges: usize::MAX,
};

/// From where an execution is repeated.
pub(crate) struct Place<'a> {
    /// The execution.
    pub(crate) execution_id: &'a ExecutionId,
    /// The node that is run again, with all that follows.
    pub(crate) node_id: &'a str,
    /// Which of its iterations; all when absent.
    pub(crate) iteration: Option<&'a str>,
}

/// Starts an execution that takes over what the ended one has done up to the node, and records it.
pub(crate) async fn rerun(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    once: &Once,
    from: &Place<'_>,
    now: Timestamp,
) -> Result<Done<Started>, Error> {
    let is_same = |trigger: &Trigger| trigger.options.rerun.as_ref().is_some_and(|to| from.is(to));
    if let Some(done) = find_started(store, &principal.org_id, once, is_same).await? {
        return Ok(done);
    }
    once.commit(store, || async move {
        let execution = executions::find_begun(store, principal, from.execution_id).await?;
        let execution = execution.value;
        executions::require_ended(&execution)?;
        if execution.trigger.kind == TriggerType::Message {
            let message = "a conversation goes on with another message";
            return Err(Error::Precondition(message));
        }
        let graph = pinned_graph(store, &execution).await?;
        check_place(&graph, from)?;
        require_iteration(store, &execution, from).await?;
        let trigger = trigger(principal, once, execution, from, now);
        let started = Started::by(&trigger);
        let mut writes = trail.append(entry(principal, from, &started), now).await?;
        writes.push(store::triggers::create(&trigger)?);
        Ok((writes, started))
    })
    .await
}

impl Place<'_> {
    fn is(&self, rerun: &Rerun) -> bool {
        rerun.execution_id == *self.execution_id
            && rerun.node_id == self.node_id
            && rerun.iteration.as_deref() == self.iteration
    }
}

/// The graph that the execution has run.
async fn pinned_graph(store: &Store, execution: &Execution) -> Result<Graph, Error> {
    let hash = execution.workflow_version.as_str();
    if hash.is_empty() {
        return Err(Error::Precondition("the execution never began"));
    }
    let version = store.find_workflow_version(&execution.org_id, &execution.workflow_id, hash);
    let version = version
        .await?
        .ok_or(Error::Precondition("the version that it ran is gone"))?;
    let graph = Graph::parse_within(
        &version.nodes.into_items(),
        &version.edges.into_items(),
        &LIMITS,
    );
    graph.map_err(|_| Error::Precondition("the version that it ran cannot be run"))
}

fn check_place(graph: &Graph, from: &Place<'_>) -> Result<(), Error> {
    let Some(node) = graph.index_of(from.node_id) else {
        let message = "there is no such node in the version that it ran";
        return Err(Error::Invalid(vec![Problem::new("from", message)]));
    };
    let loops = graph.loops_around(node);
    if from
        .iteration
        .is_none_or(|iteration| is_iteration(iteration, loops))
    {
        return Ok(());
    }
    let message = match loops {
        0 => "must be `0` or absent: the node is in no loop".to_owned(),
        _ => format!(
            "must be `0` and {loops} numbers of items after it, such as `0{}`",
            ".3".repeat(loops)
        ),
    };
    Err(Error::Invalid(vec![Problem::new("iteration", message)]))
}

/// Refuses an item that never had its turn at the node: nothing could be repeated.
async fn require_iteration(
    store: &Store,
    execution: &Execution,
    from: &Place<'_>,
) -> Result<(), Error> {
    let Some(iteration) = from.iteration.filter(|iteration| *iteration != "0") else {
        return Ok(());
    };
    let steps = store.list_steps(&execution.org_id, &execution.id).await?;
    let is_place = |step: &Step| step.node_id == from.node_id && step.iteration == iteration;
    if steps.iter().any(is_place) {
        return Ok(());
    }
    let message = "the execution has not come to the node in this iteration";
    Err(Error::Invalid(vec![Problem::new("iteration", message)]))
}

/// Whether it names one iteration of a node with so many loops around it, as the journal does.
fn is_iteration(text: &str, loops: usize) -> bool {
    let mut parts = text.split('.');
    let is_number = |part: &str| {
        part.parse::<u32>()
            .is_ok_and(|item| item.to_string() == part)
    };
    parts.next() == Some("0") && parts.clone().count() == loops && parts.all(is_number)
}

fn trigger(
    principal: &Principal,
    once: &Once,
    execution: Execution,
    from: &Place<'_>,
    now: Timestamp,
) -> Trigger {
    let draft = Draft {
        kind: TriggerType::Rerun,
        org_id: &principal.org_id,
        workflow_id: &execution.workflow_id,
        uid: Some(&principal.uid),
        payload: execution.input,
        options: StartOptions {
            mocks: execution.options.mocks,
            rerun: Some(Rerun {
                execution_id: execution.id,
                workflow_version: execution.workflow_version,
                node_id: from.node_id.to_owned(),
                iteration: from.iteration.map(str::to_owned),
            }),
        },
    };
    draft.into_trigger(once, now)
}

fn entry(principal: &Principal, from: &Place<'_>, started: &Started) -> Entry {
    let context = json!({
        "executionId": started.execution_id,
        "repeats": from.execution_id,
        "nodeId": from.node_id,
        "iteration": from.iteration,
    });
    let (org_id, actor_id) = (&principal.org_id, principal.uid.as_str());
    Entry::new(org_id, actor_id, AuditAction::ExecutionRerun, context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_iteration_has_a_number_for_each_loop() {
        for (text, loops) in [("0", 0), ("0.0", 1), ("0.17", 1), ("0.1.20", 2)] {
            assert!(is_iteration(text, loops), "{text}");
        }
        for (text, loops) in [
            ("", 0),
            ("1", 0),
            ("0.1", 0),
            ("0", 1),
            ("0.", 1),
            ("0.01", 1),
            ("0.+1", 1),
            ("0.x", 1),
            ("0.1", 2),
            ("1.1", 1),
            ("0.4294967296", 1),
        ] {
            assert!(!is_iteration(text, loops), "{text}");
        }
    }
}
