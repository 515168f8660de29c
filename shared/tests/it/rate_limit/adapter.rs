//! Which limiter a test runs on, and what time it is there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use shared::{
    clock::{Clock, SharedClock},
    rate_limit::{Decision, Key, Limit, MemoryRateLimiter, RateLimiter, RedisRateLimiter},
    testing::RedisServer,
};

/// Longer than any stall of a machine that is busy: what is slow is the topic of other tests.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// 2026-11-27T12:00:00Z, a boundary between two minutes, in microseconds.
const NOON: i64 = 1_795_780_800_000_000;

/// A clock that goes where it is told to, also back.
#[derive(Clone)]
pub(super) struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub(super) fn at_noon() -> Self {
        Self(Arc::new(AtomicI64::new(NOON)))
    }

    pub(super) fn advance(&self, duration: Duration) {
        self.move_by(i64::try_from(duration.as_micros()).unwrap());
    }

    pub(super) fn move_by(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn micros(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn shared(&self) -> SharedClock {
        Arc::new(self.clone())
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.micros()).unwrap()
    }
}

/// The adapters of the port, each with a clock.
pub(super) enum Adapter {
    Memory,
    Redis(RedisServer),
}

/// A limiter and its clock.
pub(super) struct Bench {
    pub(super) limiter: Arc<dyn RateLimiter>,
    pub(super) clock: TestClock,
}

impl Adapter {
    pub(super) fn redis() -> Self {
        Self::Redis(RedisServer::start().unwrap())
    }

    pub(super) fn bench(&self) -> Bench {
        let clock = TestClock::at_noon();
        let limiter: Arc<dyn RateLimiter> = match self {
            Self::Memory => Arc::new(MemoryRateLimiter::new(clock.shared())),
            Self::Redis(server) => {
                let limiter = RedisRateLimiter::new(&server.url().into()).unwrap();
                let limiter = limiter.with_budget(PATIENCE);
                Arc::new(limiter.timed_by(clock.shared()))
            }
        };
        Bench { limiter, clock }
    }
}

impl Bench {
    pub(super) async fn take(&self, client: &str, limit: Limit) -> Decision {
        let key = Key::new("test", client.as_bytes());
        self.limiter.take(&key, limit).await.unwrap()
    }

    /// How many of so many requests at one instant are admitted.
    pub(super) async fn burst(&self, client: &str, limit: Limit, requests: usize) -> usize {
        let mut admitted = 0;
        for _ in 0..requests {
            admitted += usize::from(self.take(client, limit).await.is_admitted);
        }
        admitted
    }
}

/// One suite, twice: the tests take the limiter.
macro_rules! on_each_limiter {
    ($($test:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&$crate::rate_limit::adapter::Adapter::Memory.bench()).await;
            })*
        }

        mod redis {
            $(#[tokio::test]
            async fn $test() {
                let adapter = $crate::rate_limit::adapter::Adapter::redis();
                super::$test(&adapter.bench()).await;
            })*
        }
    };
}

pub(super) use on_each_limiter;
