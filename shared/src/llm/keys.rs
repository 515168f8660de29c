use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use secrecy::SecretString;

use super::ProviderName;
use crate::{ids::OrgId, retry::Transient};

/// Where organizations keep keys of model providers of their own.
#[async_trait]
pub trait OrgKeys: Send + Sync {
    /// The providers that an organization has connected, whether or not their keys still work.
    ///
    /// # Errors
    /// Returns [`KeyError::Unreadable`].
    async fn connected(&self, org_id: &OrgId) -> Result<BTreeSet<ProviderName>, KeyError>;

    /// The organization's key, if it has connected the provider. It is opened for one call.
    ///
    /// # Errors
    /// Returns [`KeyError`].
    async fn open(
        &self,
        org_id: &OrgId,
        provider: ProviderName,
    ) -> Result<Option<SecretString>, KeyError>;

    /// Tells that the provider does not accept a key, so that its owner learns of it.
    ///
    /// # Errors
    /// Returns [`KeyError::Unreadable`].
    async fn refuse(
        &self,
        org_id: &OrgId,
        provider: ProviderName,
        key: &SecretString,
    ) -> Result<(), KeyError>;
}

/// Keys that can be shared.
pub type SharedOrgKeys = Arc<dyn OrgKeys>;

/// Why an organization's key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The provider does not accept it any more.
    #[error("the provider has to be connected again")]
    Broken,
    /// It cannot be read or opened.
    #[error("the key cannot be read")]
    Unreadable {
        /// Whether trying again may help.
        is_transient: bool,
        /// What failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Transient for KeyError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Broken => false,
            Self::Unreadable { is_transient, .. } => *is_transient,
        }
    }
}
