//! What Anthropic's errors mean (<https://platform.claude.com/docs/en/api/errors>).

use std::time::Duration;

use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;

use crate::llm::{
    Error,
    providers::{
        http::{header, is_name, read_refusal, retry_after},
        sse::interrupted,
    },
};

/// What a 429 has in `error.details.error_code` when a limit of money is reached, as Anthropic's own
/// client has it (`core/error-classes` of `@anthropic-ai/sdk`): waiting does not help.
const SPEND_LIMITS: [&str; 2] = [
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
];

/// Beginnings of messages about lengths; there is no code for them.
const TOO_LONG: [&str; 2] = [
    "prompt is too long",
    "input length and `max_tokens` exceed context limit",
];

/// `{"type": "error", "error": {"type", "message"}, "request_id"}`.
#[derive(Default, Deserialize)]
pub(in super::super) struct ErrorBody {
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
    pub(in super::super) fn within_answer(&self, has_begun: bool) -> Error {
        if has_begun {
            let kind = self.kind().unwrap_or("unknown");
            return interrupted(format!("the provider broke off with {kind}"));
        }
        self.class(None, None)
            .unwrap_or_else(|| unavailable(self.kind().unwrap_or("unknown").to_owned(), None))
    }

    /// The error's type; never its message, which may quote the request.
    fn kind(&self) -> Option<&str> {
        let kind = self.error.get("type")?.as_str()?;
        Some(kind).filter(|kind| is_name(kind))
    }

    /// What the body alone says, if it says what is known.
    fn class(&self, retry_after: Option<Duration>, asked: Option<bool>) -> Option<Error> {
        let error_code = self.error.pointer("/details/error_code");
        let error_code = error_code.and_then(Value::as_str);
        let is_spent = error_code.is_some_and(|code| SPEND_LIMITS.contains(&code));
        let code = || self.kind().unwrap_or_default().to_owned();
        Some(match self.kind()? {
            "billing_error" => Error::QuotaExhausted,
            _ if is_spent => Error::QuotaExhausted,
            "rate_limit_error" if asked.unwrap_or(true) => Error::RateLimited { retry_after },
            "authentication_error" | "permission_error" => Error::Unauthenticated,
            "request_too_large" => Error::ContextTooLong,
            "invalid_request_error" if self.is_too_long() => Error::ContextTooLong,
            "invalid_request_error" | "not_found_error" => Error::InvalidRequest { code: code() },
            "overloaded_error" | "timeout_error" | "api_error" if asked.unwrap_or(true) => {
                unavailable(code(), retry_after)
            }
            _ => return None,
        })
    }

    fn is_too_long(&self) -> bool {
        let message = self.error.get("message").and_then(Value::as_str);
        let message = message.unwrap_or_default();
        TOO_LONG.iter().any(|begin| message.starts_with(begin))
    }
}

/// By the body, where it is Anthropic's; else by the rules of its own client, which retries 408, 409,
/// 429 and 5xx unless `x-should-retry` says otherwise (`shouldRetry` of `@anthropic-ai/sdk`).
pub(in super::super) async fn from_refusal(response: Response) -> Error {
    let status = response.status();
    let asked = header(response.headers(), "x-should-retry").and_then(|value| value.parse().ok());
    let retry_after = retry_after(response.headers());
    let body: ErrorBody = read_refusal(response).await;
    if let Some(error) = body.class(retry_after, asked) {
        return error;
    }
    let code = format!("http_{}", status.as_u16());
    let by_status = matches!(status.as_u16(), 408 | 409 | 429) || status.is_server_error();
    match status.as_u16() {
        429 if asked.unwrap_or(true) => Error::RateLimited { retry_after },
        _ if asked.unwrap_or(by_status) => unavailable(code, retry_after),
        401 | 403 => Error::Unauthenticated,
        402 => Error::QuotaExhausted,
        413 => Error::ContextTooLong,
        _ => {
            let kind = body.kind().map(str::to_owned);
            Error::InvalidRequest {
                code: kind.unwrap_or(code),
            }
        }
    }
}

fn unavailable(code: String, retry_after: Option<Duration>) -> Error {
    Error::Unavailable {
        retry_after,
        source: code.into(),
    }
}
