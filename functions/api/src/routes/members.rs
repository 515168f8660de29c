use axum::{Json as Body, extract::State};
use garde::Validate;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::{
    http::{Allowed, ApiError, Json, Path, Query, can},
    ids::Uid,
    models::{Role, Timestamp, User},
    store::Listing,
};

use super::{answer::ListResponse, patch::present};
use crate::{
    AppState,
    members::{self, MemberChange},
    page,
};

/// What of a member may be changed; what is left out stays.
#[derive(Default, Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub(super) struct UpdateMemberRequest {
    #[serde(deserialize_with = "present")]
    role: Option<Role>,
    #[serde(deserialize_with = "present")]
    disabled: Option<bool>,
}

/// Which members to list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListMembersQuery {
    limit: Option<u32>,
    page_token: Option<String>,
}

/// A member as admins see it: without its settings.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MemberResponse {
    uid: Uid,
    email: Option<String>,
    role: Role,
    disabled: bool,
    created_at: Timestamp,
}

pub(super) async fn list_members(
    State(state): State<AppState>,
    caller: Allowed<can::ReadMembers>,
    Query(query): Query<ListMembersQuery>,
) -> Result<Body<ListResponse<MemberResponse>>, ApiError> {
    let page = page::parse("members", query.limit, query.page_token.as_deref())?;
    let listing = state.store.list_members(&caller.0.org_id, &page).await?;
    let listing = Listing {
        items: listing.items.into_iter().map(Into::into).collect(),
        next: listing.next,
    };
    Ok(Body(ListResponse::new("members", listing)))
}

pub(super) async fn update_member(
    State(state): State<AppState>,
    caller: Allowed<can::UpdateMember>,
    Path(uid): Path<Uid>,
    Json(request): Json<UpdateMemberRequest>,
) -> Result<Body<MemberResponse>, ApiError> {
    let change = MemberChange {
        role: request.role,
        disabled: request.disabled,
    };
    let (store, trail, now) = (&state.store, &state.trail, state.now());
    let member = members::update(store, trail, &caller.0, &uid, change, now).await?;
    Ok(Body(member.into()))
}

pub(super) async fn remove_member(
    State(state): State<AppState>,
    caller: Allowed<can::RemoveMember>,
    Path(uid): Path<Uid>,
) -> Result<StatusCode, ApiError> {
    members::remove(&state.store, &state.trail, &caller.0, &uid, state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<User> for MemberResponse {
    fn from(user: User) -> Self {
        Self {
            uid: user.uid,
            email: user.email,
            role: user.role,
            disabled: user.disabled,
            created_at: user.created_at,
        }
    }
}
