use axum::{extract::State, response::Response};
use http::StatusCode;
use shared::{http::ApiError, models::Principal};

use super::lines;
use crate::{AppState, account, account_export};

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
