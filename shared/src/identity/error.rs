use crate::retry::Transient;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why an account was not handled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Identity Toolkit cannot be reached or is overloaded; it may have done what was asked.
    #[error("the accounts are unavailable")]
    Unavailable(#[source] BoxError),
    /// Identity Toolkit refuses for good.
    #[error("the accounts' keeper refused with status {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
