//! The steps of an agent's life after it is deployed.

use axum::{Json as Body, extract::State, routing::post};
use http::Method;
use shared::{
    auth::Action,
    http::{Allowed, ApiError, Path, can},
    ids::AgentId,
    models::{Agent, Principal},
};

use super::{Route, route};
use crate::{
    AppState,
    agents::{self, Transition},
};

/// Where they are.
pub(super) const ROUTES: &[Route] = &[
    route(
        Method::POST,
        "/agents/{id}/pause",
        Action::UpdateAgent,
        || post(pause_agent),
    ),
    route(
        Method::POST,
        "/agents/{id}/resume",
        Action::UpdateAgent,
        || post(resume_agent),
    ),
    route(
        Method::POST,
        "/agents/{id}/archive",
        Action::DeleteAgent,
        || post(archive_agent),
    ),
];

async fn pause_agent(
    state: State<AppState>,
    caller: Allowed<can::UpdateAgent>,
    Path(id): Path<AgentId>,
) -> Result<Body<Agent>, ApiError> {
    take(&state, &caller.0, &id, Transition::Pause).await
}

async fn resume_agent(
    state: State<AppState>,
    caller: Allowed<can::UpdateAgent>,
    Path(id): Path<AgentId>,
) -> Result<Body<Agent>, ApiError> {
    take(&state, &caller.0, &id, Transition::Resume).await
}

async fn archive_agent(
    state: State<AppState>,
    caller: Allowed<can::DeleteAgent>,
    Path(id): Path<AgentId>,
) -> Result<Body<Agent>, ApiError> {
    take(&state, &caller.0, &id, Transition::Archive).await
}

async fn take(
    state: &AppState,
    principal: &Principal,
    id: &AgentId,
    step: Transition,
) -> Result<Body<Agent>, ApiError> {
    let (store, trail) = (&state.store, &state.trail);
    let agent = agents::transition(store, trail, principal, id, step, state.now()).await?;
    Ok(Body(agent))
}
