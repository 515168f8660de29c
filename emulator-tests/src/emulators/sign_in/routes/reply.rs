//! What several calls answer with, and the checks they share.

use serde_json::{Value, json};
use shared::clock::{Clock, SystemClock};

use crate::emulators::sign_in::SignInState;
use crate::emulators::sign_in::accounts::Account;
use crate::emulators::sign_in::error::ApiError;
use crate::emulators::sign_in::token::{self, LIFETIME_SECS, PASSWORD_PROVIDER};

const MIN_PASSWORD_CHARACTERS: usize = 6;
/// What Identity Toolkit shows in place of a hash: `REDACTED` in base64.
const HIDDEN_HASH: &str = "UkVEQUNURUQ=";

impl SignInState {
    /// The account that `id_token` belongs to.
    pub(super) fn authenticate(&self, id_token: &str) -> Result<Account, ApiError> {
        let claims = token::parse_id_token(&self.project_id, id_token, SystemClock.now())?;
        let account = self.accounts.find(&claims.user_id);
        let account = account.ok_or_else(|| ApiError::code("USER_NOT_FOUND"))?;
        check_usable(&account, claims.iat)?;
        Ok(account)
    }

    /// Adds `idToken`, `refreshToken` and `expiresIn` to a reply.
    pub(super) fn add_tokens(&self, reply: &mut Value, account: &Account) {
        let now = SystemClock.now();
        reply["idToken"] = token::issue_id_token(&self.project_id, account, now).into();
        reply["refreshToken"] = token::issue_refresh_token(&self.project_id, account, now).into();
        reply["expiresIn"] = LIFETIME_SECS.to_string().into();
    }
}

/// Refuses disabled accounts, and tokens from before the last change of password or address.
pub(super) fn check_usable(account: &Account, issued_at: i64) -> Result<(), ApiError> {
    if issued_at < account.valid_since {
        return Err(ApiError::code("TOKEN_EXPIRED"));
    }
    if account.disabled {
        return Err(ApiError::code("USER_DISABLED"));
    }
    Ok(())
}

pub(super) fn require(value: Option<String>, code: &str) -> Result<String, ApiError> {
    value
        .filter(|text| !text.is_empty())
        .ok_or_else(|| ApiError::code(code))
}

/// The address in the form that accounts are found by.
pub(super) fn parse_email(email: &str) -> Result<String, ApiError> {
    match email.split('@').collect::<Vec<_>>()[..] {
        [name, domain] if !name.is_empty() && !domain.is_empty() => Ok(email.to_lowercase()),
        _ => Err(ApiError::code("INVALID_EMAIL")),
    }
}

pub(super) fn check_strength(password: &str) -> Result<(), ApiError> {
    if password.chars().count() < MIN_PASSWORD_CHARACTERS {
        let code = format!(
            "WEAK_PASSWORD : Password should be at least {MIN_PASSWORD_CHARACTERS} characters"
        );
        return Err(ApiError::code(&code));
    }
    Ok(())
}

/// A user of `GetAccountInfoResponse`; times are text, in milliseconds or seconds as the name says.
pub(super) fn user(account: &Account) -> Value {
    let mut user = json!({
        "localId": account.uid,
        "email": account.email,
        "emailVerified": account.email_verified,
        "disabled": account.disabled,
        "providerUserInfo": provider_user_info(account),
        "validSince": account.valid_since.to_string(),
        "createdAt": account.created_at.as_millisecond().to_string(),
        "lastLoginAt": account.last_login_at.as_millisecond().to_string(),
        "lastRefreshAt": account.last_refresh_at.to_string(),
        "passwordUpdatedAt": account.password_updated_at.as_millisecond(),
    });
    if account.password.is_some() {
        user["passwordHash"] = HIDDEN_HASH.into();
    }
    if let Some(attributes) = &account.custom_attributes {
        user["customAttributes"] = attributes.as_str().into();
    }
    add_profile(&mut user, account);
    user
}

pub(super) fn provider_user_info(account: &Account) -> Value {
    let mut info = json!({
        "providerId": PASSWORD_PROVIDER,
        "email": account.email,
        "federatedId": account.email,
        "rawId": account.email,
    });
    add_profile(&mut info, account);
    json!([info])
}

/// Adds the name and the picture, which are left out when there is none.
pub(super) fn add_profile(reply: &mut Value, account: &Account) {
    if let Some(name) = &account.display_name {
        reply["displayName"] = name.as_str().into();
    }
    if let Some(url) = &account.photo_url {
        reply["photoUrl"] = url.as_str().into();
    }
}
