use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long nobody asks again after a failure.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// Spares requests the wait for what does not answer: after a failure one a second tries.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// When the next one tries; none while it works.
    next_try: Mutex<Option<Instant>>,
}

/// A request that asks.
#[derive(Debug)]
pub(super) struct Attempt {
    is_probe: bool,
}

impl Breaker {
    /// Lets a request ask, or does not.
    pub(super) fn attempt(&self) -> Option<Attempt> {
        let mut next_try = self.lock();
        let is_probe = next_try.is_some();
        if let Some(at) = *next_try {
            let now = Instant::now();
            if now < at {
                return None;
            }
            // Taken before the answer is known: one that goes away leaves the next its turn.
            *next_try = Some(now + PAUSE);
        }
        Some(Attempt { is_probe })
    }

    /// Takes an answer; true when it ends an outage. A late one from before the outage does not.
    pub(super) fn succeed(&self, attempt: &Attempt) -> bool {
        attempt.is_probe && self.lock().take().is_some()
    }

    /// Takes a failure; true when an outage begins with it.
    pub(super) fn fail(&self) -> bool {
        let mut next_try = self.lock();
        let begins = next_try.is_none();
        if begins {
            *next_try = Some(Instant::now() + PAUSE);
        }
        begins
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.next_try.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_one_request_a_second_tries() {
        let breaker = Breaker::default();
        assert!(breaker.attempt().is_some());
        assert!(breaker.fail());
        for _ in 0..3 {
            assert!(breaker.attempt().is_none());
            tokio::time::advance(PAUSE).await;
            assert!(breaker.attempt().is_some());
            assert!(!breaker.fail(), "the same outage");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_try_after_the_failure_ends_an_outage() {
        let breaker = Breaker::default();
        let early = breaker.attempt().unwrap();
        assert!(breaker.fail());
        assert!(!breaker.succeed(&early));
        assert!(breaker.attempt().is_none());
        tokio::time::advance(PAUSE).await;
        let probe = breaker.attempt().unwrap();
        assert!(breaker.succeed(&probe));
        assert!(breaker.attempt().is_some());
        assert!(breaker.attempt().is_some());
    }
}
