use axum::{
    body::HttpBody,
    extract::{FromRequest, Request},
};
use garde::Validate;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use shared::http::{ApiError, Json};

/// A JSON body whose fields are all optional, so that it may be missing.
pub(super) struct OptionalJson<T>(pub(super) T);

impl<T, S> FromRequest<S> for OptionalJson<T>
where
    T: Default + DeserializeOwned + Validate<Context = ()>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_typed = request.headers().contains_key(CONTENT_TYPE);
        if !is_typed && request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        let Json(value) = Json::from_request(request, state).await?;
        Ok(Self(value))
    }
}
