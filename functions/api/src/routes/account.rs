use axum::{extract::State, response::Response};
use http::StatusCode;
use shared::{
    http::{ApiError, Verified},
    models::Principal,
};

use super::lines;
use crate::{AppState, account, account_export};

/// The token alone counts: a call that was cut off is repeated when the user's document is gone.
pub(super) async fn delete_account(
    State(state): State<AppState>,
    Verified(claims): Verified,
) -> Result<StatusCode, ApiError> {
    let (store, trail, accounts) = (&state.store, &state.trail, state.accounts.clone());
    let (vault, now) = (state.hub.vault.clone(), state.now());
    account::delete(&state.billing, store, trail, accounts, vault, &claims, now).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn revoke_sessions(
    State(state): State<AppState>,
    caller: Principal,
) -> Result<StatusCode, ApiError> {
    let (store, trail) = (&state.store, &state.trail);
    account::revoke_sessions(store, trail, &*state.accounts, &caller, state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn export_account(
    State(state): State<AppState>,
    caller: Principal,
) -> Result<Response, ApiError> {
    let kept = account_export::export(&state.store, &state.trail, &caller, state.now()).await?;
    Ok(lines::respond("account.jsonl", kept))
}
