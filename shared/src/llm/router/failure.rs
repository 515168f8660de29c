use crate::{llm::Error, models::FailureClass};

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
