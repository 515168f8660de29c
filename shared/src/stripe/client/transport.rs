use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    Client, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, InvalidHeaderValue},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use stripe_client_core::{RequestBuilder, StripeMethod};
use url::Url;

use crate::{retry::Transient, stripe::Error};

/// The version of Stripe's API that requests are made for and answers are read by
/// (<https://docs.stripe.com/api/versioning>).
pub const API_VERSION: &str = "2026-10-28.endive";

/// Four attempts of this length leave time to answer a webhook within 10 s.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// What is made takes Stripe longer than what is read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(8);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The key or the URL of Stripe's API cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the client for stripe cannot be built")]
pub struct InvalidClient(#[source] BoxError);

/// Why a call was not carried out, with the words that Stripe has for it.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Stripe cannot be reached, is overloaded, or something else answered in its place.
    #[error("stripe is unavailable")]
    Unavailable(#[source] BoxError),
    /// Stripe has failed at it, perhaps half-way, and tells so for a day whoever comes with the same
    /// idempotency key (<https://docs.stripe.com/api/idempotent_requests>).
    #[error("stripe has failed")]
    Failed,
    /// Stripe refuses the request for good.
    #[error(
        "stripe refused the request with status {status} ({})",
        code.as_deref().unwrap_or("no code")
    )]
    Refused {
        /// HTTP status of the refusal.
        status: u16,
        /// Stripe's code of it (<https://docs.stripe.com/error-codes>), or else its type.
        code: Option<String>,
    },
}

impl Transient for CallError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Failed)
    }
}

impl CallError {
    /// Whether Stripe refuses with this code.
    #[must_use]
    pub fn has_code(&self, expected: &str) -> bool {
        matches!(self, Self::Refused { code: Some(code), .. } if code == expected)
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Unavailable(source) => Self::Unavailable(source),
            failed @ CallError::Failed => Self::Unavailable(failed.into()),
            CallError::Refused { status, .. } => Self::Rejected { status },
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Transport {
    client: Client,
    base_url: Url,
    authorization: HeaderValue,
}

impl Transport {
    pub(super) fn new(api_key: &SecretString, base_url: &str) -> Result<Self, InvalidClient> {
        let client = Client::builder()
            .user_agent(concat!("infinity-x/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(ATTEMPT_TIMEOUT)
            .build();
        let base_url = Url::parse(base_url).and_then(|url| url.join("v1"));
        Ok(Self {
            client: client.map_err(|error| InvalidClient(error.into()))?,
            base_url: base_url.map_err(|error| InvalidClient(error.into()))?,
            authorization: bearer(api_key).map_err(|error| InvalidClient(error.into()))?,
        })
    }

    /// Sends a request once.
    pub(super) async fn send(
        &self,
        request: &RequestBuilder,
        idempotency_key: Option<&str>,
    ) -> Result<Bytes, CallError> {
        let url = format!("{}{}", self.base_url, request.path);
        let url = match &request.query {
            Some(query) => format!("{url}?{query}"),
            None => url,
        };
        let (builder, timeout) = match request.method {
            StripeMethod::Get => (self.client.get(url), ATTEMPT_TIMEOUT),
            StripeMethod::Post => (self.client.post(url), WRITE_TIMEOUT),
            StripeMethod::Delete => (self.client.delete(url), WRITE_TIMEOUT),
        };
        let mut builder = builder
            .timeout(timeout)
            .header(AUTHORIZATION, self.authorization.clone())
            .header("Stripe-Version", API_VERSION)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(key) = idempotency_key {
            builder = builder.header("Idempotency-Key", key);
        }
        let body = request.body.clone().unwrap_or_default();
        let answer = builder.body(body).send().await.map_err(lost)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.map_err(lost)?;
        if status.is_success() {
            return Ok(body);
        }
        Err(refusal(status, &headers, &body))
    }
}

fn bearer(api_key: &SecretString) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", api_key.expose_secret()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The address holds ids of customers, which are no matter for a log.
fn lost(error: reqwest::Error) -> CallError {
    CallError::Unavailable(error.without_url().into())
}

/// <https://docs.stripe.com/error-low-level#status-codes>. The message is passed over: it may
/// quote what was sent.
fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> CallError {
    let told = headers
        .get("stripe-should-retry")
        .map(HeaderValue::as_bytes);
    let may_pass = match told {
        Some(b"true") => true,
        Some(b"false") => status.is_server_error(),
        _ => status.is_server_error() || matches!(status.as_u16(), 409 | 424 | 429),
    };
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(_) if status == StatusCode::INTERNAL_SERVER_ERROR => CallError::Failed,
        Ok(ErrorBody { error }) if !may_pass => CallError::Refused {
            status: status.as_u16(),
            code: error.code.or(error.kind),
        },
        _ => CallError::Unavailable(format!("status {}", status.as_u16()).into()),
    }
}

/// <https://docs.stripe.com/api/errors>.
#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    code: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}
