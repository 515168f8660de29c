//! Sign-up, sign-in, lookup and deletion.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use shared::clock::{Clock, SystemClock};

use super::reply::{self, require};
use super::{Reply, Shared};
use crate::emulators::sign_in::accounts::{Account, NewAccount};
use crate::emulators::sign_in::error::ApiError;
use crate::emulators::sign_in::password::PasswordHash;
use crate::emulators::sign_in::request::{AccountRequest, Body, Caller, LookupRequest};

pub(super) async fn create_account(
    State(state): Shared,
    caller: Caller,
    Body(request): Body<AccountRequest>,
) -> Reply {
    check_allowed(caller, &request)?;
    let email = require(request.email, "MISSING_EMAIL")?;
    let password = match (caller, request.password) {
        (Caller::Owner, None) => None,
        (_, password) => Some(require(password, "MISSING_PASSWORD")?),
    };
    let email = reply::parse_email(&email)?;
    if state.accounts.find_by_email(&email).is_some() {
        return Err(ApiError::code("EMAIL_EXISTS"));
    }
    password.as_deref().map_or(Ok(()), reply::check_strength)?;
    let by_owner = caller == Caller::Owner;
    let account = state.accounts.create(NewAccount {
        uid: request.local_id,
        email,
        email_verified: by_owner && request.email_verified == Some(true),
        display_name: request.display_name,
        photo_url: request.photo_url.filter(|_| by_owner),
        disabled: by_owner && request.disabled == Some(true),
        password: password.as_deref().map(PasswordHash::of),
    })?;
    let mut reply = json!({
        "kind": "identitytoolkit#SignupNewUserResponse",
        "localId": account.uid,
        "email": account.email,
    });
    reply::add_profile(&mut reply, &account);
    if !by_owner {
        state.add_tokens(&mut reply, &account);
    }
    Ok(Json(reply))
}

pub(super) async fn sign_in_with_password(
    State(state): Shared,
    _: Caller,
    Body(request): Body<AccountRequest>,
) -> Reply {
    let email = request
        .email
        .ok_or_else(|| ApiError::code("MISSING_EMAIL"))?;
    let email = reply::parse_email(&email)?;
    let password = require(request.password, "MISSING_PASSWORD")?;
    let account = state.accounts.find_by_email(&email);
    let account = account.ok_or_else(|| ApiError::code("EMAIL_NOT_FOUND"))?;
    if account.disabled {
        return Err(ApiError::code("USER_DISABLED"));
    }
    let matches = |hash: &PasswordHash| hash.matches(&password);
    if !account.password.as_ref().is_some_and(matches) {
        return Err(ApiError::code("INVALID_PASSWORD"));
    }
    let now = SystemClock.now();
    let account = state.accounts.update(&account.uid, |account| {
        account.last_login_at = now;
        account.last_refresh_at = now;
    })?;
    let mut reply = json!({
        "kind": "identitytoolkit#VerifyPasswordResponse",
        "registered": true,
        "localId": account.uid,
        "email": account.email,
    });
    reply::add_profile(&mut reply, &account);
    state.add_tokens(&mut reply, &account);
    Ok(Json(reply))
}

pub(super) async fn find_accounts(
    State(state): Shared,
    caller: Caller,
    Body(request): Body<LookupRequest>,
) -> Reply {
    let accounts: Vec<Account> = match caller {
        Caller::Client => {
            let id_token = require(request.id_token, "MISSING_ID_TOKEN")?;
            vec![state.authenticate(&id_token)?]
        }
        Caller::Owner => {
            let by_uid = request.local_id.iter().map(|uid| state.accounts.find(uid));
            let by_email = |email: &String| state.accounts.find_by_email(&email.to_lowercase());
            let by_email = request.email.iter().map(by_email);
            by_uid.chain(by_email).flatten().collect()
        }
    };
    let mut reply = json!({ "kind": "identitytoolkit#GetAccountInfoResponse" });
    if !accounts.is_empty() {
        reply["users"] = accounts
            .iter()
            .map(reply::user)
            .collect::<Vec<Value>>()
            .into();
    }
    Ok(Json(reply))
}

pub(super) async fn delete_account(
    State(state): Shared,
    caller: Caller,
    Body(request): Body<AccountRequest>,
) -> Reply {
    let uid = match caller {
        Caller::Owner => require(request.local_id, "MISSING_LOCAL_ID")?,
        Caller::Client => {
            let id_token = require(request.id_token, "MISSING_ID_TOKEN")?;
            state.authenticate(&id_token)?.uid
        }
    };
    state.accounts.delete(&uid)?;
    Ok(Json(
        json!({ "kind": "identitytoolkit#DeleteAccountResponse" }),
    ))
}

/// Only the owner chooses identifiers; anonymous sign-up is switched off.
fn check_allowed(caller: Caller, request: &AccountRequest) -> Result<(), ApiError> {
    if caller == Caller::Owner {
        return Ok(());
    }
    if request.local_id.is_some() {
        return Err(ApiError::code("UNEXPECTED_PARAMETER : User ID"));
    }
    if request.id_token.is_some() {
        return Err(ApiError::code("OPERATION_NOT_ALLOWED"));
    }
    if request.email.is_none() && request.password.is_none() {
        return Err(ApiError::code("ADMIN_ONLY_OPERATION"));
    }
    Ok(())
}
