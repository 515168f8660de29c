use axum::{Json as Body, extract::State, response::Response};
use garde::Validate;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::{
    http::{Allowed, ApiError, Json, can},
    ids::{OrgId, Uid},
    models::{Organization, Principal, Role, SubscriptionTier, Timestamp, User, UserSettings},
};

use super::{answer::made, idempotency_key::IdempotencyKey};
use crate::{AppState, idempotency::Once, organization, plan_view::PlanView};

const CREATE_ORGANIZATION: &str = "organizations.create";

/// Longest name of an organization, in characters, as in the access rules.
const MAX_NAME_CHARS: usize = 200;

/// What an organization is called; blanks around it do not count.
#[derive(Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub(super) struct OrganizationRequest {
    #[garde(custom(is_name))]
    name: String,
}

/// The caller.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MeResponse {
    uid: Uid,
    organization_id: OrgId,
    role: Role,
    email: Option<String>,
    settings: UserSettings,
}

/// The caller's organization.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrganizationResponse {
    id: OrgId,
    name: String,
    subscription_tier: SubscriptionTier,
    plan: PlanView,
    api_usage: i64,
    created_at: Timestamp,
}

pub(super) async fn get_me(
    State(state): State<AppState>,
    principal: Principal,
) -> Result<Body<MeResponse>, ApiError> {
    let user = organization::find_caller(&state.store, &principal).await?;
    Ok(Body(user.value.into()))
}

pub(super) async fn create_organization(
    State(state): State<AppState>,
    principal: Principal,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<OrganizationRequest>,
) -> Result<Response, ApiError> {
    let (store, trail, now) = (&state.store, &state.trail, state.now());
    let key = key.as_deref();
    let once = Once::of_account(CREATE_ORGANIZATION, &principal, key, &request, now)?;
    let (billing, name) = (&state.billing, request.name.trim());
    let done = organization::create(billing, store, trail, &principal, &once, name, now).await?;
    let done = done.map(OrganizationResponse::from);
    made(StatusCode::CREATED, "/organization", &done)
}

pub(super) async fn leave_organization(
    State(state): State<AppState>,
    principal: Principal,
) -> Result<StatusCode, ApiError> {
    let (billing, store, trail) = (&state.billing, &state.store, &state.trail);
    organization::leave(billing, store, trail, &principal, state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn get_organization(
    State(state): State<AppState>,
    caller: Allowed<can::ReadOrganization>,
) -> Result<Body<OrganizationResponse>, ApiError> {
    let organization = organization::find(&state.store, &caller.0.org_id).await?;
    Ok(Body(organization.into()))
}

pub(super) async fn update_organization(
    State(state): State<AppState>,
    caller: Allowed<can::RenameOrganization>,
    Json(request): Json<OrganizationRequest>,
) -> Result<Body<OrganizationResponse>, ApiError> {
    let (store, trail, now) = (&state.store, &state.trail, state.now());
    let name = request.name.trim();
    let organization = organization::rename(store, trail, &caller.0, name, now).await?;
    Ok(Body(organization.into()))
}

fn is_name(name: &str, (): &()) -> garde::Result {
    let name = name.trim();
    let length = name.chars().count();
    if (1..=MAX_NAME_CHARS).contains(&length) && !name.contains(char::is_control) {
        return Ok(());
    }
    let message = format!("must have 1 to {MAX_NAME_CHARS} characters and no control characters");
    Err(garde::Error::new(message))
}

impl From<User> for MeResponse {
    fn from(user: User) -> Self {
        Self {
            uid: user.uid,
            organization_id: user.organization_id,
            role: user.role,
            email: user.email,
            settings: user.settings,
        }
    }
}

impl From<Organization> for OrganizationResponse {
    fn from(organization: Organization) -> Self {
        Self {
            plan: PlanView::from(&organization),
            id: organization.id,
            name: organization.name,
            subscription_tier: organization.subscription_tier,
            api_usage: organization.api_usage,
            created_at: organization.created_at,
        }
    }
}
