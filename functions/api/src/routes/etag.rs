use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ETAG, IF_NONE_MATCH},
};
use serde::Serialize;
use shared::{http::ApiError, ids::fingerprint};

/// Answers with an `ETag` of the body, or with 304 when the client has it already
/// (RFC 9110, sections 8.8.3 and 13.1.2).
pub(super) fn respond<T: Serialize>(headers: &HeaderMap, body: &T) -> Result<Response, ApiError> {
    let text = serde_json::to_string(body).map_err(|error| ApiError::internal(&error))?;
    let etag = format!("\"{}\"", fingerprint(&[&text]));
    let value = HeaderValue::from_str(&etag).map_err(|error| ApiError::internal(&error))?;
    let mut response = if is_known(headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(body).into_response()
    };
    response.headers_mut().insert(ETAG, value);
    Ok(response)
}

/// Weak comparison: a proxy may have marked our tag as weak.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter();
    let mut tags = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim());
    tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}
