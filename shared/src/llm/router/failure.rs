use serde::{Deserialize, Serialize};

use crate::llm::Error;

/// What kind of failure it is: routes say by kind whether somebody else is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Too many requests, or no credit left.
    RateLimited,
    /// Not to be reached, failing, or answering nonsense.
    Unavailable,
    /// No answer in time, or one that broke off.
    Timeout,
    /// The key is not accepted.
    Unauthenticated,
    /// More than the model can take.
    ContextTooLong,
    /// Against the provider's policy.
    ContentPolicy,
    /// Any other fault of the request. Nobody else is asked: it would be refused again.
    InvalidRequest,
}

impl FailureClass {
    /// The kind of a failure.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error.cause() {
            Error::RateLimited { .. } | Error::QuotaExhausted => Self::RateLimited,
            Error::Unavailable { .. } | Error::Malformed(_) => Self::Unavailable,
            Error::Timeout(_) | Error::Interrupted(_) => Self::Timeout,
            Error::Unauthenticated => Self::Unauthenticated,
            Error::ContextTooLong => Self::ContextTooLong,
            Error::ContentPolicy => Self::ContentPolicy,
            Error::InvalidRequest { .. } => Self::InvalidRequest,
        }
    }

    /// Whether the candidate would fail other requests as well.
    pub(super) fn is_about_the_candidate(self) -> bool {
        match self {
            Self::RateLimited | Self::Unavailable | Self::Timeout | Self::Unauthenticated => true,
            Self::ContextTooLong | Self::ContentPolicy | Self::InvalidRequest => false,
        }
    }
}
