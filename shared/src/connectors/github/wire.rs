//! The part of GitHub's objects that is used.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

use crate::{
    connectors::{Error, http::Answer},
    models::Timestamp,
};

/// How long to wait where GitHub does not tell
/// (<https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit>).
const SECONDARY_LIMIT_WAIT: Duration = Duration::from_secs(60);

/// <https://docs.github.com/en/rest/users/users#get-the-authenticated-user>.
#[derive(Deserialize)]
pub(super) struct UserBody {
    pub(super) id: u64,
    pub(super) login: String,
}

/// <https://docs.github.com/en/rest/apps/apps#get-an-installation-for-the-authenticated-app>.
#[derive(Deserialize)]
pub(super) struct InstallationBody {
    pub(super) app_slug: String,
    #[serde(default)]
    pub(super) account: Option<OwnerBody>,
}

/// Users and organizations have a login, enterprises a slug.
#[derive(Deserialize)]
pub(super) struct OwnerBody {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) login: Option<String>,
    #[serde(default)]
    pub(super) slug: Option<String>,
}

/// <https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app>.
#[derive(Deserialize)]
pub(super) struct TokenBody {
    pub(super) token: secrecy::SecretString,
    pub(super) expires_at: Timestamp,
}

/// <https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed>.
#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<ErrorDetail>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ErrorDetail {
    Code { code: String, field: Option<String> },
    Other(serde::de::IgnoredAny),
}

/// Limits are told by 403 as well as by 429. Messages are read, but never shown: they quote what
/// was sent.
pub(super) fn from_refusal(answer: &Answer) -> Error {
    let body: ErrorBody = answer.json().unwrap_or_default();
    let is_maybe_limit = matches!(
        answer.status,
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
    );
    match limit(answer, &body) {
        Some(retry_after) if is_maybe_limit => Error::RateLimited {
            retry_after: Some(retry_after),
        },
        _ => answer.refusal(body.reason().as_deref()),
    }
}

/// How long to wait, if it is a limit that refused.
fn limit(answer: &Answer, body: &ErrorBody) -> Option<Duration> {
    let until_reset = || {
        let is_used_up = answer.header("x-ratelimit-remaining")? == "0";
        let reset = answer.header("x-ratelimit-reset")?.parse().ok()?;
        is_used_up.then(|| answer.time_until(reset)).flatten()
    };
    let is_secondary = body.message.to_ascii_lowercase().contains("rate limit");
    answer
        .retry_after()
        .or_else(until_reset)
        .or_else(|| is_secondary.then_some(SECONDARY_LIMIT_WAIT))
}

impl ErrorBody {
    /// `title.missing_field`.
    fn reason(&self) -> Option<String> {
        self.errors.iter().find_map(|error| match error {
            ErrorDetail::Code { code, field } => Some(match field {
                Some(field) => format!("{field}.{code}"),
                None => code.clone(),
            }),
            ErrorDetail::Other(_) => None,
        })
    }
}
