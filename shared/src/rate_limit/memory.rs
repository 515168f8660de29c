//! Counting in one process: without Redis, while it is down, and for what is never asked of it.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;

use super::{Decision, Key, Limit, RateLimiter, Unavailable, window::Admissions};
use crate::clock::SharedClock;

/// Keys that are remembered at most.
const MAX_KEYS: usize = 20_000;

/// Counts in this process.
///
/// It remembers a bounded number of keys. Beyond that it forgets those that have not come for the
/// longest time, which then begin anew: half as many others have come since.
pub struct MemoryRateLimiter {
    clock: SharedClock,
    keys: Mutex<Generations>,
    max_keys: usize,
}

/// A key that comes is moved to the young; when these are half of all, they become the old, and the
/// old are forgotten.
#[derive(Default)]
struct Generations {
    young: HashMap<Key, Admissions>,
    old: HashMap<Key, Admissions>,
}

impl MemoryRateLimiter {
    /// A limiter that knows nobody yet.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            keys: Mutex::default(),
            max_keys: MAX_KEYS,
        }
    }

    /// The same with another number of keys that are remembered at most.
    #[must_use]
    pub fn with_max_keys(self, max_keys: usize) -> Self {
        Self { max_keys, ..self }
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.young.len() + keys.old.len()
    }

    /// Whether no key is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts a request of `key`, if the limit has room for it.
    pub fn count(&self, key: &Key, limit: Limit) -> Decision {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that times come in order.
        let now = self.clock.now().as_microsecond();
        keys.admissions(key, self.max_keys).take(now, limit)
    }
}

impl Generations {
    fn admissions(&mut self, key: &Key, max_keys: usize) -> &mut Admissions {
        if !self.young.contains_key(key) {
            let known = self.old.remove(key).unwrap_or_default();
            if self.young.len() >= (max_keys / 2).max(1) {
                self.old = mem::take(&mut self.young);
            }
            self.young.insert(key.clone(), known);
        }
        self.young.entry(key.clone()).or_default()
    }
}

#[async_trait]
impl RateLimiter for MemoryRateLimiter {
    async fn take(&self, key: &Key, limit: Limit) -> Result<Decision, Unavailable> {
        Ok(self.count(key, limit))
    }
}
