//! Bodies that the steps of a run keep in the bucket.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use shared::{
    actions,
    graph::NodeKind,
    ids::ExecutionId,
    models::{Execution, Principal, Step, StoredBody},
    storage::{self, Bucket},
    store::{self, Store},
};

use crate::{error::Error, executions};

/// Objects that are deleted side by side.
const AT_ONCE: usize = 16;

const NO_BUCKET: Error = Error::Precondition("bodies are stored, and no bucket is configured");

/// The body that a step of the caller's execution has kept. It is checked as a whole: nothing of a
/// damaged one is shown.
pub(crate) async fn read(
    store: &Store,
    bucket: Option<&dyn Bucket>,
    principal: &Principal,
    id: &ExecutionId,
    (node_id, iteration): (&str, &str),
) -> Result<(StoredBody, Bytes), Error> {
    const NONE: Error = Error::NotFound("stored body");
    executions::find(store, principal, id).await?;
    let steps = store.list_steps(&principal.org_id, id).await?;
    let mut steps = steps.iter();
    let step = steps.find(|step| step.node_id == node_id && step.iteration == iteration);
    let body = step.and_then(|step| StoredBody::of_step(id, step));
    let body = body.ok_or(NONE)?;
    let bucket = bucket.ok_or(NO_BUCKET)?;
    let content = bucket.read(&body.object).await?.ok_or(NONE)?;
    if !body.matches(&content) {
        let reason = "its hash is not the one on record";
        return Err(storage::Error::Damaged(reason.into()).into());
    }
    Ok((body, content))
}

/// Deletes the bodies that an ended execution has kept; a repeat is harmless. The journal names
/// them, so that they go before it.
pub(crate) async fn delete(
    store: &Store,
    bucket: Option<&dyn Bucket>,
    execution: &Execution,
) -> Result<(), Error> {
    let steps = steps(store, execution).await?;
    let Some(bucket) = bucket else {
        let id = &execution.id;
        let mut kept = steps.iter().map(|step| StoredBody::of_step(id, step));
        return kept
            .all(|body| body.is_none())
            .then_some(())
            .ok_or(NO_BUCKET);
    };
    // Also those that no output tells of: a worker may have ended right after it kept one.
    let may_keep =
        |step: &&Step| step.kind == NodeKind::Http.as_str() || actions::find(&step.kind).is_some();
    let name = |step: &Step| {
        let (node_id, iteration) = (&step.node_id, &step.iteration);
        StoredBody::object_of(&execution.org_id, &execution.id, node_id, iteration)
    };
    let names: BTreeSet<String> = steps.iter().filter(may_keep).map(name).collect();
    let deletions = stream::iter(names).map(Ok);
    deletions
        .try_for_each_concurrent(
            AT_ONCE,
            |name| async move { Ok(bucket.delete(&name).await?) },
        )
        .await
}

/// The steps for which there may be objects. A rerun copies those of the earlier run before its own
/// journal has the steps.
async fn steps(store: &Store, execution: &Execution) -> Result<Vec<Step>, store::Error> {
    let org_id = &execution.org_id;
    let mut steps = store.list_steps(org_id, &execution.id).await?;
    if let Some(rerun) = &execution.options.rerun {
        steps.extend(store.list_steps(org_id, &rerun.execution_id).await?);
    }
    Ok(steps)
}
