use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;

use super::lock;
use crate::storage::{Bucket, Created, Error};

/// A bucket in memory.
#[derive(Default)]
pub struct MemoryBucket {
    objects: Mutex<BTreeMap<String, Bytes>>,
    is_failing: AtomicBool,
}

impl MemoryBucket {
    /// An empty bucket.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether every call fails from now on, as in an outage.
    pub fn fail_all(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::SeqCst);
    }

    /// Writes an object, also in the place of another.
    pub fn put(&self, name: &str, content: impl Into<Bytes>) {
        lock(&self.objects).insert(name.to_owned(), content.into());
    }

    /// Takes an object away, as somebody else may.
    pub fn remove(&self, name: &str) {
        lock(&self.objects).remove(name);
    }

    /// The names of all objects.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        lock(&self.objects).keys().cloned().collect()
    }

    async fn call(&self) -> Result<(), Error> {
        // Lets other tasks run, as a network call would.
        tokio::task::yield_now().await;
        match self.is_failing.load(Ordering::SeqCst) {
            true => Err(Error::Unavailable("an outage".into())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Bucket for MemoryBucket {
    async fn create(&self, name: &str, content: Bytes) -> Result<Created, Error> {
        self.call().await?;
        let mut objects = lock(&self.objects);
        if objects.contains_key(name) {
            return Ok(Created::Existed);
        }
        objects.insert(name.to_owned(), content);
        Ok(Created::New)
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>, Error> {
        self.call().await?;
        Ok(lock(&self.objects).get(name).cloned())
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.call().await?;
        self.remove(name);
        Ok(())
    }
}
