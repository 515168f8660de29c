use std::time::Duration;

use super::Usage;
use crate::retry::Transient;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a model did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The provider refuses the request for good, as for a model that it does not have.
    #[error("the model provider refused the request with `{code}`")]
    InvalidRequest {
        /// The provider's error code or type.
        code: String,
    },
    /// The conversation and the answer that is asked for are more than the model can hold.
    #[error("the request is too long for the model")]
    ContextTooLong,
    /// The provider refuses to look at the request. An answer that it withholds later is one: its
    /// tokens count, and it ends with
    /// [`FinishReason::ContentFilter`](super::FinishReason::ContentFilter).
    #[error("the request is against the model provider's policy")]
    ContentPolicy,
    /// The provider does not accept our key.
    #[error("the model provider refused the credentials")]
    Unauthenticated,
    /// Our account at the provider has no credit left; waiting does not help.
    #[error("the account at the model provider has no credit left")]
    QuotaExhausted,
    /// Too many requests or tokens a minute.
    #[error("the model provider is limiting the rate of requests")]
    RateLimited {
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
    },
    /// The provider cannot be reached, or fails before it answers.
    #[error("the model provider is unavailable")]
    Unavailable {
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
        /// What failed.
        #[source]
        source: BoxError,
    },
    /// No answer in time; the model may have worked all the same.
    #[error("the model provider did not answer in time")]
    Timeout(#[source] BoxError),
    /// It broke off after the request was sent; the model may have worked all the same. What it has
    /// told of its use by then is in [`Error::used`].
    #[error("the connection to the model provider broke")]
    Interrupted(#[source] BoxError),
    /// The answer does not have the shape that the provider documents.
    #[error("the answer of the model provider is malformed")]
    Malformed(#[source] BoxError),
}

/// A failure after work that the provider bills.
#[derive(Debug, thiserror::Error)]
#[error("the provider failed after it had worked")]
struct AfterWork {
    usage: Usage,
    source: Error,
}

impl Error {
    /// The failure of a provider that has told what it bills all the same, if it has.
    pub(super) fn having_used(self, told: Option<Usage>) -> Self {
        match told {
            Some(usage) => Self::Interrupted(Box::new(AfterWork {
                usage,
                source: self,
            })),
            None => self,
        }
    }

    /// What the call has used, if the provider has told before it failed.
    #[must_use]
    pub fn used(&self) -> Option<Usage> {
        self.after_work().map(|failure| failure.usage)
    }

    /// The failure itself, whatever was used before it.
    pub(super) fn cause(&self) -> &Self {
        self.after_work().map_or(self, |failure| &failure.source)
    }

    fn after_work(&self) -> Option<&AfterWork> {
        match self {
            Self::Interrupted(source) => source.downcast_ref(),
            _ => None,
        }
    }

    /// Whether the model certainly did no work, so that nothing can be billed.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        !matches!(
            self,
            Self::Timeout(_) | Self::Interrupted(_) | Self::Malformed(_)
        )
    }
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        match self.cause() {
            Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::Timeout(_)
            | Self::Interrupted(_) => true,
            Self::InvalidRequest { .. }
            | Self::ContextTooLong
            | Self::ContentPolicy
            | Self::Unauthenticated
            | Self::QuotaExhausted
            | Self::Malformed(_) => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self.cause() {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }
}
