use std::sync::Arc;

use ::http::request::Parts;
use axum::extract::{FromRef, FromRequestParts};

use super::{
    bearer::bearer_token,
    client::{ClientError, client},
    error::ApiError,
};
use crate::{
    auth::{self, GoogleKeys, ServiceAuthConfig, ServiceTokenVerifier},
    clock::SharedClock,
};

/// Who may deliver events.
///
/// On Cloud Run its own IAM check stands before this one, and must stay: a service of events is
/// deployed with `--no-allow-unauthenticated`.
#[derive(Clone)]
pub struct ServiceCallers {
    verifier: Option<Arc<dyn ServiceTokenVerifier>>,
}

impl ServiceCallers {
    /// Those whose tokens `verifier` accepts.
    #[must_use]
    pub fn verified_by(verifier: Arc<dyn ServiceTokenVerifier>) -> Self {
        Self {
            verifier: Some(verifier),
        }
    }

    /// Anyone: for a development machine and for tests.
    #[must_use]
    pub fn unchecked() -> Self {
        Self { verifier: None }
    }

    /// Those that the configuration names. Without one they are not checked, which is logged.
    ///
    /// # Errors
    /// Returns [`ClientError`] when the client that fetches the keys cannot be built.
    pub fn from_config(
        config: Option<ServiceAuthConfig>,
        clock: SharedClock,
    ) -> Result<Self, ClientError> {
        let Some(config) = config else {
            tracing::warn!("callers are not checked: `EVENTS_AUDIENCE` is not set");
            return Ok(Self::unchecked());
        };
        let keys = Arc::new(GoogleKeys::for_service_accounts(client()?));
        Ok(Self::verified_by(config.verifier(keys, clock)))
    }
}

/// A caller that may deliver events.
#[derive(Debug)]
pub struct ServiceCaller;

impl<S> FromRequestParts<S> for ServiceCaller
where
    S: Send + Sync,
    ServiceCallers: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if let Some(verifier) = ServiceCallers::from_ref(state).verifier {
            let token = bearer_token(&parts.headers).ok_or(auth::Error::Malformed)?;
            verifier.verify(token).await?;
        }
        Ok(Self)
    }
}
