//! Who calls, and the bodies they send.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::codes::RequestType;
use super::error::ApiError;

const API_KEY_HEADER: &str = "x-goog-api-key";

/// Who calls: anybody with an API key, or the project's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Client,
    Owner,
}

/// A JSON body; an empty one is an empty object.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

/// `accounts:signUp`, `:signInWithPassword`, `:update` and `:delete`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AccountRequest {
    pub(super) id_token: Option<String>,
    pub(super) local_id: Option<String>,
    pub(super) email: Option<String>,
    pub(super) password: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) photo_url: Option<String>,
    pub(super) oob_code: Option<String>,
    pub(super) delete_attribute: Vec<String>,
    pub(super) email_verified: Option<bool>,
    pub(super) disabled: Option<bool>,
    pub(super) disable_user: Option<bool>,
    pub(super) custom_attributes: Option<String>,
    /// Seconds since the epoch; the wire has 64-bit integers as text.
    pub(super) valid_since: Option<String>,
}

/// `accounts:lookup`: people name themselves by their token, the owner names accounts.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LookupRequest {
    pub(super) id_token: Option<String>,
    pub(super) local_id: Vec<String>,
    pub(super) email: Vec<String>,
}

/// `accounts:sendOobCode` and `accounts:resetPassword`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CodeRequest {
    pub(super) request_type: Option<RequestType>,
    pub(super) id_token: Option<String>,
    pub(super) email: Option<String>,
    pub(super) oob_code: Option<String>,
    pub(super) new_password: Option<String>,
}

/// `token` of Secure Token; the SDK sends it as a form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TokenRequest {
    #[serde(alias = "grantType")]
    pub(super) grant_type: Option<String>,
    #[serde(alias = "refreshToken")]
    pub(super) refresh_token: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        if let Some(header) = parts.headers.get(AUTHORIZATION) {
            return match header.to_str().unwrap_or_default().split_once(' ') {
                Some((scheme, "owner")) if scheme.eq_ignore_ascii_case("bearer") => Ok(Self::Owner),
                _ => Err(ApiError::bad_credentials()),
            };
        }
        let query = Query::<HashMap<String, String>>::try_from_uri(&parts.uri);
        let in_query = query.is_ok_and(|query| query.get("key").is_some_and(|key| !key.is_empty()));
        if in_query || parts.headers.contains_key(API_KEY_HEADER) {
            return Ok(Self::Client);
        }
        Err(ApiError::missing_api_key())
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_form = request.headers().get(CONTENT_TYPE).is_some_and(|kind| {
            kind.as_bytes()
                .starts_with(b"application/x-www-form-urlencoded")
        });
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|error| ApiError::bad_payload(&error.body_text()))?;
        let value = if is_form { form(&bytes) } else { json(&bytes)? };
        let body = serde_json::from_value(value);
        body.map(Self)
            .map_err(|error| ApiError::bad_payload(&error.to_string()))
    }
}

fn form(bytes: &[u8]) -> Value {
    let pairs = url::form_urlencoded::parse(bytes);
    let pairs = pairs.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())));
    Value::Object(pairs.collect())
}

fn json(bytes: &[u8]) -> Result<Value, ApiError> {
    if bytes.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_slice(bytes).map_err(|error| ApiError::bad_payload(&error.to_string()))
}
