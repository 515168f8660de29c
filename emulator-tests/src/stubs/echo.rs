//! Refusals of the unkindest kind: they repeat everything that they were sent.

use axum::{
    Json,
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

const X_ECHO: HeaderName = HeaderName::from_static("x-echo");

/// An answer whose body and header `x-echo` hold the headers and the body of the request. Its code
/// and its message, in the shapes of all vendors, are the request's credentials.
pub(super) fn refuse(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Response {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let names = ["authorization", "x-api-key", "x-goog-api-key"];
    let credentials = names.iter().find_map(|name| headers.get(*name));
    let credentials = credentials.map(text).unwrap_or_default();
    let secret = credentials
        .rsplit_once(' ')
        .map_or(&*credentials, |(_, secret)| secret);
    let all: Vec<Value> = headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), text(value)]))
        .collect();
    let body = json!({
        "message": secret,
        "code": secret,
        "error": {
            "code": secret,
            "type": secret,
            "status": secret,
            "message": secret,
            "errors": [{ "reason": secret, "message": secret }],
            "details": [{ "reason": secret }],
        },
        "errors": [{ "code": secret, "field": secret, "message": secret }],
        "headers": all,
        "body": String::from_utf8_lossy(body),
    });
    let mut response = (status, Json(body)).into_response();
    if let Ok(echo) = HeaderValue::from_str(&credentials) {
        response.headers_mut().insert(X_ECHO, echo);
    }
    response
}
