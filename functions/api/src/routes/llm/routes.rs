//! Routes to models over HTTP.

use axum::{Json as Body, extract::State};
use garde::Validate;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::{
    http::{Allowed, ApiError, Json, Path, can},
    ids::{OrgId, RouteAlias},
    models::{
        CacheSettings, Candidate, FailureClass, LlmRoute, ProviderName, Route, RouteStep, Timeouts,
        Timestamp, Weighted,
    },
};

use crate::{AppState, llm_routes};

/// Longest time that an answer is kept, in seconds: 30 days.
const MAX_TTL_SECS: u32 = 30 * 24 * 60 * 60;

/// Where the calls of an alias go.
#[derive(Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(crate) struct LlmRouteRequest {
    #[garde(length(min = 1, max = 8))]
    steps: Vec<StepRequest>,
    fallback_on: Option<Vec<FailureClass>>,
    timeouts: Option<Timeouts>,
    #[garde(dive)]
    cache: Option<CacheRequest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepRequest {
    candidates: Vec<CandidateRequest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CandidateRequest {
    provider: ProviderName,
    model: String,
    weight: Option<u32>,
}

#[derive(Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct CacheRequest {
    #[garde(range(min = 1, max = MAX_TTL_SECS))]
    ttl_secs: u32,
    #[serde(default)]
    any_temperature: bool,
}

/// A route as members see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LlmRouteResponse {
    alias: RouteAlias,
    #[serde(flatten)]
    route: Route,
    cache: Option<CacheSettings>,
    updated_at: Timestamp,
}

/// All of them: there are never many.
#[derive(Serialize)]
pub(crate) struct LlmRoutesResponse {
    routes: Vec<LlmRouteResponse>,
}

pub(crate) async fn list_llm_routes(
    State(state): State<AppState>,
    caller: Allowed<can::ReadLlmRoutes>,
) -> Result<Body<LlmRoutesResponse>, ApiError> {
    let routes = llm_routes::list(&state.store, &caller.0).await?;
    let routes = routes.into_iter().map(LlmRouteResponse::from).collect();
    Ok(Body(LlmRoutesResponse { routes }))
}

pub(crate) async fn set_llm_route(
    State(state): State<AppState>,
    caller: Allowed<can::EditLlmRoutes>,
    Path(alias): Path<RouteAlias>,
    Json(request): Json<LlmRouteRequest>,
) -> Result<Body<LlmRouteResponse>, ApiError> {
    let route = request.into_route(alias, &caller.0.org_id, state.now());
    llm_routes::set(&state.store, &state.trail, &caller.0, &route).await?;
    Ok(Body(route.into()))
}

pub(crate) async fn delete_llm_route(
    State(state): State<AppState>,
    caller: Allowed<can::EditLlmRoutes>,
    Path(alias): Path<RouteAlias>,
) -> Result<StatusCode, ApiError> {
    let now = state.now();
    llm_routes::delete(&state.store, &state.trail, &caller.0, &alias, now).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl LlmRouteRequest {
    fn into_route(self, alias: RouteAlias, org_id: &OrgId, now: Timestamp) -> LlmRoute {
        let steps = self.steps.into_iter().map(RouteStep::from);
        let fallback_on = self.fallback_on;
        LlmRoute {
            alias,
            org_id: org_id.clone(),
            route: Route {
                steps: steps.collect(),
                fallback_on: fallback_on.unwrap_or_else(|| Route::DEFAULT_FALLBACK.to_vec()),
                timeouts: self.timeouts.unwrap_or_default(),
            },
            cache: self.cache.map(|cache| CacheSettings {
                ttl_secs: cache.ttl_secs,
                any_temperature: cache.any_temperature,
            }),
            updated_at: now,
        }
    }
}

impl From<StepRequest> for RouteStep {
    fn from(step: StepRequest) -> Self {
        let candidates = step.candidates.into_iter().map(|candidate| Weighted {
            candidate: Candidate {
                provider: candidate.provider,
                model: candidate.model,
            },
            weight: candidate.weight.unwrap_or(Weighted::DEFAULT_WEIGHT),
        });
        Self {
            candidates: candidates.collect(),
        }
    }
}

impl From<LlmRoute> for LlmRouteResponse {
    fn from(route: LlmRoute) -> Self {
        Self {
            alias: route.alias,
            route: route.route,
            cache: route.cache,
            updated_at: route.updated_at,
        }
    }
}
