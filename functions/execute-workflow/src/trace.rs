//! The spans of a run: what started it, each worker's part of it, and the side effect of each node.
//! All parts of a run are in the trace of what started it, however long they are apart.

use shared::{
    graph::Node,
    models::{Execution, ExecutionStatus, Trigger},
    telemetry::{TRACE, fail, join},
};
use tracing::{Span, field::Empty, info_span};

use crate::{
    journal::Error,
    node::{Call, Outcome, Stop},
};

/// The span of a trigger that has come.
pub(crate) fn of_trigger(trigger: &Trigger) -> Span {
    let span = info_span!(
        target: TRACE,
        "process trigger",
        otel.kind = "consumer",
        org.id = %trigger.org_id,
        workflow.id = %trigger.workflow_id,
    );
    join(span, trigger.traceparent.as_deref())
}

/// The span of one worker's part of a run.
pub(crate) fn of_run(execution: &Execution) -> Span {
    let span = info_span!(
        target: TRACE,
        "run",
        org.id = %execution.org_id,
        workflow.id = %execution.workflow_id,
        execution.id = %execution.id,
        execution.fence = execution.lease.fence,
        execution.status = Empty,
    );
    join(span, execution.traceparent.as_deref())
}

/// The span of handing a run in, by whoever does: the run goes on in its own trace.
pub(crate) fn of_hand_in(execution: &Execution) -> Span {
    let span = info_span!(target: TRACE, "hand in", execution.id = %execution.id);
    join(span, execution.traceparent.as_deref())
}

/// The span of a node's side effect.
pub(crate) fn of_node(node: &Node, call: &Call) -> Span {
    let kind = node.kind().as_str();
    info_span!(
        target: TRACE,
        "node",
        otel.name = format!("node {kind}"),
        node.kind = kind,
        node.id = node.id,
        node.iteration = call.iteration,
    )
}

/// Tells in the present span what a worker's part has come to.
pub(crate) fn end_run(result: &Result<Execution, Error>) {
    let span = Span::current();
    match result {
        Ok(execution) => {
            span.record("execution.status", execution.status.as_str());
            if execution.status == ExecutionStatus::Failed {
                let error = execution.error.as_ref();
                fail(&span, error.map_or("unknown", |error| &error.code));
            }
        }
        Err(Error::Superseded) => {
            span.record("execution.status", "superseded");
        }
        Err(Error::Store(_)) => fail(&span, "unavailable"),
    }
}

/// Tells in a node's span what it has come to.
pub(crate) fn end_node(span: &Span, result: &Result<Outcome, Stop>) {
    match result {
        Ok(_) | Err(Stop::Pending(_) | Stop::Granted) => {}
        Err(Stop::Failed(failure)) => fail(span, &failure.code),
        Err(Stop::Database(_)) => fail(span, "unavailable"),
    }
}
