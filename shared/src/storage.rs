//! Objects in a bucket: what is too large for a document, or must outlive the database.

mod cloud_storage;
mod config;
mod directory;

use async_trait::async_trait;
use bytes::Bytes;

pub use cloud_storage::CloudStorage;
pub use config::BucketConfig;
pub use directory::Directory;

use crate::retry::Transient;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why the bucket did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bucket cannot be reached or is overloaded; an object may be there all the same.
    #[error("the bucket is unavailable")]
    Unavailable(#[source] BoxError),
    /// The bucket refuses for good: it is not there, or not ours.
    #[error("the bucket refused the request")]
    Refused(#[source] BoxError),
    /// An object is not what was written.
    #[error("the object is damaged")]
    Damaged(#[source] BoxError),
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// What became of a new object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It was written.
    New,
    /// There was one of the name, which stays as it is.
    Existed,
}

/// A place for objects by name. Names are made by this product and have slashes, but no `..`.
#[async_trait]
pub trait Bucket: Send + Sync {
    /// Writes an object, unless there is one of the name.
    async fn create(&self, name: &str, content: Bytes) -> Result<Created, Error>;

    /// The whole content of an object; none when there is no such object.
    async fn read(&self, name: &str) -> Result<Option<Bytes>, Error>;

    /// Deletes an object, if there is one of the name.
    async fn delete(&self, name: &str) -> Result<(), Error>;
}
