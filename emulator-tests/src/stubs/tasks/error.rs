//! Errors in the form of Google's APIs.
//!
//! Wire: <https://google.aip.dev/193>.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An answer that is not a success.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    http_status: StatusCode,
    status: &'static str,
    message: String,
}

impl ApiError {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self {
            http_status: StatusCode::BAD_REQUEST,
            status: "INVALID_ARGUMENT",
            message: message.into(),
        }
    }

    pub(super) fn unreadable() -> Self {
        Self::invalid("Invalid JSON payload received.")
    }

    pub(super) fn unknown_queue() -> Self {
        Self {
            http_status: StatusCode::NOT_FOUND,
            status: "NOT_FOUND",
            message: "Queue does not exist.".to_owned(),
        }
    }

    pub(super) fn already_exists() -> Self {
        Self {
            http_status: StatusCode::CONFLICT,
            status: "ALREADY_EXISTS",
            message: "Requested entity already exists".to_owned(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({ "error": {
            "code": self.http_status.as_u16(),
            "message": self.message,
            "status": self.status,
        } });
        (self.http_status, Json(body)).into_response()
    }
}
