//! How often somebody may come: the port, its adapters, and what holds while Redis is down.
//!
//! The window slides: no time of its length has more admissions than the limit, wherever it begins.
//! `docs/adr/20261127-rate-limits.md` tells why.

mod breaker;
mod config;
mod counters;
pub mod memory;
pub mod redis;
mod window;

use std::{error::Error as StdError, fmt, num::NonZeroU32, time::Duration};

use async_trait::async_trait;
use sha2::{Digest, Sha256};

pub use self::{
    config::RateLimitConfig,
    counters::{RateLimits, Uncounted},
    memory::MemoryRateLimiter,
    redis::RedisRateLimiter,
};

/// Counts requests, each against a limit.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Counts a request of `key`, if the limit has room for it. One that is refused counts nothing.
    ///
    /// # Errors
    /// Returns [`Unavailable`]; it may have been counted all the same.
    async fn take(&self, key: &Key, limit: Limit) -> Result<Decision, Unavailable>;
}

/// Nobody can tell how many requests there were.
#[derive(Debug, thiserror::Error)]
#[error("requests cannot be counted")]
pub struct Unavailable(#[source] Box<dyn StdError + Send + Sync>);

impl Unavailable {
    /// For this reason.
    pub fn new(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// At most so many admissions in any time of a window's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The most requests.
    pub requests: NonZeroU32,
    /// The length of the window.
    pub window: Duration,
}

/// What became of a request, and what may come after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it was admitted, and counted.
    pub is_admitted: bool,
    /// The most requests in a window.
    pub limit: u32,
    /// How many more are admitted at once.
    pub remaining: u32,
    /// After what time there is room for one more than that.
    pub reset_after: Duration,
}

/// What is counted, and against which limit.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What tells its counts from those of other rules.
    pub scope: &'static str,
    /// The limit.
    pub limit: Limit,
    /// Where it is counted.
    pub place: Place,
}

/// Where requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In one place for all instances.
    Shared,
    /// In each instance on its own.
    Instance,
}

/// Whose requests are counted: a hash, so that nobody reads an address in Redis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// The key of one client within a scope.
    #[must_use]
    pub fn new(scope: &str, client: &[u8]) -> Self {
        let digest = Sha256::digest(client);
        Self(format!("rate:{scope}:{}", hex::encode(&digest[..16])))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Rule {
    /// A rule that all instances count together.
    #[must_use]
    pub fn shared(scope: &'static str, limit: Limit) -> Self {
        Self {
            scope,
            limit,
            place: Place::Shared,
        }
    }

    /// A rule that each instance counts on its own.
    #[must_use]
    pub fn per_instance(scope: &'static str, limit: Limit) -> Self {
        Self {
            scope,
            limit,
            place: Place::Instance,
        }
    }
}
