use axum::{Json as Body, extract::State};
use serde::Serialize;
use shared::{
    http::{Allowed, ApiError, can},
    ids::{OrgId, Uid},
    models::{
        MemoryDepth, Organization, Principal, Role, SubscriptionTier, Timestamp, User, UserSettings,
    },
    quota::Plan,
};

use crate::{AppState, organization};

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
    plan: PlanResponse,
    api_usage: i64,
    created_at: Timestamp,
}

/// What the organization may use.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlanResponse {
    product: String,
    agents: i64,
    included_tokens: i64,
    monthly_tokens: i64,
    memory_depth: MemoryDepth,
    workspace: bool,
    fine_tuning: bool,
}

pub(super) async fn get_me(
    State(state): State<AppState>,
    principal: Principal,
) -> Result<Body<MeResponse>, ApiError> {
    let user = organization::find_caller(&state.store, &principal).await?;
    Ok(Body(user.value.into()))
}

pub(super) async fn get_organization(
    State(state): State<AppState>,
    caller: Allowed<can::ReadOrganization>,
) -> Result<Body<OrganizationResponse>, ApiError> {
    let organization = organization::find(&state.store, &caller.0.org_id).await?;
    Ok(Body(organization.into()))
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
            plan: Plan::for_organization(&organization).into(),
            id: organization.id,
            name: organization.name,
            subscription_tier: organization.subscription_tier,
            api_usage: organization.api_usage,
            created_at: organization.created_at,
        }
    }
}

impl From<Plan> for PlanResponse {
    fn from(plan: Plan) -> Self {
        Self {
            product: plan.product,
            agents: plan.agents,
            included_tokens: plan.included_tokens,
            monthly_tokens: plan.monthly_tokens,
            memory_depth: plan.memory_depth,
            workspace: plan.workspace,
            fine_tuning: plan.fine_tuning,
        }
    }
}
