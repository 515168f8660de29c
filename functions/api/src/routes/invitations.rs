use axum::{Json as Body, extract::State, response::Response};
use garde::Validate;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::{
    email::Address,
    http::{Allowed, ApiError, Json, Path, Query, SignedIn, Verified, can},
    ids::RecordId,
    models::Role,
};

use super::{
    answer::{ListResponse, made},
    idempotency_key::IdempotencyKey,
    organization::MeResponse,
};
use crate::{
    AppState,
    idempotency::Once,
    invitations::{self, InvitationSummary},
    page,
};

const CREATE_INVITATION: &str = "invitations.create";

/// Who is invited to what.
#[derive(Serialize, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct CreateInvitationRequest {
    #[garde(custom(is_address))]
    email: String,
    role: Role,
}

/// The token of an invitation, as its mail has it.
#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub(super) struct AcceptInvitationRequest {
    #[garde(length(min = 1, max = 500))]
    token: String,
}

/// Which invitations to list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListInvitationsQuery {
    limit: Option<u32>,
    page_token: Option<String>,
}

pub(super) async fn create_invitation(
    State(state): State<AppState>,
    caller: Allowed<can::InviteMember>,
    Verified(claims): Verified,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<CreateInvitationRequest>,
) -> Result<Response, ApiError> {
    let (principal, now) = (&caller.0, state.now());
    let once = Once::new(CREATE_INVITATION, principal, key.as_deref(), &request, now)?;
    let CreateInvitationRequest { email, role } = request;
    let (store, trail, tokens) = (&state.store, &state.trail, &state.tokens);
    let invitation = invitations::draft(tokens, principal, &claims, &email, role, now).await?;
    let done = invitations::create(store, trail, &once, principal, &invitation).await?;
    let path = format!("/organization/invitations/{}", done.value.id);
    made(StatusCode::CREATED, &path, &done)
}

pub(super) async fn list_invitations(
    State(state): State<AppState>,
    caller: Allowed<can::ReadInvitations>,
    Query(query): Query<ListInvitationsQuery>,
) -> Result<Body<ListResponse<InvitationSummary>>, ApiError> {
    let page = page::parse("invitations", query.limit, query.page_token.as_deref())?;
    let listing = invitations::list(&state.store, &caller.0, &page, state.now()).await?;
    Ok(Body(ListResponse::new("invitations", listing)))
}

pub(super) async fn revoke_invitation(
    State(state): State<AppState>,
    caller: Allowed<can::RevokeInvitation>,
    Path(id): Path<RecordId>,
) -> Result<StatusCode, ApiError> {
    invitations::revoke(&state.store, &state.trail, &caller.0, &id, state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn accept_invitation(
    State(state): State<AppState>,
    SignedIn { principal, claims }: SignedIn,
    Json(request): Json<AcceptInvitationRequest>,
) -> Result<Body<MeResponse>, ApiError> {
    let (billing, store, trail) = (&state.billing, &state.store, &state.trail);
    let (token, now) = (&request.token, state.now());
    let user = invitations::accept(billing, store, trail, &principal, &claims, token, now).await?;
    Ok(Body(user.into()))
}

fn is_address(email: &str, (): &()) -> garde::Result {
    let address = Address::parse(email);
    address
        .map(drop)
        .map_err(|error| garde::Error::new(error.to_string()))
}
