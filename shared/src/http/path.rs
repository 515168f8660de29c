use ::http::request::Parts;
use axum::extract::{FromRequestParts, path::ErrorKind, rejection::PathRejection};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::error::ApiError;

/// Typed path parameters. An id that cannot exist is answered like one that does not.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection| match &rejection {
                PathRejection::FailedToDeserializePathParams(error)
                    if !matches!(error.kind(), ErrorKind::UnsupportedType { .. }) =>
                {
                    ApiError::not_found("resource")
                }
                _ => ApiError::internal(&rejection),
            })
    }
}

/// Typed query parameters: what is wrong is told by parameter.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parse_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let deserializer = serde_urlencoded::Deserializer::new(pairs);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." {
            "query".to_owned()
        } else {
            path
        };
        ApiError::invalid_field(field, error.into_inner().to_string())
    })
}
