use axum::extract::FromRequestParts;
use http::request::Parts;
use shared::http::ApiError;

/// <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>.
const HEADER: &str = "idempotency-key";

/// Longest key, in characters.
const MAX_LEN: usize = 255;

/// The key by which a client marks the repeats of a request, if it has sent one.
pub(super) struct IdempotencyKey(pub(super) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let Some(value) = values.next() else {
            return Ok(Self(None));
        };
        let is_visible = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let key = value.to_str().ok().filter(is_visible);
        let key = key.filter(|key| (1..=MAX_LEN).contains(&key.len()));
        match (key, values.next()) {
            (Some(key), None) => Ok(Self(Some(key.to_owned()))),
            _ => Err(ApiError::invalid_field(
                "Idempotency-Key",
                format!("must be sent once, with 1 to {MAX_LEN} visible ASCII characters"),
            )),
        }
    }
}
