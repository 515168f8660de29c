use std::{path::PathBuf, sync::Arc};

use super::{Bucket, CloudStorage, Directory};
use crate::config::{Env, Error};

/// Where objects are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketConfig {
    /// A bucket of Cloud Storage.
    CloudStorage(String),
    /// A directory; development only.
    Directory(PathBuf),
}

impl BucketConfig {
    /// Reads the variable `bucket`, the name of a bucket, or `directory`, which is for a
    /// developer's machine only.
    ///
    /// # Errors
    /// Returns the variable that is missing, or not allowed on Cloud Run.
    pub fn load(env: &Env, bucket: &'static str, directory: &'static str) -> Result<Self, Error> {
        match env.development_only(directory)? {
            Some(path) => Ok(Self::Directory(path.into())),
            None => Ok(Self::CloudStorage(env.required(bucket)?.to_owned())),
        }
    }

    /// As [`Self::load`]; none when neither variable is set.
    ///
    /// # Errors
    /// Returns the variable that is not allowed on Cloud Run.
    pub fn load_optional(
        env: &Env,
        bucket: &'static str,
        directory: &'static str,
    ) -> Result<Option<Self>, Error> {
        let mut names = [bucket, directory].into_iter();
        let is_named = names.any(|name| env.optional(name).is_some());
        is_named
            .then(|| Self::load(env, bucket, directory))
            .transpose()
    }

    /// The bucket that this configuration names.
    #[must_use]
    pub fn bucket(&self) -> Arc<dyn Bucket> {
        match self {
            Self::CloudStorage(name) => Arc::new(CloudStorage::new(name)),
            Self::Directory(path) => Arc::new(Directory::new(path)),
        }
    }
}
