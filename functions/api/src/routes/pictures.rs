use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header::CONTENT_TYPE;
use shared::{
    http::{Allowed, ApiError, Path, can},
    ids::{ExecutionId, WorkflowId},
    models::Principal,
};

use crate::{
    AppState,
    run_picture::{self, Picture},
};

/// The security headers of every answer forbid scripts in it, should one ever get in.
const SVG: &str = "image/svg+xml; charset=utf-8";
/// Mermaid has no registered type.
const MERMAID: &str = "text/plain; charset=utf-8";

pub(super) async fn get_workflow_svg(
    State(state): State<AppState>,
    caller: Allowed<can::ReadWorkflows>,
    Path(id): Path<WorkflowId>,
) -> Result<Response, ApiError> {
    let picture = run_picture::of_workflow(&state.store, &caller.0, &id).await?;
    Ok(svg(&picture))
}

pub(super) async fn get_workflow_mermaid(
    State(state): State<AppState>,
    caller: Allowed<can::ReadWorkflows>,
    Path(id): Path<WorkflowId>,
) -> Result<Response, ApiError> {
    let picture = run_picture::of_workflow(&state.store, &caller.0, &id).await?;
    Ok(mermaid(&picture))
}

pub(super) async fn get_execution_svg(
    State(state): State<AppState>,
    caller: Allowed<can::ReadExecutions>,
    Path(id): Path<ExecutionId>,
) -> Result<Response, ApiError> {
    Ok(svg(&of_execution(&state, &caller.0, &id).await?))
}

pub(super) async fn get_execution_mermaid(
    State(state): State<AppState>,
    caller: Allowed<can::ReadExecutions>,
    Path(id): Path<ExecutionId>,
) -> Result<Response, ApiError> {
    Ok(mermaid(&of_execution(&state, &caller.0, &id).await?))
}

async fn of_execution(
    state: &AppState,
    principal: &Principal,
    id: &ExecutionId,
) -> Result<Picture, ApiError> {
    let picture = run_picture::of_execution(&state.store, principal, id, state.now());
    Ok(picture.await?)
}

fn svg(picture: &Picture) -> Response {
    ([(CONTENT_TYPE, SVG)], run_picture::to_svg(picture)).into_response()
}

fn mermaid(picture: &Picture) -> Response {
    ([(CONTENT_TYPE, MERMAID)], run_picture::to_mermaid(picture)).into_response()
}
