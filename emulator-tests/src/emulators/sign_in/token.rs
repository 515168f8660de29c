//! Unsigned tokens with the claims of Firebase's.
//!
//! Claims: <https://firebase.google.com/docs/auth/admin/verify-id-tokens>.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::accounts::Account;
use super::error::ApiError;

/// How long an ID token is good for.
pub(super) const LIFETIME_SECS: i64 = 3600;
/// The one provider there is.
pub(super) const PASSWORD_PROVIDER: &str = "password";

/// Whose token it is and when it was issued, in seconds since the epoch.
#[derive(Debug, Deserialize)]
pub(super) struct IdClaims {
    pub(super) user_id: String,
    pub(super) iat: i64,
    aud: String,
    exp: i64,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

/// What a refresh token says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RefreshClaims {
    pub(super) uid: String,
    pub(super) issued_at: i64,
    project_id: String,
}

/// A JWT without a signature.
pub(super) fn issue_id_token(project_id: &str, account: &Account, now: Timestamp) -> String {
    let header = json!({ "alg": "none", "typ": "JWT" });
    let claims = claims(project_id, account, now);
    format!("{}.{}.", encode(&header), encode(&claims))
}

/// The claims of an ID token of this project that has not expired.
pub(super) fn parse_id_token(
    project_id: &str,
    token: &str,
    now: Timestamp,
) -> Result<IdClaims, ApiError> {
    let invalid = || ApiError::code("INVALID_ID_TOKEN");
    let [header, claims, ""] = token.split('.').collect::<Vec<_>>()[..] else {
        return Err(invalid());
    };
    let header: Header = decode(header).ok_or_else(invalid)?;
    let claims: IdClaims = decode(claims).ok_or_else(invalid)?;
    if header.alg != "none" || claims.aud != project_id {
        return Err(invalid());
    }
    if claims.exp <= now.as_second() {
        return Err(ApiError::code("TOKEN_EXPIRED"));
    }
    Ok(claims)
}

pub(super) fn issue_refresh_token(project_id: &str, account: &Account, now: Timestamp) -> String {
    encode(&RefreshClaims {
        uid: account.uid.clone(),
        issued_at: now.as_second(),
        project_id: project_id.to_owned(),
    })
}

pub(super) fn parse_refresh_token(
    project_id: &str,
    token: &str,
) -> Result<RefreshClaims, ApiError> {
    decode::<RefreshClaims>(token)
        .filter(|claims| claims.project_id == project_id)
        .ok_or_else(|| ApiError::code("INVALID_REFRESH_TOKEN"))
}

/// Custom claims come first: they cannot replace the ones that say who it is.
fn claims(project_id: &str, account: &Account, now: Timestamp) -> Map<String, Value> {
    let custom = account.custom_attributes.as_deref().unwrap_or("{}");
    let mut claims: Map<String, Value> = serde_json::from_str(custom).unwrap_or_default();
    let mut claim = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
    if let Some(name) = &account.display_name {
        claim("name", json!(name));
    }
    if let Some(picture) = &account.photo_url {
        claim("picture", json!(picture));
    }
    let issuer = format!("https://securetoken.google.com/{project_id}");
    claim("iss", json!(issuer));
    claim("aud", json!(project_id));
    claim("auth_time", json!(account.last_login_at.as_second()));
    claim("user_id", json!(account.uid));
    claim("sub", json!(account.uid));
    claim("iat", json!(now.as_second()));
    claim("exp", json!(now.as_second() + LIFETIME_SECS));
    claim("email", json!(account.email));
    claim("email_verified", json!(account.email_verified));
    let identities = json!({ "email": [account.email] });
    claim(
        "firebase",
        json!({ "identities": identities, "sign_in_provider": PASSWORD_PROVIDER }),
    );
    claims
}

fn encode(value: &impl Serialize) -> String {
    // Strings, numbers and maps with string keys always serialize.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default())
}

fn decode<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    serde_json::from_slice(&bytes).ok()
}
