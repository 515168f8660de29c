use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use shared::{models::Timestamp, retry::Transient};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why the platform did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It may pass.
    #[error("the platform is unavailable")]
    Unavailable(#[source] BoxError),
    /// It will not.
    #[error("the platform refused: {0}")]
    Refused(String),
    /// There is no such thing.
    #[error("the platform does not have it: {0}")]
    Missing(String),
    /// The operation goes on.
    #[error("the operation is not done")]
    Pending,
    /// There is nothing to restore.
    #[error("there is no finished export")]
    NoExport,
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Pending)
    }
}

/// An export that was finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Export {
    /// Where it is.
    pub url: String,
    /// Of which moment it is.
    pub moment: Timestamp,
}

/// Restores an export into a database that was made for it.
#[async_trait]
pub trait Restorer: Send + Sync {
    /// What would act on documents that are written into the target, by name.
    async fn bystanders(&self) -> Result<Vec<String>, Error>;

    /// The newest export that was finished.
    async fn newest_export(&self) -> Result<Export, Error>;

    /// Makes the target. One that is there already is refused: an import deletes nothing, and what
    /// is left of another one would be compared.
    async fn create(&self) -> Result<(), Error>;

    /// Imports into the target, and returns when it is done.
    async fn import(&self, export: &Export) -> Result<(), Error>;

    /// Deletes the target.
    async fn delete(&self) -> Result<(), Error>;
}

/// What is in force beside the documents.
#[async_trait]
pub trait Deployed: Send + Sync {
    /// The source of the access rules.
    async fn rules(&self) -> Result<String, Error>;

    /// The indexes, and the fields with indexes of their own, as
    /// [`described`](crate::settings::described) tells them.
    async fn indexes(&self) -> Result<BTreeSet<String>, Error>;
}
