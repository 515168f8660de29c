//! Changes of a profile, an address or a password.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};
use shared::clock::{Clock, SystemClock};

use super::reply::{self, require};
use super::{Reply, Shared, email};
use crate::emulators::sign_in::SignInState;
use crate::emulators::sign_in::accounts::Account;
use crate::emulators::sign_in::error::ApiError;
use crate::emulators::sign_in::password::PasswordHash;
use crate::emulators::sign_in::request::{AccountRequest, Body, Caller};

/// <https://firebase.google.com/docs/auth/admin/custom-claims>.
const MAX_CLAIMS_CHARACTERS: usize = 1000;

pub(super) async fn update_account(
    State(state): Shared,
    caller: Caller,
    Body(request): Body<AccountRequest>,
) -> Reply {
    if let Some(oob_code) = &request.oob_code {
        let account = email::verify_email(&state, oob_code)?;
        return Ok(Json(describe(&account)));
    }
    let account = target(&state, caller, &request)?;
    let email = request
        .email
        .as_deref()
        .map(reply::parse_email)
        .transpose()?;
    let password = request.password.as_deref().filter(|text| !text.is_empty());
    password.map_or(Ok(()), reply::check_strength)?;
    check_claims(request.custom_attributes.as_deref())?;
    let valid_since = request.valid_since.as_deref().map(parse_seconds);
    let valid_since = valid_since.transpose()?;
    let new_email = email.filter(|email| *email != account.email);
    let ends_sessions = new_email.is_some() || password.is_some();
    let password = password.map(PasswordHash::of);
    let account = state.accounts.update(&account.uid, |account| {
        account.valid_since = valid_since.unwrap_or(account.valid_since);
        apply(account, new_email, password, request);
    })?;
    let mut reply = describe(&account);
    if ends_sessions && caller == Caller::Client {
        state.add_tokens(&mut reply, &account);
    }
    Ok(Json(reply))
}

/// The account to change, once the caller may change what the request names.
fn target(
    state: &SignInState,
    caller: Caller,
    request: &AccountRequest,
) -> Result<Account, ApiError> {
    if caller == Caller::Owner {
        let uid = require(request.local_id.clone(), "MISSING_LOCAL_ID")?;
        let account = state.accounts.find(&uid);
        return account.ok_or_else(|| ApiError::code("USER_NOT_FOUND"));
    }
    if request.custom_attributes.is_some() {
        return Err(ApiError::code("INSUFFICIENT_PERMISSION"));
    }
    let unsupported = "INVALID_REQ_TYPE : Unsupported request parameters.";
    let account = state.authenticate(&require(request.id_token.clone(), unsupported)?)?;
    let owners_alone = request.disable_user.is_some()
        || request.email_verified.is_some()
        || request.valid_since.is_some();
    if owners_alone {
        return Err(ApiError::code("OPERATION_NOT_ALLOWED"));
    }
    Ok(account)
}

fn apply(
    account: &mut Account,
    new_email: Option<String>,
    password: Option<PasswordHash>,
    request: AccountRequest,
) {
    let now = SystemClock.now();
    if let Some(email) = new_email {
        account.email = email;
        account.email_verified = false;
        account.valid_since = now.as_second();
    }
    if let Some(password) = password {
        account.password = Some(password);
        account.password_updated_at = now;
        account.valid_since = now.as_second();
    }
    account.display_name = request.display_name.or(account.display_name.take());
    account.photo_url = request.photo_url.or(account.photo_url.take());
    for attribute in &request.delete_attribute {
        match attribute.as_str() {
            "DISPLAY_NAME" => account.display_name = None,
            "PHOTO_URL" => account.photo_url = None,
            _ => {}
        }
    }
    account.email_verified = request.email_verified.unwrap_or(account.email_verified);
    account.disabled = request.disable_user.unwrap_or(account.disabled);
    let attributes = request.custom_attributes;
    account.custom_attributes = attributes.or(account.custom_attributes.take());
}

fn parse_seconds(text: &str) -> Result<i64, ApiError> {
    let invalid = |_| ApiError::code("INVALID_REQ_TYPE : Invalid value at 'valid_since'.");
    text.parse().map_err(invalid)
}

fn check_claims(custom_attributes: Option<&str>) -> Result<(), ApiError> {
    let Some(text) = custom_attributes else {
        return Ok(());
    };
    if text.chars().count() > MAX_CLAIMS_CHARACTERS {
        return Err(ApiError::code("CLAIMS_TOO_LARGE"));
    }
    let parsed: Result<Map<String, Value>, _> = serde_json::from_str(text);
    parsed
        .map(drop)
        .map_err(|_| ApiError::code("INVALID_CLAIMS"))
}

fn describe(account: &Account) -> Value {
    let mut reply = json!({
        "kind": "identitytoolkit#SetAccountInfoResponse",
        "localId": account.uid,
        "email": account.email,
        "emailVerified": account.email_verified,
        "providerUserInfo": reply::provider_user_info(account),
    });
    reply::add_profile(&mut reply, account);
    reply
}
