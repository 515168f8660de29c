use axum::{
    Json as Body,
    extract::State,
    response::Response,
    routing::{get, post, put},
};
use garde::Validate;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use shared::{
    auth::Action,
    http::{Allowed, ApiError, Json, can},
    models::Organization,
    quota::Plan,
};

use super::{Route, answer::made, idempotency_key::IdempotencyKey, route};
use crate::{
    AppState,
    billing::{self, CheckoutRequest, Overview, PlanRequest, PortalRequest},
    idempotency::Once,
};

const OPEN_CHECKOUT: &str = "billing.checkout";
const CHANGE_PLAN: &str = "billing.plan";
const OPEN_PORTAL: &str = "billing.portal";

pub(super) const ROUTES: &[Route] = &[
    route(Method::GET, "/billing", Action::ReadBilling, || {
        get(get_billing)
    }),
    route(Method::PUT, "/billing/cap", Action::ManageBilling, || {
        put(set_cap)
    }),
    route(Method::POST, "/billing/plan", Action::ManageBilling, || {
        post(change_plan)
    }),
    route(
        Method::POST,
        "/billing/checkout-session",
        Action::ManageBilling,
        || post(create_checkout_session),
    ),
    route(
        Method::POST,
        "/billing/portal-session",
        Action::ManageBilling,
        || post(create_portal_session),
    ),
];

/// How many tokens a month the organization allows itself; null for what its plan allows.
#[derive(Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CapRequest {
    #[garde(skip)]
    #[serde(deserialize_with = "Option::deserialize")]
    monthly_tokens: Option<i64>,
}

/// The limits that hold now.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CapResponse {
    monthly_tokens: i64,
    own_monthly_tokens: Option<i64>,
}

async fn get_billing(
    State(state): State<AppState>,
    caller: Allowed<can::ReadBilling>,
) -> Result<Body<Overview>, ApiError> {
    let overview = billing::overview(&state.billing, &state.store, &caller.0, state.now());
    Ok(Body(overview.await?))
}

async fn set_cap(
    State(state): State<AppState>,
    caller: Allowed<can::ManageBilling>,
    Json(request): Json<CapRequest>,
) -> Result<Body<CapResponse>, ApiError> {
    let place = (&state.store, &state.trail);
    let set = billing::set_cap(place, &caller.0, request.monthly_tokens, state.now());
    Ok(Body(set.await?.into()))
}

async fn create_checkout_session(
    State(state): State<AppState>,
    caller: Allowed<can::ManageBilling>,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<CheckoutRequest>,
) -> Result<Response, ApiError> {
    let now = state.now();
    let once = Once::new(OPEN_CHECKOUT, &caller.0, key.as_deref(), &request, now)?;
    let place = (&state.store, &state.trail);
    let done = billing::open_checkout(&state.billing, place, &caller.0, &once, &request, now);
    made(StatusCode::CREATED, "/billing", &done.await?)
}

async fn change_plan(
    State(state): State<AppState>,
    caller: Allowed<can::ManageBilling>,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<PlanRequest>,
) -> Result<Response, ApiError> {
    let now = state.now();
    let once = Once::new(CHANGE_PLAN, &caller.0, key.as_deref(), &request, now)?;
    let place = (&state.store, &state.trail);
    let done = billing::change_plan(&state.billing, place, &caller.0, &once, &request, now);
    made(StatusCode::OK, "/billing", &done.await?)
}

async fn create_portal_session(
    State(state): State<AppState>,
    caller: Allowed<can::ManageBilling>,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<PortalRequest>,
) -> Result<Response, ApiError> {
    let now = state.now();
    let once = Once::new(OPEN_PORTAL, &caller.0, key.as_deref(), &request, now)?;
    let place = (&state.store, &state.trail);
    let done = billing::open_portal(&state.billing, place, &caller.0, &once, &request, now);
    made(StatusCode::CREATED, "/billing", &done.await?)
}

impl From<Organization> for CapResponse {
    fn from(organization: Organization) -> Self {
        Self {
            monthly_tokens: Plan::for_organization(&organization).monthly_tokens,
            own_monthly_tokens: organization.limits.own_monthly_tokens,
        }
    }
}
