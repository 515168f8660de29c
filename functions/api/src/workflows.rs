use serde_json::{Value, json};
use shared::{
    audit::{Entry, Trail},
    ids::WorkflowId,
    models::{AuditAction, Principal, Timestamp, Workflow},
    store::{self, Store, Versioned, commit_contended},
};

use crate::{
    changes::changed_fields,
    error::Error,
    graph_check,
    idempotency::{Done, Once},
};

/// The caller's workflow, as it was read.
pub(crate) async fn find(
    store: &Store,
    principal: &Principal,
    id: &WorkflowId,
) -> Result<Versioned<Workflow>, Error> {
    let workflow = store.find_workflow(&principal.org_id, id).await?;
    workflow.ok_or(Error::NotFound("workflow"))
}

/// Creates the workflow, if it can run, and records it.
pub(crate) async fn create(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    once: &Once,
    workflow: &Workflow,
    now: Timestamp,
) -> Result<Done<Workflow>, Error> {
    graph_check::check(workflow)?;
    once.commit(store, || async move {
        let entry = entry(
            principal,
            AuditAction::WorkflowCreate,
            &workflow.id,
            json!({}),
        );
        let mut writes = trail.append(entry, now).await?;
        writes.push(store::workflows::create(workflow)?);
        Ok((writes, workflow.clone()))
    })
    .await
}

/// Applies `change` to the newest state of the workflow, if it can run afterwards, and records which
/// fields it changed.
///
/// A name can be changed although a client has saved a broken graph past the API.
pub(crate) async fn update(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    id: &WorkflowId,
    now: Timestamp,
    change: impl Fn(&mut Workflow),
) -> Result<Workflow, Error> {
    let change = &change;
    commit_contended(store, || async move {
        let mut workflow = find(store, principal, id).await?;
        let before = workflow.value.clone();
        change(&mut workflow.value);
        if workflow.value == before {
            return Ok((Vec::new(), before));
        }
        if needs_check(&before, &workflow.value) {
            graph_check::check(&workflow.value)?;
        }
        let context = json!({ "fields": changed_fields(&before, &workflow.value)? });
        let entry = entry(principal, AuditAction::WorkflowUpdate, id, context);
        let mut writes = trail.append(entry, now).await?;
        workflow.value.updated_at = Some(now);
        writes.push(store::workflows::replace(&workflow)?);
        Ok((writes, workflow.value))
    })
    .await
}

/// Deletes the workflow and records it, in one commit. Its versions stay for its executions.
pub(crate) async fn delete(
    store: &Store,
    trail: &Trail,
    principal: &Principal,
    id: &WorkflowId,
    now: Timestamp,
) -> Result<(), Error> {
    commit_contended(store, || async move {
        let workflow = find(store, principal, id).await?;
        let entry = entry(principal, AuditAction::DeleteWorkflow, id, json!({}));
        let mut writes = trail.append(entry, now).await?;
        writes.push(store::workflows::delete(&workflow));
        Ok((writes, ()))
    })
    .await
}

fn entry(principal: &Principal, action: AuditAction, id: &WorkflowId, mut context: Value) -> Entry {
    context["workflowId"] = json!(id);
    Entry::new(&principal.org_id, principal.uid.as_str(), action, context)
}

fn needs_check(before: &Workflow, after: &Workflow) -> bool {
    (after.active && !before.active)
        || before.nodes != after.nodes
        || before.edges != after.edges
        || before.triggers != after.triggers
}
