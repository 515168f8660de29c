use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header::LOCATION};
use serde::Serialize;
use shared::{http::ApiError, store::Listing};

use super::PREFIX;
use crate::{idempotency::Done, page};

/// Tells that an earlier request with the same key has made what is answered.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// One page of a listing.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListResponse<T> {
    items: Vec<T>,
    /// The `pageToken` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

impl<T> ListResponse<T> {
    pub(super) fn new(name: &str, listing: Listing<T>) -> Self {
        Self {
            next_page_token: page::next_token(name, &listing),
            items: listing.items,
        }
    }
}

/// Answers that something was made, and where it is.
pub(super) fn made<T: Serialize>(
    status: StatusCode,
    path: &str,
    done: &Done<T>,
) -> Result<Response, ApiError> {
    let location = HeaderValue::from_str(&format!("{PREFIX}{path}"))
        .map_err(|error| ApiError::internal(&error))?;
    let mut response = (status, Json(&done.value)).into_response();
    response.headers_mut().insert(LOCATION, location);
    if done.is_replay {
        let value = HeaderValue::from_static("true");
        response.headers_mut().insert(REPLAYED, value);
    }
    Ok(response)
}
