//! Errors as Identity Toolkit words them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    status: StatusCode,
    message: String,
    reason: &'static str,
    /// The gRPC name; Identity Toolkit leaves it out for its own codes.
    name: Option<&'static str>,
}

impl ApiError {
    /// One of Identity Toolkit's codes, as `EMAIL_EXISTS`.
    pub(super) fn code(code: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, "invalid", None)
    }

    pub(super) fn bad_payload(detail: &str) -> Self {
        let message = format!("Invalid JSON payload received. {detail}");
        let name = Some("INVALID_ARGUMENT");
        Self::new(StatusCode::BAD_REQUEST, &message, "invalid", name)
    }

    pub(super) fn missing_api_key() -> Self {
        let message = "The request is missing a valid API key.";
        let name = Some("PERMISSION_DENIED");
        Self::new(StatusCode::FORBIDDEN, message, "forbidden", name)
    }

    pub(super) fn bad_credentials() -> Self {
        let message = "Request had invalid authentication credentials. Expected OAuth 2 access \
                       token, login cookie or other valid authentication credential. See \
                       https://developers.google.com/identity/sign-in/web/devconsole-project.";
        let name = Some("UNAUTHENTICATED");
        Self::new(StatusCode::UNAUTHORIZED, message, "authError", name)
    }

    pub(super) fn not_found() -> Self {
        let name = Some("NOT_FOUND");
        Self::new(StatusCode::NOT_FOUND, "Not Found", "notFound", name)
    }

    /// Our own fault; the cause goes to the log.
    pub(super) fn internal(error: &anyhow::Error) -> Self {
        tracing::error!(error = format!("{error:#}"), "sign-in failed");
        let name = Some("INTERNAL");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "An internal error occurred.", "internal", name)
    }

    fn new(
        status: StatusCode,
        message: &str,
        reason: &'static str,
        name: Option<&'static str>,
    ) -> Self {
        Self {
            status,
            message: message.to_owned(),
            reason,
            name,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut error = json!({
            "code": self.status.as_u16(),
            "message": self.message,
            "errors": [
                { "message": self.message, "reason": self.reason, "domain": "global" }
            ],
        });
        if let Some(name) = self.name {
            error["status"] = name.into();
        }
        (self.status, Json(json!({ "error": error }))).into_response()
    }
}
