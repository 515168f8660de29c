//! What a real service does by e-mail: proving an address, resetting a password.

use axum::Json;
use axum::extract::State;
use serde_json::json;
use shared::clock::{Clock, SystemClock};

use super::reply::{self, require};
use super::{Reply, Shared};
use crate::emulators::sign_in::SignInState;
use crate::emulators::sign_in::accounts::Account;
use crate::emulators::sign_in::codes::RequestType;
use crate::emulators::sign_in::error::ApiError;
use crate::emulators::sign_in::password::PasswordHash;
use crate::emulators::sign_in::request::{Body, Caller, CodeRequest};

pub(super) async fn create_code(
    State(state): Shared,
    _: Caller,
    Body(request): Body<CodeRequest>,
) -> Reply {
    let request_type = request
        .request_type
        .ok_or_else(|| ApiError::code("MISSING_REQ_TYPE"))?;
    let account = match request_type {
        RequestType::VerifyEmail => state.authenticate(&request.id_token.unwrap_or_default())?,
        RequestType::PasswordReset => {
            let email = reply::parse_email(&require(request.email, "MISSING_EMAIL")?)?;
            let account = state.accounts.find_by_email(&email);
            account.ok_or_else(|| ApiError::code("EMAIL_NOT_FOUND"))?
        }
    };
    state.codes.create(&account.email, request_type);
    Ok(Json(json!({
        "kind": "identitytoolkit#GetOobConfirmationCodeResponse",
        "email": account.email,
    })))
}

pub(super) async fn list_codes(State(state): Shared) -> Reply {
    Ok(Json(json!({ "oobCodes": state.codes.list() })))
}

pub(super) async fn reset_password(
    State(state): Shared,
    _: Caller,
    Body(request): Body<CodeRequest>,
) -> Reply {
    let oob_code = require(request.oob_code, "MISSING_OOB_CODE")?;
    let request_type = RequestType::PasswordReset;
    let account = account_of(&state, &oob_code, request_type)?;
    if let Some(password) = request.new_password {
        reply::check_strength(&password)?;
        let now = SystemClock.now();
        state.accounts.update(&account.uid, |account| {
            account.password = Some(PasswordHash::of(&password));
            account.password_updated_at = now;
            account.valid_since = now.as_second();
            account.email_verified = true;
        })?;
        state.codes.remove(&oob_code);
    }
    Ok(Json(json!({
        "kind": "identitytoolkit#ResetPasswordResponse",
        "requestType": request_type,
        "email": account.email,
    })))
}

/// Uses up a code that was sent to prove an address.
pub(super) fn verify_email(state: &SignInState, oob_code: &str) -> Result<Account, ApiError> {
    let account = account_of(state, oob_code, RequestType::VerifyEmail)?;
    let account = state.accounts.update(&account.uid, |account| {
        account.email_verified = true;
    })?;
    state.codes.remove(oob_code);
    Ok(account)
}

fn account_of(
    state: &SignInState,
    oob_code: &str,
    request_type: RequestType,
) -> Result<Account, ApiError> {
    let code = state.codes.find(oob_code, request_type);
    code.and_then(|code| state.accounts.find_by_email(&code.email))
        .ok_or_else(|| ApiError::code("INVALID_OOB_CODE"))
}
