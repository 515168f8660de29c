use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, StatusCode, header::HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::{Address, Email, Error, Mailer};
use crate::config::{self, Env};

/// SendGrid for global accounts; `https://api.eu.sendgrid.com` is the European one.
const DEFAULT_BASE_URL: &str = "https://api.sendgrid.com";

/// Longest wait for SendGrid to accept a mail.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Where and as whom to send.
#[derive(Clone, Debug)]
pub struct SendGridConfig {
    /// `SENDGRID_BASE_URL`: what `/v3/mail/send` is appended to; default
    /// `https://api.sendgrid.com`.
    pub base_url: String,
    /// `SENDGRID_API_KEY`: the bearer token.
    pub api_key: SecretString,
    /// `EMAIL_FROM`: the sender's address, verified at SendGrid.
    pub from: Address,
    /// Longest wait for an answer; 20 s.
    pub timeout: Duration,
}

impl SendGridConfig {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns the first variable that is missing or invalid.
    pub fn load(env: &Env) -> Result<Self, config::Error> {
        let base_url = match env.optional("SENDGRID_BASE_URL") {
            Some(_) => env.required_parsed::<Url>("SENDGRID_BASE_URL")?.to_string(),
            None => DEFAULT_BASE_URL.to_owned(),
        };
        Ok(Self {
            base_url,
            api_key: env.secret("SENDGRID_API_KEY")?,
            from: env.required_parsed("EMAIL_FROM")?,
            timeout: TIMEOUT,
        })
    }
}

/// Twilio SendGrid's v3 API
/// (<https://github.com/twilio/sendgrid-oai>, `POST /v3/mail/send`).
pub struct SendGrid {
    config: SendGridConfig,
    url: String,
    client: Client,
}

impl SendGrid {
    /// A mailer that shares `client`'s connections.
    #[must_use]
    pub fn new(config: SendGridConfig, client: Client) -> Self {
        let url = format!("{}/v3/mail/send", config.base_url.trim_end_matches('/'));
        Self {
            config,
            url,
            client,
        }
    }
}

#[async_trait]
impl Mailer for SendGrid {
    /// Tries once: SendGrid has no idempotency key, so the outbox decides about a repeat.
    async fn send(&self, email: &Email) -> Result<(), Error> {
        let response = self
            .client
            .post(&self.url)
            .bearer_auth(self.config.api_key.expose_secret())
            .timeout(self.config.timeout)
            .json(&request_body(&self.config.from, email))
            .send()
            .await
            .map_err(from_transport)?;
        match response.status() {
            status if status.is_success() => Ok(()),
            StatusCode::TOO_MANY_REQUESTS => Err(Error::RateLimited {
                retry_after: retry_after(response.headers()),
            }),
            status if status.is_server_error() => {
                let source = format!("status {}", status.as_u16());
                Err(Error::Unavailable(source.into()))
            }
            status => Err(Error::Rejected {
                status: status.as_u16(),
            }),
        }
    }
}

/// The key goes into the personalization, where events repeat it: the published schema has the
/// top-level `custom_args` as a string. Plain text stands before HTML (RFC 2046, 5.1.4).
fn request_body(from: &Address, email: &Email) -> Value {
    json!({
        "personalizations": [{
            "to": [{ "email": email.to().as_str() }],
            "custom_args": { "idempotency_key": email.idempotency_key() },
        }],
        "from": { "email": from.as_str() },
        "subject": email.subject(),
        "content": [
            { "type": "text/plain", "value": email.text() },
            { "type": "text/html", "value": email.html() },
        ],
    })
}

/// Only a connection that never stood proves that nothing was handed in.
fn from_transport(error: reqwest::Error) -> Error {
    let error = error.without_url();
    if error.is_connect() || error.is_builder() {
        Error::Unavailable(Box::new(error))
    } else {
        Error::Unknown(Box::new(error))
    }
}

/// `Retry-After` in seconds, or `X-RateLimit-Reset` in Unix seconds against the answer's own
/// `Date` (<https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits>).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let asked = || header("retry-after")?.parse().ok();
    let until_reset = || {
        let reset: i64 = header("x-ratelimit-reset")?.parse().ok()?;
        let date = jiff::fmt::rfc2822::parse(header("date")?).ok()?;
        u64::try_from(reset - date.timestamp().as_second()).ok()
    };
    asked().or_else(until_reset).map(Duration::from_secs)
}
