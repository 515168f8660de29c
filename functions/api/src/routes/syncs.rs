//! The syncs of connected accounts.

use std::{convert::Infallible, str::FromStr};

use axum::{
    Json as Body,
    extract::State,
    response::{Response, sse::Event},
    routing::{get, patch, post},
};
use futures::StreamExt;
use garde::Validate;
use http::{Method, StatusCode, request::Parts};
use serde::Deserialize;
use shared::{
    auth::Action,
    http::{Allowed, ApiError, Json, Path, Query, can},
    ids::IntegrationId,
};

use super::{
    Route, route,
    stream::{RECONNECT, last_event_id, may_watch, respond, until_failure},
};
use crate::{
    AppState,
    integrations::{
        self, IntegrationChange, IntegrationSummary, SyncReport, SyncRequested, Watched,
    },
};

/// Where they are.
pub(super) const ROUTES: &[Route] = &[
    route(
        Method::PATCH,
        "/integrations/{id}",
        Action::ShareKnowledge,
        || patch(update_integration),
    ),
    route(
        Method::GET,
        "/integrations/{id}/sync",
        Action::ReadIntegrations,
        || get(get_sync),
    ),
    route(
        Method::POST,
        "/integrations/{id}/sync",
        Action::SyncIntegration,
        || post(request_sync),
    ),
    route(
        Method::GET,
        "/integrations/{id}/sync/stream",
        Action::ReadIntegrations,
        || get(stream_sync),
    ),
];

/// What can be changed of an account.
#[derive(Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct UpdateIntegrationRequest {
    #[serde(default)]
    shares_knowledge: Option<bool>,
    #[serde(default)]
    allows_triggers: Option<bool>,
}

/// What a client has seen already.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StreamQuery {
    last_event_id: Option<String>,
}

/// The `id` of an event, whatever it is: one that is not the newest is answered with the newest.
struct Seen(String);

impl FromStr for Seen {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

pub(super) async fn update_integration(
    State(state): State<AppState>,
    caller: Allowed<can::ShareKnowledge>,
    Path(id): Path<IntegrationId>,
    Json(request): Json<UpdateIntegrationRequest>,
) -> Result<Body<IntegrationSummary>, ApiError> {
    let change = IntegrationChange {
        shares_knowledge: request.shares_knowledge,
        allows_triggers: request.allows_triggers,
    };
    let summary = integrations::update(&state.hub, &caller.0, &id, change, state.now());
    Ok(Body(summary.await?))
}

pub(super) async fn get_sync(
    State(state): State<AppState>,
    caller: Allowed<can::ReadIntegrations>,
    Path(id): Path<IntegrationId>,
) -> Result<Body<SyncReport>, ApiError> {
    let report = integrations::report(&state.store, &caller.0, &id, state.now());
    Ok(Body(report.await?))
}

pub(super) async fn request_sync(
    State(state): State<AppState>,
    caller: Allowed<can::SyncIntegration>,
    Path(id): Path<IntegrationId>,
) -> Result<(StatusCode, Body<SyncRequested>), ApiError> {
    let requested = integrations::request_sync(&state.hub, &caller.0, &id, state.now());
    Ok((StatusCode::ACCEPTED, Body(requested.await?)))
}

pub(super) async fn stream_sync(
    State(state): State<AppState>,
    caller: Allowed<can::ReadIntegrations>,
    Path(id): Path<IntegrationId>,
    Query(query): Query<StreamQuery>,
    parts: Parts,
) -> Result<Response, ApiError> {
    // The header is newer: a client that comes again sends the same query.
    let seen = last_event_id::<Seen>(&parts.headers)?.map(|seen| seen.0);
    integrations::report(&state.store, &caller.0, &id, state.now()).await?;
    let watched = Watched {
        store: state.store.clone(),
        clock: state.clock.clone(),
        principal: caller.0.clone(),
        id,
        version: seen.or(query.last_event_id),
    };
    let may_watch =
        move || may_watch::<can::ReadIntegrations>(state.clone(), parts.clone(), caller.0.clone());
    let reports = until_failure(integrations::watch(watched, may_watch));
    Ok(respond(reports.map(|(version, report)| {
        Event::default()
            .event("sync")
            .id(version)
            .retry(RECONNECT)
            .json_data(report)
    })))
}
