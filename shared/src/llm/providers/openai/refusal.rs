//! What OpenAI's errors mean (<https://platform.openai.com/docs/guides/error-codes>).

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::llm::{
    Error,
    providers::{
        http::{header, is_name, read_refusal, retry_after},
        sse::interrupted,
    },
};

/// Codes and types of a 429 that waiting does not cure.
const OUT_OF_CREDIT: [&str; 3] = [
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
];

/// Codes of what OpenAI does not look at; `content_filter` is Azure's.
const AGAINST_POLICY: [&str; 5] = [
    "content_policy_violation",
    "image_content_policy_violation",
    "content_filter",
    "invalid_prompt",
    "bio_policy",
];

/// `{"error": {"message", "type", "param", "code"}}`.
#[derive(Default, Deserialize)]
pub(super) struct ErrorBody {
    #[serde(default)]
    error: Value,
}

impl From<Value> for ErrorBody {
    fn from(error: Value) -> Self {
        Self { error }
    }
}

impl ErrorBody {
    /// What an error means that came after the status 200: before anything else, what it says.
    pub(super) fn within_answer(&self, has_begun: bool) -> Error {
        let code = self.code().unwrap_or_else(|| "unknown".to_owned());
        if has_begun {
            return interrupted(format!("the provider broke off with code {code}"));
        }
        self.permanent().unwrap_or_else(|| match code.as_str() {
            "rate_limit_exceeded" => Error::RateLimited { retry_after: None },
            _ => unavailable(format!("code {code}"), None),
        })
    }

    /// The error's code, or else its type; never its message, which may quote the request.
    fn code(&self) -> Option<String> {
        self.names().find(|text| is_name(text)).map(str::to_owned)
    }

    /// What no waiting cures.
    fn permanent(&self) -> Option<Error> {
        let is_among = |codes: &[&str]| self.names().any(|name| codes.contains(&name));
        if is_among(&OUT_OF_CREDIT) {
            Some(Error::QuotaExhausted)
        } else if is_among(&AGAINST_POLICY) {
            Some(Error::ContentPolicy)
        } else if is_among(&["context_length_exceeded"]) || self.is_too_long() {
            Some(Error::ContextTooLong)
        } else {
            None
        }
    }

    /// vLLM has no code for it, only OpenAI's words.
    fn is_too_long(&self) -> bool {
        let message = self.error.get("message").and_then(Value::as_str);
        message.is_some_and(|message| message.contains("maximum context length"))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        ["code", "type"]
            .into_iter()
            .filter_map(|field| self.error.get(field)?.as_str())
    }
}

/// Retry rules of OpenAI's own clients: 408, 409, 429 and 5xx, unless `x-should-retry` says
/// otherwise (<https://github.com/openai/openai-node/blob/master/src/client.ts>, `shouldRetry`).
pub(super) async fn from_refusal(response: Response) -> Error {
    let status = response.status();
    let asked = header(response.headers(), "x-should-retry").and_then(|value| value.parse().ok());
    let retry_after = retry_after(response.headers());
    let body: ErrorBody = read_refusal(response).await;
    let code = body
        .code()
        .unwrap_or_else(|| format!("http_{}", status.as_u16()));
    let by_status = matches!(status.as_u16(), 408 | 409 | 429) || status.is_server_error();
    // Waiting does not bring the credit back, whatever the header says.
    let permanent = body.permanent();
    let permanent = permanent.filter(|error| is_at_home(error, status));
    match status {
        _ if permanent.is_some() => permanent.unwrap_or(Error::ContentPolicy),
        StatusCode::TOO_MANY_REQUESTS if asked.unwrap_or(true) => {
            Error::RateLimited { retry_after }
        }
        _ if asked.unwrap_or(by_status) => {
            let reason = format!("status {}, code {code}", status.as_u16());
            unavailable(reason, retry_after)
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Unauthenticated,
        _ => Error::InvalidRequest { code },
    }
}

/// Whether a status is one that an error comes with.
fn is_at_home(error: &Error, status: StatusCode) -> bool {
    match error {
        Error::QuotaExhausted => status == StatusCode::TOO_MANY_REQUESTS,
        _ => status.is_client_error(),
    }
}

fn unavailable(reason: String, retry_after: Option<Duration>) -> Error {
    Error::Unavailable {
        retry_after,
        source: reason.into(),
    }
}
