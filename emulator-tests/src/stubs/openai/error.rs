//! Errors in OpenAI's form.
//!
//! Wire: <https://platform.openai.com/docs/guides/error-codes>.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::answers::ScriptedError;

const INVALID_REQUEST: &str = "invalid_request_error";

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    status: StatusCode,
    kind: String,
    message: String,
    param: Option<String>,
    code: Option<String>,
    retry_after_secs: Option<u64>,
}

impl ApiError {
    pub(super) fn invalid(message: String, param: Option<&str>, code: Option<&str>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: INVALID_REQUEST.to_owned(),
            message,
            param: param.map(str::to_owned),
            code: code.map(str::to_owned),
            retry_after_secs: None,
        }
    }

    pub(super) fn unreadable() -> Self {
        let message = "We could not parse the JSON body of your request. The OpenAI API expects \
                       a JSON payload.";
        Self::invalid(message.to_owned(), None, None)
    }

    pub(super) fn missing_key() -> Self {
        let message = "You didn't provide an API key. You need to provide your API key in an \
                       Authorization header using Bearer auth (i.e. Authorization: Bearer \
                       YOUR_KEY).";
        Self {
            status: StatusCode::UNAUTHORIZED,
            ..Self::invalid(message.to_owned(), None, None)
        }
    }

    pub(super) fn unknown_url() -> Self {
        let code = Some("unknown_url");
        Self {
            status: StatusCode::NOT_FOUND,
            ..Self::invalid("Unknown request URL.".to_owned(), None, code)
        }
    }
}

impl From<&ScriptedError> for ApiError {
    fn from(error: &ScriptedError) -> Self {
        Self {
            // An answer with another status is refused at start.
            status: StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            kind: error.kind.clone(),
            message: error.message.clone(),
            param: None,
            code: error.code.clone(),
            retry_after_secs: error.retry_after_secs,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({ "error": {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        } });
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after_secs {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
