use std::time::Duration;

use crate::retry::Transient;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why an e-mail was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The provider refuses the mail, or our account, for good.
    #[error("the mail provider refused the e-mail with status {status}")]
    Rejected {
        /// HTTP status of the refusal.
        status: u16,
    },
    /// Too many mails; this one was not accepted.
    #[error("the mail provider is limiting the rate of e-mails")]
    RateLimited {
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
    },
    /// The provider cannot be reached, or says that it failed; the mail was not accepted.
    #[error("the mail provider is unavailable")]
    Unavailable(#[source] BoxError),
    /// No answer after the mail was handed in: it may have been accepted.
    #[error("it is unknown whether the mail provider accepted the e-mail")]
    Unknown(#[source] BoxError),
}

impl Error {
    /// A name for records, without personal data.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected { .. } => "rejected",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable(_) => "unavailable",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl Transient for Error {
    /// An unknown outcome is not transient: sending again could deliver the mail twice.
    fn is_transient(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable(_))
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => *retry_after,
            _ => None,
        }
    }
}
