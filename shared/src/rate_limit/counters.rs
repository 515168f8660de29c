use std::{fmt, sync::Arc, time::Duration};

use super::{
    Decision, Key, Limit, MemoryRateLimiter, Place, RateLimitConfig, RateLimiter, RedisRateLimiter,
    Rule, Unavailable,
    breaker::{Breaker, Failure, PAUSE},
};
use crate::{
    clock::SharedClock,
    config::{self, RedisConfig},
};

/// The limits of a service, and what counts its requests; clones share the counts.
#[derive(Clone)]
pub struct RateLimits {
    config: RateLimitConfig,
    counters: Arc<Counters>,
}

/// The request cannot be counted, and it is none that may come uncounted.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("requests cannot be counted at the moment")]
pub struct Uncounted {
    /// When counting is tried again.
    pub retry_after: Duration,
}

struct Counters {
    shared: Option<SharedCounter>,
    local: MemoryRateLimiter,
}

struct SharedCounter {
    limiter: Arc<dyn RateLimiter>,
    breaker: Breaker,
}

impl RateLimits {
    /// Limits that are counted in Redis, if there is one, or in each instance on its own.
    ///
    /// # Errors
    /// Returns [`config::Error::Invalid`] for a `REDIS_URL` that is none.
    pub fn new(config: RateLimitConfig, clock: SharedClock) -> Result<Self, config::Error> {
        let redis = config.redis.as_ref().map(RedisRateLimiter::new);
        let redis = redis.transpose().map_err(|_| RedisConfig::invalid())?;
        let limiter = redis.map(|redis| Arc::new(redis) as Arc<dyn RateLimiter>);
        Ok(Self::with_limiter(config, limiter, clock))
    }

    /// Limits that are counted by `limiter`, if there is one.
    #[must_use]
    pub fn with_limiter(
        config: RateLimitConfig,
        limiter: Option<Arc<dyn RateLimiter>>,
        clock: SharedClock,
    ) -> Self {
        let shared = limiter.map(|limiter| SharedCounter {
            limiter,
            breaker: Breaker::default(),
        });
        let local = MemoryRateLimiter::new(clock);
        Self {
            config,
            counters: Arc::new(Counters { shared, local }),
        }
    }

    /// How often somebody may come.
    #[must_use]
    pub fn config(&self) -> &RateLimitConfig {
        &self.config
    }

    /// Counts a request of `client`. While the place where all are counted cannot be reached, those
    /// that change nothing (`is_safe`) are counted in this instance, with the same limit.
    ///
    /// # Errors
    /// Returns [`Uncounted`] for all others meanwhile.
    pub async fn take(
        &self,
        rule: &Rule,
        client: &[u8],
        is_safe: bool,
    ) -> Result<Decision, Uncounted> {
        let key = Key::new(rule.scope, client);
        let local = || self.counters.local.count(&key, rule.limit);
        let Some(shared) = self.counters.of(rule.place) else {
            return Ok(local());
        };
        match shared.take(&key, rule.limit).await {
            Some(decision) => Ok(decision),
            None if is_safe => Ok(local()),
            None => Err(Uncounted { retry_after: PAUSE }),
        }
    }
}

impl Counters {
    fn of(&self, place: Place) -> Option<&SharedCounter> {
        self.shared.as_ref().filter(|_| place == Place::Shared)
    }
}

impl SharedCounter {
    async fn take(&self, key: &Key, limit: Limit) -> Option<Decision> {
        let attempt = self.breaker.attempt()?;
        match self.limiter.take(key, limit).await {
            Ok(decision) => {
                if self.breaker.succeed(&attempt) {
                    tracing::info!("rate limits are counted in Redis again");
                }
                Some(decision)
            }
            Err(error) => {
                report(self.breaker.fail(&attempt), &error);
                None
            }
        }
    }
}

/// The alert is told once for an outage.
fn report(failure: Failure, Unavailable(cause): &Unavailable) {
    match failure {
        Failure::Single => {
            tracing::warn!(error.cause = %cause, "a request was not counted in Redis")
        }
        Failure::Outage => tracing::error!(
            error.cause = %cause,
            "rate limits cannot be counted in Redis: reads are counted in each instance, all else is refused"
        ),
        Failure::Known => {}
    }
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("RateLimits");
        fields.field("config", &self.config).finish_non_exhaustive()
    }
}
