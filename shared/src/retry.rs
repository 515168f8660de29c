//! Retrying transient failures: exponential with full jitter, bounded by attempts and time.

use std::{future::Future, time::Duration};

use tokio::time::Instant;

/// Tells whether trying again may help.
pub trait Transient {
    /// Whether the same call may succeed later.
    fn is_transient(&self) -> bool;

    /// How long the other side asked to wait (`Retry-After`).
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// A retry policy that makes no sense.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a retry policy needs at least one attempt and a first delay not above its longest delay")]
pub struct InvalidPolicy;

/// When to try again, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    attempts: u32,
    first_delay: Duration,
    max_delay: Duration,
    budget: Duration,
}

impl Policy {
    /// One attempt, no retry.
    pub const NEVER: Self = Self {
        attempts: 1,
        first_delay: Duration::ZERO,
        max_delay: Duration::ZERO,
        budget: Duration::ZERO,
    };

    /// For one short remote call: 4 attempts, 100 ms doubling to 2 s, 10 s in all.
    pub const REMOTE_CALL: Self = Self {
        attempts: 4,
        first_delay: Duration::from_millis(100),
        max_delay: Duration::from_secs(2),
        budget: Duration::from_secs(10),
    };

    /// For optimistic writes that lost a race: 64 attempts, 2 ms doubling to 200 ms, 20 s in all.
    pub const CONTENTION: Self = Self {
        attempts: 64,
        first_delay: Duration::from_millis(2),
        max_delay: Duration::from_millis(200),
        budget: Duration::from_secs(20),
    };

    /// For what another process is doing under a lease of half a minute: looked for after 20 ms
    /// doubling to 500 ms, 45 s in all.
    pub const LEASE: Self = Self {
        attempts: u32::MAX,
        first_delay: Duration::from_millis(20),
        max_delay: Duration::from_millis(500),
        budget: Duration::from_secs(45),
    };

    /// For a turn whose time is known: no wait but what is asked for, 15 s in all.
    pub const TURN: Self = Self {
        attempts: 4,
        first_delay: Duration::ZERO,
        max_delay: Duration::ZERO,
        budget: Duration::from_secs(15),
    };

    /// For work that is taken up again later, by whoever comes then: after a minute doubling to an
    /// hour, without end.
    pub const LATER: Self = Self {
        attempts: u32::MAX,
        first_delay: Duration::from_secs(60),
        max_delay: Duration::from_secs(3_600),
        budget: Duration::MAX,
    };

    /// A policy of `attempts` tries within `budget`, waiting up to `first_delay` after the first
    /// and up to `max_delay` after any.
    ///
    /// # Errors
    /// Returns [`InvalidPolicy`] for no attempts or a first delay above the longest.
    pub fn new(
        attempts: u32,
        first_delay: Duration,
        max_delay: Duration,
        budget: Duration,
    ) -> Result<Self, InvalidPolicy> {
        if attempts == 0 || first_delay > max_delay {
            return Err(InvalidPolicy);
        }
        Ok(Self {
            attempts,
            first_delay,
            max_delay,
            budget,
        })
    }

    /// The longest wait after failed attempt number `attempt` (from 1), before jitter.
    #[must_use]
    pub fn delay_ceiling(&self, attempt: u32) -> Duration {
        let factor = 2_u32.saturating_pow(attempt.saturating_sub(1));
        self.first_delay.saturating_mul(factor).min(self.max_delay)
    }
}

/// Runs `operation` until it succeeds, fails for good, or the policy is spent.
///
/// # Errors
/// Returns the last error of `operation`.
pub async fn retry<T, E, F, Fut>(policy: Policy, mut operation: F) -> Result<T, E>
where
    E: Transient,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let started = Instant::now();
    let mut attempt = 1;
    loop {
        let error = match operation().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let delay = wait_before_next(&policy, attempt, &error);
        let in_time = started.elapsed().saturating_add(delay) <= policy.budget;
        if !error.is_transient() || attempt >= policy.attempts || !in_time {
            return Err(error);
        }
        pause(delay).await;
        attempt += 1;
    }
}

/// When to try again after failed attempt number `attempt` (from 1), for who does not wait here.
#[must_use]
pub fn delay_after<E: Transient>(policy: &Policy, attempt: u32, error: &E) -> Duration {
    wait_before_next(policy, attempt, error)
}

/// Full jitter (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>), but
/// never earlier than the other side asked for.
fn wait_before_next<E: Transient>(policy: &Policy, attempt: u32, error: &E) -> Duration {
    let jittered = policy.delay_ceiling(attempt).mul_f64(rand::random::<f64>());
    error
        .retry_after()
        .map_or(jittered, |asked| asked.max(jittered))
}

#[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
async fn pause(delay: Duration) {
    tokio::time::sleep(delay).await;
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    enum Failure {
        Transient,
        AskedToWait(Duration),
        Permanent,
    }

    impl Transient for Failure {
        fn is_transient(&self) -> bool {
            *self != Self::Permanent
        }

        fn retry_after(&self) -> Option<Duration> {
            if let Self::AskedToWait(delay) = self {
                Some(*delay)
            } else {
                None
            }
        }
    }

    fn policy(attempts: u32) -> Policy {
        let seconds = Duration::from_secs;
        Policy::new(attempts, seconds(1), seconds(4), seconds(60)).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn transient_failures_are_tried_up_to_the_limit() {
        let calls = Cell::new(0);
        let result: Result<(), _> = retry(policy(3), async || {
            calls.set(calls.get() + 1);
            Err(Failure::Transient)
        })
        .await;
        assert_eq!((result, calls.get()), (Err(Failure::Transient), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn permanent_failures_are_not_tried_again() {
        let calls = Cell::new(0);
        let result: Result<(), _> = retry(policy(3), async || {
            calls.set(calls.get() + 1);
            Err(Failure::Permanent)
        })
        .await;
        assert_eq!((result, calls.get()), (Err(Failure::Permanent), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_asked_wait_is_honoured_and_the_budget_holds() {
        let started = Instant::now();
        let wait = Duration::from_secs(25);
        let _: Result<(), _> = retry(policy(10), async || Err(Failure::AskedToWait(wait))).await;
        assert_eq!(started.elapsed(), wait * 2);
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let ceilings: Vec<_> = (1..=4)
            .map(|n| policy(9).delay_ceiling(n).as_secs())
            .collect();
        assert_eq!(ceilings, [1, 2, 4, 4]);
    }

    #[test]
    fn a_policy_without_attempts_is_refused() {
        let second = Duration::from_secs(1);
        assert_eq!(Policy::new(0, second, second, second), Err(InvalidPolicy));
    }
}
