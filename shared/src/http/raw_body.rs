use ::http::StatusCode;
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
};

use super::error::{ApiError, BODY};

/// A body as it came, of any type; one that is too large is refused with the envelope.
#[derive(Clone, Debug)]
pub struct RawBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = Bytes::from_request(request, state).await;
        body.map(Self).map_err(|rejection| {
            let message = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => "is too large",
                _ => "cannot be read",
            };
            ApiError::invalid_field(BODY, message).with_status(rejection.status())
        })
    }
}
