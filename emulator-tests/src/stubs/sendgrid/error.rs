//! Errors in SendGrid's form.
//!
//! Wire: <https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors>.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

/// An answer that is not a success.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    status: StatusCode,
    errors: Vec<FieldError>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, Serialize)]
pub(super) struct FieldError {
    message: String,
    /// As `personalizations.0.to`.
    field: Option<String>,
    help: Value,
}

impl FieldError {
    pub(super) fn new(field: &str, message: &str) -> Self {
        Self {
            message: message.to_owned(),
            field: Some(field.to_owned()),
            help: Value::Null,
        }
    }
}

impl ApiError {
    pub(super) fn invalid(errors: Vec<FieldError>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            errors,
        }
    }

    pub(super) fn unreadable() -> Self {
        Self::without_field(StatusCode::BAD_REQUEST, "Bad Request")
    }

    pub(super) fn bad_key() -> Self {
        let message = "The provided authorization grant is invalid, expired, or revoked";
        Self::without_field(StatusCode::UNAUTHORIZED, message)
    }

    fn without_field(status: StatusCode, message: &str) -> Self {
        let error = FieldError {
            message: message.to_owned(),
            field: None,
            help: Value::Null,
        };
        Self {
            status,
            errors: vec![error],
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "errors": self.errors }))).into_response()
    }
}
