pub(super) mod response;

use std::collections::BTreeMap;

use axum::{Json as Body, extract::State, response::Response};
use garde::Validate;
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use shared::{
    http::{Allowed, ApiError, Json, Path, Query, can, object},
    ids::{ExecutionId, WorkflowId},
    models::{Mock, Principal},
};

use self::response::{ExecutionResponse, LogResponse};
use super::{answer::made, idempotency_key::IdempotencyKey, optional_json::OptionalJson};
use crate::{
    AppState, cancellation, executions,
    idempotency::Once,
    page,
    rerun::{self, Place},
    start::{self, Start},
};

/// Both ways to start a workflow: a key used on one is known to the other.
const START_EXECUTION: &str = "executions.start";
const RERUN_EXECUTION: &str = "executions.rerun";

/// What a triggered workflow works with.
#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub(super) struct TriggerWorkflowRequest {
    payload: Value,
    #[serde(deserialize_with = "mocks")]
    mocks: BTreeMap<String, Mock>,
}

/// Which workflow to start, and what it works with.
#[derive(Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct CreateExecutionRequest {
    workflow_id: WorkflowId,
    #[serde(default = "empty_payload")]
    payload: Value,
    /// For a test run: what nodes come to without being run, by node.
    #[serde(
        default,
        deserialize_with = "mocks",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    mocks: BTreeMap<String, Mock>,
}

/// The one change that a client can make.
#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct UpdateExecutionRequest {
    #[serde(rename = "status")]
    _status: RequestedStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RequestedStatus {
    Cancelled,
}

/// From where to repeat an execution.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RerunExecutionQuery {
    from: String,
    iteration: Option<String>,
}

/// Which log lines to list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListLogLinesQuery {
    after: Option<u32>,
    limit: Option<u32>,
}

pub(super) async fn trigger_workflow(
    State(state): State<AppState>,
    caller: Allowed<can::TriggerWorkflow>,
    Path(workflow_id): Path<WorkflowId>,
    IdempotencyKey(key): IdempotencyKey,
    OptionalJson(request): OptionalJson<TriggerWorkflowRequest>,
) -> Result<Response, ApiError> {
    let request = CreateExecutionRequest {
        workflow_id,
        payload: request.payload,
        mocks: request.mocks,
    };
    start(&state, &caller.0, key.as_deref(), &request).await
}

pub(super) async fn create_execution(
    State(state): State<AppState>,
    caller: Allowed<can::TriggerWorkflow>,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<CreateExecutionRequest>,
) -> Result<Response, ApiError> {
    start(&state, &caller.0, key.as_deref(), &request).await
}

pub(super) async fn get_execution(
    State(state): State<AppState>,
    caller: Allowed<can::ReadExecutions>,
    Path(id): Path<ExecutionId>,
) -> Result<Body<ExecutionResponse>, ApiError> {
    let run = executions::find(&state.store, &caller.0, &id).await?;
    Ok(Body(run.into()))
}

pub(super) async fn list_log_lines(
    State(state): State<AppState>,
    caller: Allowed<can::ReadExecutions>,
    Path(id): Path<ExecutionId>,
    Query(query): Query<ListLogLinesQuery>,
) -> Result<Body<LogResponse>, ApiError> {
    let limit = page::parse("logs", query.limit, None)?.limit;
    let after = query.after.unwrap_or(0).into();
    let lines = executions::list_log_lines(&state.store, &caller.0, &id, after, limit).await?;
    Ok(Body(LogResponse::new(lines, after)))
}

pub(super) async fn update_execution(
    State(state): State<AppState>,
    caller: Allowed<can::CancelExecution>,
    Path(id): Path<ExecutionId>,
    Json(_): Json<UpdateExecutionRequest>,
) -> Result<Body<ExecutionResponse>, ApiError> {
    let execution =
        cancellation::cancel(&state.store, &state.trail, &caller.0, &id, state.now()).await?;
    Ok(Body(execution.into()))
}

pub(super) async fn rerun_execution(
    State(state): State<AppState>,
    caller: Allowed<can::TriggerWorkflow>,
    Path(id): Path<ExecutionId>,
    IdempotencyKey(key): IdempotencyKey,
    Query(query): Query<RerunExecutionQuery>,
) -> Result<Response, ApiError> {
    let (principal, now) = (&caller.0, state.now());
    let request = (&id, &query);
    let once = Once::new(RERUN_EXECUTION, principal, key.as_deref(), &request, now)?;
    let place = Place {
        execution_id: &id,
        node_id: &query.from,
        iteration: query.iteration.as_deref(),
    };
    let (store, trail) = (&state.store, &state.trail);
    let done = rerun::rerun(store, trail, principal, &once, &place, now).await?;
    let path = format!("/executions/{}", done.value.execution_id);
    made(StatusCode::ACCEPTED, &path, &done)
}

pub(super) async fn delete_execution(
    State(state): State<AppState>,
    caller: Allowed<can::DeleteExecution>,
    Path(id): Path<ExecutionId>,
) -> Result<StatusCode, ApiError> {
    let (store, trail, bucket) = (&state.store, &state.trail, state.artifacts.as_deref());
    executions::delete(store, trail, bucket, &caller.0, &id, state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Default for TriggerWorkflowRequest {
    fn default() -> Self {
        Self {
            payload: empty_payload(),
            mocks: BTreeMap::new(),
        }
    }
}

async fn start(
    state: &AppState,
    principal: &Principal,
    key: Option<&str>,
    request: &CreateExecutionRequest,
) -> Result<Response, ApiError> {
    let now = state.now();
    let once = Once::new(START_EXECUTION, principal, key, request, now)?;
    let start = Start {
        workflow_id: &request.workflow_id,
        payload: &request.payload,
        mocks: &request.mocks,
    };
    let done = start::start(&state.store, principal, &once, &start, now).await?;
    let path = format!("/executions/{}", done.value.execution_id);
    made(StatusCode::ACCEPTED, &path, &done)
}

/// Reads mocks, each an object: a derived `Deserialize` would take an array as well.
fn mocks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Mock>, D::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Read(#[serde(deserialize_with = "object")] Mock);

    let mocks: BTreeMap<String, Read> = BTreeMap::deserialize(deserializer)?;
    Ok(mocks
        .into_iter()
        .map(|(id, Read(mock))| (id, mock))
        .collect())
}

fn empty_payload() -> Value {
    json!({})
}
