use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, RwLock};

use super::{
    Error,
    keys::{FetchedKeys, KeySet, KeySource, unavailable},
};
use crate::clock::SharedClock;

/// Longest time that keys are kept, whatever their source says.
const MAX_AGE_CAP: Duration = Duration::from_secs(24 * 60 * 60);

/// An unknown key id may mean new keys or a forgery: it makes at most one fetch in this time.
const UNKNOWN_KEY_INTERVAL: SignedDuration = SignedDuration::from_secs(60);

/// After a failed fetch without keys to fall back on, requests fail at once for this time.
const FAILURE_PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// Keeps the keys of a source for as long as it allows.
///
/// A request whose key is at hand never waits for a fetch, and any number of others wait for one.
pub struct KeyCache {
    source: Arc<dyn KeySource>,
    clock: SharedClock,
    kept: RwLock<Kept>,
    attempts: Mutex<Attempts>,
}

#[derive(Clone, Default)]
struct Kept {
    keys: Arc<KeySet>,
    expires_at: Option<Timestamp>,
}

#[derive(Default)]
struct Attempts {
    for_unknown_key: Option<Timestamp>,
    failed: Option<Timestamp>,
}

impl KeyCache {
    /// An empty cache before `source`.
    #[must_use]
    pub fn new(source: Arc<dyn KeySource>, clock: SharedClock) -> Self {
        Self {
            source,
            clock,
            kept: RwLock::default(),
            attempts: Mutex::default(),
        }
    }

    /// The keys to verify a token with that names `key_id`; they need not hold it.
    ///
    /// # Errors
    /// Returns [`Error::KeysUnavailable`] when there are no current keys.
    pub async fn keys_for(&self, key_id: &str) -> Result<Arc<KeySet>, Error> {
        let kept = self.kept.read().await.clone();
        if kept.is_fresh(self.clock.now()) && kept.keys.contains(key_id) {
            return Ok(kept.keys);
        }
        let mut attempts = self.attempts.lock().await;
        let kept = self.kept.read().await.clone();
        let now = self.clock.now();
        if kept.is_fresh(now) {
            let paused = is_within(attempts.for_unknown_key, UNKNOWN_KEY_INTERVAL, now);
            if kept.keys.contains(key_id) || paused {
                return Ok(kept.keys);
            }
            attempts.for_unknown_key = Some(now);
        } else if is_within(attempts.failed, FAILURE_PAUSE, now) {
            return Err(unavailable("the last fetch failed a moment ago"));
        }
        self.refresh(&mut attempts, kept, key_id).await
    }

    async fn refresh(
        &self,
        attempts: &mut Attempts,
        kept: Kept,
        key_id: &str,
    ) -> Result<Arc<KeySet>, Error> {
        let result = self.source.fetch().await;
        let now = self.clock.now();
        match result {
            Ok(fetched) => {
                attempts.failed = None;
                if !fetched.keys.contains(key_id) {
                    attempts.for_unknown_key = Some(now);
                }
                Ok(self.keep(fetched, now).await)
            }
            Err(error) if kept.is_fresh(now) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "keys not refreshed"
                );
                Ok(kept.keys)
            }
            Err(error) => {
                attempts.failed = Some(now);
                Err(error)
            }
        }
    }

    async fn keep(&self, fetched: FetchedKeys, now: Timestamp) -> Arc<KeySet> {
        let age = fetched.max_age.min(MAX_AGE_CAP);
        let keys = Arc::new(fetched.keys);
        let expires_at = now.checked_add(age).ok();
        *self.kept.write().await = Kept {
            keys: Arc::clone(&keys),
            expires_at,
        };
        keys
    }
}

impl Kept {
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| now < expires_at)
    }
}

fn is_within(attempt: Option<Timestamp>, interval: SignedDuration, now: Timestamp) -> bool {
    attempt.is_some_and(|attempt| now.duration_since(attempt) < interval)
}

#[cfg(test)]
mod tests;
