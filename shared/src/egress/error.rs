use std::{error::Error as _, fmt};

use crate::retry::Transient;

use super::resolver;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL cannot be used.
    #[error("the URL {0}")]
    InvalidUrl(&'static str),
    /// The host may not be called.
    #[error("`{host}` may not be called: {reason}")]
    Forbidden {
        /// The host or address.
        host: String,
        /// Why.
        reason: &'static str,
    },
    /// A header cannot be sent.
    #[error("the header `{name}` {problem}")]
    InvalidHeader {
        /// Its name.
        name: String,
        /// Why.
        problem: &'static str,
    },
    /// No connection, or it broke.
    #[error("the call failed")]
    Connection(#[source] reqwest::Error),
    /// The time is over.
    #[error("the call took too long")]
    TimedOut,
    /// The answer is too long.
    #[error("the answer has more than 10 MB")]
    BodyTooLarge,
    /// The answer's headers are too long.
    #[error("the answer has more than 64 KiB of headers")]
    HeadersTooLarge,
    /// The redirects do not end.
    #[error("more than 5 redirects")]
    TooManyRedirects,
    /// A redirect that may not be followed.
    #[error("the redirect {0}")]
    Redirect(&'static str),
    /// The client cannot be built.
    #[error("no HTTP client can be made")]
    Client(#[source] reqwest::Error),
}

/// A call without an answer.
#[derive(Debug)]
pub struct Unanswered {
    /// Why there is none.
    pub reason: Error,
    /// Whether a server may have acted on the request: not if it was refused here, if its host was
    /// not found or if no connection was made.
    pub may_have_reached: bool,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl std::error::Error for Unanswered {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.reason.source()
    }
}

impl Error {
    /// The error for a failed call; URLs are left out, as their queries may be secret.
    pub(super) fn from_client(error: reqwest::Error) -> Self {
        let mut cause = error.source();
        while let Some(error) = cause {
            if let Some(resolver::Error::Forbidden { host, reason }) = error.downcast_ref() {
                let host = host.clone();
                return Self::Forbidden { host, reason };
            }
            cause = error.source();
        }
        if error.is_timeout() {
            return Self::TimedOut;
        }
        Self::Connection(error.without_url())
    }
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Connection(_) | Self::TimedOut)
    }
}

impl Transient for Unanswered {
    fn is_transient(&self) -> bool {
        self.reason.is_transient()
    }
}
