use std::{borrow::Cow, error::Error as StdError, time::Duration};

use ::http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    audit, auth, events, llm::Error as LlmError, provision, queue, quota, retry::Transient, store,
};

/// The registry of error codes: Google's canonical codes in lower case
/// (<https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request is wrong whatever the state.
    InvalidArgument,
    /// No valid ID token.
    Unauthenticated,
    /// The role does not allow it.
    PermissionDenied,
    /// No such thing in the caller's organization.
    NotFound,
    /// It exists with other content.
    AlreadyExists,
    /// The state does not allow it.
    FailedPrecondition,
    /// A quota, budget or rate limit is spent.
    ResourceExhausted,
    /// Try again later.
    Unavailable,
    /// Our fault.
    Internal,
}

impl Code {
    /// The code as REST clients read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::Unauthenticated => "unauthenticated",
            Self::PermissionDenied => "permission_denied",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::FailedPrecondition => "failed_precondition",
            Self::ResourceExhausted => "resource_exhausted",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// HTTP statuses of the callable protocol
    /// (<https://firebase.google.com/docs/functions/callable-reference>), used for REST as well.
    fn status(self) -> StatusCode {
        match self {
            Self::InvalidArgument | Self::FailedPrecondition => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::AlreadyExists => StatusCode::CONFLICT,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// When to come again where nobody says.
const PAUSE: Duration = Duration::from_secs(1);

/// What an error about the body as a whole names as its field.
pub(super) const BODY: &str = "body";

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// Path of the field, such as `personality.empathy` or `nodes[3].data.url`.
    pub field: String,
    /// What is expected.
    pub message: String,
}

/// An error as clients see it: `{ "error": { "code", "message", "details" } }`.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    code: Code,
    message: Cow<'static, str>,
    details: Value,
    retry_after: Option<Duration>,
}

impl ApiError {
    /// An error with a message that is safe to show.
    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self {
            status: code.status(),
            code,
            message,
            details: json!({}),
            retry_after: None,
        }
    }

    /// The request has problems, each in a named field.
    #[must_use]
    pub fn invalid(problems: Vec<FieldProblem>) -> Self {
        let message = match problems.as_slice() {
            [only] if !only.field.is_empty() => format!("`{}`: {}", only.field, only.message),
            [only] => only.message.clone(),
            _ => format!("the request has {} invalid fields", problems.len()),
        };
        Self::new(Code::InvalidArgument, message).with_details(json!({ "fields": problems }))
    }

    /// One field of the request is wrong.
    #[must_use]
    pub fn invalid_field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldProblem {
            field: field.into(),
            message: message.into(),
        }])
    }

    /// There is no such thing, or it belongs to another organization.
    #[must_use]
    pub fn not_found(what: &'static str) -> Self {
        Self::new(Code::NotFound, format!("no such {what}"))
    }

    /// Our fault: the chain goes to the log, the client learns nothing of it.
    #[must_use]
    pub fn internal(error: &(dyn StdError + 'static)) -> Self {
        tracing::error!(error.chain = %Chain(error), "request failed");
        Self::new(Code::Internal, "an internal error occurred")
    }

    /// A dependency does not answer: the chain goes to the log.
    #[must_use]
    pub fn unavailable(error: &(dyn StdError + 'static)) -> Self {
        tracing::warn!(error.chain = %Chain(error), "a dependency is unavailable");
        Self::new(Code::Unavailable, "the service is unavailable, try again")
            .with_retry_after(PAUSE)
    }

    /// Replaces the details.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// Adds why, as a code for programs where the registry's says too little.
    #[must_use]
    pub fn with_reason(mut self, reason: &'static str) -> Self {
        if let Some(details) = self.details.as_object_mut() {
            details.insert("reason".to_owned(), reason.into());
        }
        self
    }

    /// Tells the client when to try again.
    #[must_use]
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Answers with another status than that of the code: HTTP has a finer one.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    fn respond(self, body: Value) -> Response {
        let mut response = (self.status, Json(json!({ "error": body }))).into_response();
        if let Some(delay) = self.retry_after {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(whole_seconds(delay)));
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({
            "code": self.code.as_str(),
            "message": self.message,
            "details": self.details,
        });
        self.respond(body)
    }
}

impl From<store::Error> for ApiError {
    /// A lost race that was not settled by trying again is contention: it passes.
    fn from(error: store::Error) -> Self {
        if error.is_transient() || error.is_lost_race() {
            Self::unavailable(&error)
        } else {
            Self::internal(&error)
        }
    }
}

impl From<audit::Error> for ApiError {
    fn from(error: audit::Error) -> Self {
        if matches!(error, audit::Error::Closed) {
            Self::not_found("organization")
        } else if error.is_transient() || error.is_lost_race() {
            Self::unavailable(&error)
        } else {
            Self::internal(&error)
        }
    }
}

impl From<provision::Error> for ApiError {
    fn from(error: provision::Error) -> Self {
        match error {
            provision::Error::Deleted => {
                Self::new(Code::Unauthenticated, "this account was deleted")
            }
            provision::Error::Audit(error) => error.into(),
            provision::Error::Store(error) => error.into(),
        }
    }
}

impl From<queue::Error> for ApiError {
    fn from(error: queue::Error) -> Self {
        if error.is_transient() {
            Self::unavailable(&error)
        } else {
            Self::internal(&error)
        }
    }
}

impl From<quota::Error> for ApiError {
    fn from(error: quota::Error) -> Self {
        match &error {
            quota::Error::Exhausted {
                resource,
                limit,
                used,
                tier,
            } => {
                let details = json!({
                    "resource": resource.as_str(),
                    "limit": limit,
                    "used": used,
                    "tier": tier,
                });
                Self::new(Code::ResourceExhausted, error.to_string()).with_details(details)
            }
            quota::Error::UnknownOrganization => Self::not_found("organization"),
            quota::Error::SwitchedOff => Self::new(Code::FailedPrecondition, error.to_string()),
            quota::Error::UnknownModel(_) => {
                Self::invalid_field("model", "is no model with a price")
            }
            quota::Error::OwnKey { provider, .. } if !error.is_transient() => {
                let message = format!("{error}: connect `{provider}` again");
                Self::new(Code::FailedPrecondition, message)
            }
            quota::Error::Llm(error) => Self::from_llm(error),
            _ if error.is_transient() => Self::unavailable(&error),
            _ => Self::internal(&error),
        }
    }
}

impl ApiError {
    /// What is wrong with the request is told; what is wrong with our account at the provider is
    /// nobody's business.
    fn from_llm(error: &LlmError) -> Self {
        match error {
            LlmError::InvalidRequest { .. }
            | LlmError::ContextTooLong
            | LlmError::ContentPolicy => Self::new(Code::InvalidArgument, error.to_string()),
            LlmError::RateLimited { retry_after } => {
                let limited = Self::new(Code::ResourceExhausted, error.to_string());
                limited.with_retry_after(retry_after.unwrap_or(PAUSE))
            }
            _ => Self::unavailable(error),
        }
    }
}

impl From<events::Error> for ApiError {
    fn from(error: events::Error) -> Self {
        Self::invalid_field(error.field(), error.to_string())
    }
}

impl From<auth::Error> for ApiError {
    fn from(error: auth::Error) -> Self {
        match error {
            _ if error.is_transient() => Self::unavailable(&error),
            auth::Error::ServiceAccount => Self::new(
                Code::PermissionDenied,
                "this service account may not call here",
            ),
            _ => Self::new(
                Code::Unauthenticated,
                "a valid ID token is required in `Authorization: Bearer`",
            ),
        }
    }
}

/// Rounded up: whoever waits so long has waited enough.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// An error of a Firebase callable: the same object with `status` beside `code`, so that the
/// Firebase SDK reads it too.
#[derive(Clone, Debug)]
pub struct CallableError(pub ApiError);

impl From<ApiError> for CallableError {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for CallableError {
    fn into_response(self) -> Response {
        let error = self.0;
        let body = json!({
            "status": error.code.as_str().to_uppercase(),
            "code": error.code.as_str(),
            "message": error.message,
            "details": error.details,
        });
        error.respond(body)
    }
}

/// Shows an error with all its sources.
struct Chain<'a>(&'a (dyn StdError + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_problem_is_told_in_the_message() {
        let error = ApiError::invalid_field("name", "must not be empty");
        assert_eq!(error.message(), "`name`: must not be empty");
        assert_eq!(error.details["fields"][0]["field"], "name");
    }

    #[test]
    fn the_source_chain_is_shown_once_each() {
        let source = std::io::Error::other("refused");
        let error = store::Error::Unavailable(Box::new(source));
        assert_eq!(
            Chain(&error).to_string(),
            "the database is unavailable: refused"
        );
    }

    #[test]
    fn waits_are_rounded_up_to_whole_seconds() {
        let error = ApiError::new(Code::Unavailable, "later")
            .with_retry_after(Duration::from_millis(1_500));
        assert_eq!(error.into_response().headers()[RETRY_AFTER], "2");
    }
}
