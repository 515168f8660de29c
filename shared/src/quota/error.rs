use std::{fmt, time::Duration};

use crate::{llm, models::SubscriptionTier, retry::Transient, store};

/// Why a quota was not granted, or a metered call not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The limit of the tier, or of the organization, is reached.
    #[error("the {resource} quota of the `{}` tier is exhausted", tier.as_str())]
    Exhausted {
        /// What there is no more of.
        resource: Resource,
        /// How much there may be.
        limit: i64,
        /// How much there is: for tokens, calls under way included.
        used: i64,
        /// The tier that the organization is on.
        tier: SubscriptionTier,
    },
    /// Nobody who can be asked here has a price for the model, so no call to it can be admitted.
    #[error("no provider that can be asked has a price for the model `{0}`")]
    UnknownModel(String),
    /// There is no such organization.
    #[error("the organization does not exist")]
    UnknownOrganization,
    /// Model calls are switched off, for the organization or for all.
    #[error("calls of language models are switched off")]
    SwitchedOff,
    /// Nobody can tell which providers the organization has connected.
    #[error("the organization's own keys cannot be listed")]
    Keys(#[source] llm::KeyError),
    /// The organization has connected the provider, and its key is not accepted. Nobody else's is
    /// taken instead.
    #[error("the organization's own key of `{provider}` cannot be used")]
    OwnKey {
        /// Who does not accept it.
        provider: llm::ProviderName,
        /// Why.
        #[source]
        source: llm::KeyError,
    },
    /// The model did not answer.
    #[error("the model did not answer")]
    Llm(#[from] llm::Error),
    /// The database did not do what was asked.
    #[error("the quota cannot be kept")]
    Store(#[from] store::Error),
}

/// What a quota limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Agents that exist, or that are deployed.
    Agents,
    /// Tokens in a UTC month.
    MonthlyTokens,
    /// Millionths of a US dollar in a UTC month.
    MonthlyCost,
}

impl Resource {
    /// The name in error details.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::MonthlyTokens => "monthlyTokens",
            Self::MonthlyCost => "monthlyCostMicroUsd",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        match self {
            Self::OwnKey { source, .. } | Self::Keys(source) => source.is_transient(),
            Self::Llm(error) => error.is_transient(),
            Self::Store(error) => error.is_transient() || error.is_lost_race(),
            _ => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Llm(error) => error.retry_after(),
            _ => None,
        }
    }
}
