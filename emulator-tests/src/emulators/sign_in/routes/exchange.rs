//! A refresh token becomes an ID token.
//!
//! Wire: <https://cloud.google.com/identity-platform/docs/use-rest-api#section-refresh-token>.

use axum::Json;
use axum::extract::State;
use serde_json::json;
use shared::clock::{Clock, SystemClock};

use super::reply::{self, require};
use super::{Reply, Shared};
use crate::emulators::sign_in::error::ApiError;
use crate::emulators::sign_in::request::{Body, Caller, TokenRequest};
use crate::emulators::sign_in::token::{self, LIFETIME_SECS};

/// The emulator's project number.
const PROJECT_NUMBER: &str = "12345";

pub(super) async fn exchange_token(
    State(state): Shared,
    _: Caller,
    Body(request): Body<TokenRequest>,
) -> Reply {
    if require(request.grant_type, "MISSING_GRANT_TYPE")? != "refresh_token" {
        return Err(ApiError::code("INVALID_GRANT_TYPE"));
    }
    let refresh_token = require(request.refresh_token, "MISSING_REFRESH_TOKEN")?;
    let claims = token::parse_refresh_token(&state.project_id, &refresh_token)?;
    let account = state.accounts.find(&claims.uid);
    let account = account.ok_or_else(|| ApiError::code("INVALID_REFRESH_TOKEN"))?;
    reply::check_usable(&account, claims.issued_at)?;
    let now = SystemClock.now();
    let account = state.accounts.update(&account.uid, |account| {
        account.last_refresh_at = now;
    })?;
    let id_token = token::issue_id_token(&state.project_id, &account, now);
    Ok(Json(json!({
        "id_token": id_token,
        "access_token": id_token,
        "refresh_token": token::issue_refresh_token(&state.project_id, &account, now),
        "expires_in": LIFETIME_SECS.to_string(),
        "token_type": "Bearer",
        "user_id": account.uid,
        "project_id": PROJECT_NUMBER,
    })))
}
