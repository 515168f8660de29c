use axum::{Json as Body, extract::State, response::Response};
use garde::Validate;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    http::{Allowed, ApiError, Json, Path, Query, can},
    ids::{OrgId, WorkflowId},
    models::{Timestamp, Workflow},
    store::Listing,
};

use super::{
    answer::{ListResponse, made},
    idempotency_key::IdempotencyKey,
    patch::{present, set},
};
use crate::{AppState, idempotency::Once, page, workflows};

const CREATE_WORKFLOW: &str = "workflows.create";

/// A whole workflow. The limits are those of the access rules.
#[derive(Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct WorkflowRequest {
    #[garde(length(chars, min = 1, max = 200))]
    name: String,
    #[serde(default)]
    #[garde(length(chars, max = 2_000))]
    description: String,
    #[garde(length(max = 500))]
    nodes: Vec<Value>,
    #[garde(length(max = 2_000))]
    edges: Vec<Value>,
    #[serde(default)]
    #[garde(length(max = 50))]
    triggers: Vec<Value>,
    #[serde(default)]
    active: bool,
}

/// What of a workflow is to be changed; what is left out stays.
#[derive(Default, Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub(super) struct UpdateWorkflowRequest {
    #[serde(deserialize_with = "present")]
    #[garde(length(chars, min = 1, max = 200))]
    name: Option<String>,
    #[serde(deserialize_with = "present")]
    #[garde(length(chars, max = 2_000))]
    description: Option<String>,
    #[serde(deserialize_with = "present")]
    #[garde(length(max = 500))]
    nodes: Option<Vec<Value>>,
    #[serde(deserialize_with = "present")]
    #[garde(length(max = 2_000))]
    edges: Option<Vec<Value>>,
    #[serde(deserialize_with = "present")]
    #[garde(length(max = 50))]
    triggers: Option<Vec<Value>>,
    #[serde(deserialize_with = "present")]
    active: Option<bool>,
}

/// A workflow in a list: without its graph.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WorkflowSummary {
    id: WorkflowId,
    org_id: OrgId,
    name: String,
    description: String,
    triggers: Vec<Value>,
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Timestamp>,
}

/// Which workflows to list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListWorkflowsQuery {
    limit: Option<u32>,
    page_token: Option<String>,
}

pub(super) async fn create_workflow(
    State(state): State<AppState>,
    caller: Allowed<can::EditWorkflow>,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<WorkflowRequest>,
) -> Result<Response, ApiError> {
    let (principal, now) = (&caller.0, state.now());
    let once = Once::new(CREATE_WORKFLOW, principal, key.as_deref(), &request, now)?;
    let workflow = request.into_workflow(&principal.org_id, now);
    let (store, trail) = (&state.store, &state.trail);
    let done = workflows::create(store, trail, principal, &once, &workflow, now).await?;
    let path = format!("/workflows/{}", done.value.id);
    made(StatusCode::CREATED, &path, &done)
}

pub(super) async fn list_workflows(
    State(state): State<AppState>,
    caller: Allowed<can::ReadWorkflows>,
    Query(query): Query<ListWorkflowsQuery>,
) -> Result<Body<ListResponse<WorkflowSummary>>, ApiError> {
    let page = page::parse("workflows", query.limit, query.page_token.as_deref())?;
    let listing = state.store.list_workflows(&caller.0.org_id, &page).await?;
    let listing = Listing {
        items: listing.items.into_iter().map(Into::into).collect(),
        next: listing.next,
    };
    Ok(Body(ListResponse::new("workflows", listing)))
}

pub(super) async fn get_workflow(
    State(state): State<AppState>,
    caller: Allowed<can::ReadWorkflows>,
    Path(id): Path<WorkflowId>,
) -> Result<Body<Workflow>, ApiError> {
    let workflow = workflows::find(&state.store, &caller.0, &id).await?;
    Ok(Body(workflow.value))
}

pub(super) async fn replace_workflow(
    State(state): State<AppState>,
    caller: Allowed<can::EditWorkflow>,
    Path(id): Path<WorkflowId>,
    Json(request): Json<WorkflowRequest>,
) -> Result<Body<Workflow>, ApiError> {
    let change = |workflow: &mut Workflow| request.apply(workflow);
    let (store, trail, now) = (&state.store, &state.trail, state.now());
    let workflow = workflows::update(store, trail, &caller.0, &id, now, change).await?;
    Ok(Body(workflow))
}

pub(super) async fn update_workflow(
    State(state): State<AppState>,
    caller: Allowed<can::EditWorkflow>,
    Path(id): Path<WorkflowId>,
    Json(request): Json<UpdateWorkflowRequest>,
) -> Result<Body<Workflow>, ApiError> {
    let change = |workflow: &mut Workflow| request.apply(workflow);
    let (store, trail, now) = (&state.store, &state.trail, state.now());
    let workflow = workflows::update(store, trail, &caller.0, &id, now, change).await?;
    Ok(Body(workflow))
}

pub(super) async fn delete_workflow(
    State(state): State<AppState>,
    caller: Allowed<can::DeleteWorkflow>,
    Path(id): Path<WorkflowId>,
) -> Result<StatusCode, ApiError> {
    workflows::delete(&state.store, &state.trail, &caller.0, &id, state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<Workflow> for WorkflowSummary {
    fn from(workflow: Workflow) -> Self {
        Self {
            id: workflow.id,
            org_id: workflow.org_id,
            name: workflow.name,
            description: workflow.description,
            triggers: workflow.triggers,
            active: workflow.active,
            created_at: workflow.created_at,
            updated_at: workflow.updated_at,
        }
    }
}

impl WorkflowRequest {
    fn into_workflow(self, org_id: &OrgId, now: Timestamp) -> Workflow {
        Workflow {
            id: WorkflowId::generate(),
            org_id: org_id.clone(),
            name: self.name,
            description: self.description,
            nodes: self.nodes,
            edges: self.edges,
            triggers: self.triggers,
            active: self.active,
            created_at: Some(now),
            updated_at: Some(now),
        }
    }

    fn apply(&self, workflow: &mut Workflow) {
        workflow.name.clone_from(&self.name);
        workflow.description.clone_from(&self.description);
        workflow.nodes.clone_from(&self.nodes);
        workflow.edges.clone_from(&self.edges);
        workflow.triggers.clone_from(&self.triggers);
        workflow.active = self.active;
    }
}

impl UpdateWorkflowRequest {
    fn apply(&self, workflow: &mut Workflow) {
        set(&mut workflow.name, self.name.as_ref());
        set(&mut workflow.description, self.description.as_ref());
        set(&mut workflow.nodes, self.nodes.as_ref());
        set(&mut workflow.edges, self.edges.as_ref());
        set(&mut workflow.triggers, self.triggers.as_ref());
        set(&mut workflow.active, self.active.as_ref());
    }
}
