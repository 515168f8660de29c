//! What errors of Google's model APIs mean: <https://google.aip.dev/193>,
//! <https://ai.google.dev/gemini-api/docs/troubleshooting>.

use std::time::Duration;

use reqwest::Response;
use serde::Deserialize;
use serde_json::Value;

use crate::llm::{
    Error,
    providers::{
        http::{is_name, read_refusal, retry_after},
        sse::interrupted,
    },
};

/// Words of messages about lengths; there is no code for them.
const TOO_LONG: [&str; 2] = [
    "exceeds the maximum number of tokens allowed",
    "input token count",
];

/// `{"error": {"code", "message", "status", "details": [{"@type", …}]}}`. Streams without SSE, and
/// some proxies, wrap it in a list.
#[derive(Default, Deserialize)]
#[serde(from = "Value")]
pub(in super::super) struct ErrorBody {
    error: Status,
}

#[derive(Default, Deserialize)]
struct Status {
    code: Option<u16>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    details: Vec<Detail>,
}

/// `ErrorInfo`, `RetryInfo` or `QuotaFailure`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    reason: Option<String>,
    retry_delay: Option<String>,
    #[serde(default)]
    violations: Vec<Violation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Violation {
    #[serde(default)]
    quota_id: String,
}

impl From<Value> for ErrorBody {
    /// From a body, or from what its `error` is.
    fn from(body: Value) -> Self {
        let body = match body {
            Value::Array(bodies) => bodies.into_iter().next().unwrap_or_default(),
            body => body,
        };
        let error = body.get("error").unwrap_or(&body);
        Self {
            error: Status::deserialize(error).unwrap_or_default(),
        }
    }
}

impl ErrorBody {
    /// What an error means that came after the status 200: before anything else, what it says.
    pub(in super::super) fn within_answer(&self, has_begun: bool) -> Error {
        if has_begun {
            let name = self.name().unwrap_or("unknown");
            return interrupted(format!("the provider broke off with {name}"));
        }
        self.class(self.error.code.unwrap_or(500), None)
    }

    /// The error's name; never its message, which may quote the request.
    fn name(&self) -> Option<&str> {
        Some(self.error.status.as_str()).filter(|name| is_name(name))
    }

    fn class(&self, status: u16, retry_after: Option<Duration>) -> Error {
        let retry_after = retry_after.or_else(|| self.retry_delay());
        let code = || self.name().map_or(format!("http_{status}"), str::to_owned);
        match status {
            401 | 403 => Error::Unauthenticated,
            400 if self.has_reason("API_KEY_INVALID") => Error::Unauthenticated,
            400 if self.is_too_long() => Error::ContextTooLong,
            413 => Error::ContextTooLong,
            429 if self.is_of_the_day() => Error::QuotaExhausted,
            429 => Error::RateLimited { retry_after },
            408 | 500.. => Error::Unavailable {
                retry_after,
                source: format!("status {status}, {}", code()).into(),
            },
            _ => Error::InvalidRequest { code: code() },
        }
    }

    fn has_reason(&self, reason: &str) -> bool {
        let mut details = self.error.details.iter();
        details.any(|detail| detail.reason.as_deref() == Some(reason))
    }

    fn is_too_long(&self) -> bool {
        let message = &self.error.message;
        TOO_LONG.iter().any(|words| message.contains(words))
    }

    /// Whether a quota is used up that comes back only on the next day.
    fn is_of_the_day(&self) -> bool {
        let mut violations = self
            .error
            .details
            .iter()
            .flat_map(|detail| &detail.violations);
        violations.any(|violation| violation.quota_id.contains("PerDay"))
    }

    /// A duration in JSON is seconds with a suffix, as `34.5s`
    /// (<https://protobuf.dev/programming-guides/json/>).
    fn retry_delay(&self) -> Option<Duration> {
        let mut delays = self.error.details.iter().filter_map(|detail| {
            let seconds = detail.retry_delay.as_deref()?.strip_suffix('s')?;
            Duration::try_from_secs_f64(seconds.parse().ok()?).ok()
        });
        delays.next()
    }
}

pub(in super::super) async fn from_refusal(response: Response) -> Error {
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    let body: ErrorBody = read_refusal(response).await;
    body.class(status, retry_after)
}
