use std::time::Duration;

use crate::{
    actions::AnyOf,
    connectors::{self, google::oauth},
    crypto::EnvelopeError,
    retry::Transient,
    store,
};

/// Why the hub did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The organization has no such integration, or none of the service.
    #[error("the service is not connected")]
    NotConnected,
    /// The organization has several integrations of the service.
    #[error("several accounts are connected: `integration` has to name one")]
    Ambiguous,
    /// Somebody has begun to disconnect it, and not come to the end.
    #[error("the account is being disconnected: disconnect it once more, then connect it")]
    Disconnecting,
    /// The integration needs attention of its owner.
    #[error("the integration needs to be connected again")]
    Broken,
    /// The user has not granted what the action needs.
    #[error("the integration lacks what its owner can grant: {}", scopes.join(", "))]
    NeedsConsent {
        /// The scopes to ask its owner for.
        scopes: Vec<String>,
    },
    /// The credentials are of another account than those before, or nobody can tell.
    #[error("the credentials are not those of the same account")]
    OtherAccount {
        /// Whether the service has told of which account they are.
        is_named: bool,
    },
    /// The service did not do it.
    #[error("the service did not do what was asked")]
    Service(#[from] connectors::Error),
    /// Google did not renew the credentials.
    #[error("the credentials cannot be renewed")]
    Renewal(#[from] oauth::Error),
    /// Another caller has not renewed the credentials in time.
    #[error("the credentials are being renewed")]
    Renewing,
    /// The credentials cannot be sealed or opened.
    #[error("the credentials cannot be sealed or opened")]
    Envelope(#[from] EnvelopeError),
    /// The database failed.
    #[error("the integration cannot be read or written")]
    Store(#[from] store::Error),
}

impl Error {
    /// The service misses a scope that it has told of before: which one it does not say.
    pub(super) fn needs_consent(groups: &[AnyOf]) -> Self {
        let scopes = groups.iter().filter_map(|group| group.first());
        Self::NeedsConsent {
            scopes: scopes.map(|&scope| scope.to_owned()).collect(),
        }
    }

    /// Whether what was asked may have happened all the same.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::Service(error) if error.may_have_happened())
    }
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        match self {
            Self::NotConnected
            | Self::Ambiguous
            | Self::Disconnecting
            | Self::Broken
            | Self::NeedsConsent { .. }
            | Self::OtherAccount { .. } => false,
            Self::Renewing => true,
            Self::Service(error) => error.is_transient(),
            Self::Renewal(error) => error.is_transient(),
            Self::Envelope(error) => error.is_transient(),
            Self::Store(error) => error.is_transient() || error.is_lost_race(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Service(error) => error.retry_after(),
            Self::Renewal(error) => error.retry_after(),
            _ => None,
        }
    }
}
