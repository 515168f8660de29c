use std::time::Duration;

use super::http::Failed;
use crate::retry::Transient;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a service did not do what it was asked. What is shown holds nothing that a user entered and
/// no credentials.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the input is missing or wrong.
    #[error("`{field}` {message}")]
    Input {
        /// Its name, with the place in it: `rows[2]`.
        field: String,
        /// What is wrong, without the value.
        message: String,
    },
    /// The service does not take the credentials: they were revoked, have expired or never were good.
    #[error("the service does not accept the credentials")]
    Unauthorized,
    /// The credentials do not allow this.
    #[error("the credentials do not allow this")]
    Forbidden {
        /// Whether a scope is missing that the user can grant.
        needs_consent: bool,
    },
    /// Too many requests, or a quota is used up for a while.
    #[error("the service's rate limit is reached")]
    RateLimited {
        /// How long it asked to wait.
        retry_after: Option<Duration>,
    },
    /// The service cannot be reached or fails; nothing has happened.
    #[error("the service is unavailable")]
    Unavailable(#[source] BoxError),
    /// The connection broke or the service failed after it had the request: it may have happened.
    #[error("the service did not tell what came of the request")]
    Unknown(#[source] BoxError),
    /// The service refuses this for good.
    #[error("the service refused the request with status {status}{}", reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default())]
    Rejected {
        /// HTTP status of the refusal.
        status: u16,
        /// The service's own code for it: `resource_missing`, `notFound`.
        reason: Option<String>,
    },
    /// The answer is not what the service's documentation tells.
    #[error("the service's answer cannot be understood")]
    Malformed,
}

impl Error {
    /// Whether it may have happened all the same.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::Unknown(_) | Self::Malformed)
    }
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. } | Self::Unavailable(_) | Self::Unknown(_)
        )
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => *retry_after,
            Self::Unavailable(source) | Self::Unknown(source) => {
                source.downcast_ref::<Failed>()?.retry_after
            }
            _ => None,
        }
    }
}
