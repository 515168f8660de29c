use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long nobody asks again once it is taken for down.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// Failures in a row after which it is taken for down: one slow answer is no outage.
const FAILURES: u32 = 3;

/// Spares requests the wait for what does not answer: after failures in a row one a second tries.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Failures since the last answer.
    in_a_row: u32,
    /// All failures ever.
    failures: u64,
    /// When the next one tries; none while it works.
    next_try: Option<Instant>,
}

/// A request that asks.
#[derive(Debug)]
pub(super) struct Attempt {
    /// The failures before it began.
    failures: u64,
    is_probe: bool,
}

/// What a failure comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It may have been the only one.
    Single,
    /// An outage begins with it.
    Outage,
    /// It is part of one that was told.
    Known,
}

impl Breaker {
    /// Lets a request ask, or does not.
    pub(super) fn attempt(&self) -> Option<Attempt> {
        let mut state = self.lock();
        let is_probe = state.next_try.is_some();
        if let Some(at) = state.next_try {
            let now = Instant::now();
            if now < at {
                return None;
            }
            // Taken before the answer is known: one that goes away leaves the next its turn.
            state.next_try = Some(now + PAUSE);
        }
        Some(Attempt {
            failures: state.failures,
            is_probe,
        })
    }

    /// Takes an answer; true when it ends an outage. A late one from before the outage does not.
    pub(super) fn succeed(&self, attempt: &Attempt) -> bool {
        let mut state = self.lock();
        if state.next_try.is_some() && !attempt.is_probe {
            return false;
        }
        state.in_a_row = 0;
        state.next_try.take().is_some()
    }

    /// Takes a failure. Those of requests that were under way together count as one: it was the same
    /// moment that none of them got over.
    pub(super) fn fail(&self, attempt: &Attempt) -> Failure {
        let mut state = self.lock();
        if state.next_try.is_some() || attempt.failures < state.failures {
            return Failure::Known;
        }
        state.failures += 1;
        state.in_a_row += 1;
        if state.in_a_row < FAILURES {
            return Failure::Single;
        }
        state.next_try = Some(Instant::now() + PAUSE);
        Failure::Outage
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker) -> Failure {
        let attempt = breaker.attempt().unwrap();
        breaker.fail(&attempt)
    }

    /// A breaker of what does not answer.
    fn open() -> Breaker {
        let breaker = Breaker::default();
        assert_eq!(fail(&breaker), Failure::Single);
        assert_eq!(fail(&breaker), Failure::Single);
        assert_eq!(fail(&breaker), Failure::Outage);
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn after_three_failures_in_a_row_one_request_a_second_tries() {
        let breaker = open();
        for _ in 0..3 {
            assert!(breaker.attempt().is_none());
            tokio::time::advance(PAUSE).await;
            assert_eq!(fail(&breaker), Failure::Known, "the same outage");
        }
    }

    #[test]
    fn an_answer_between_failures_begins_the_count_anew() {
        let breaker = Breaker::default();
        for _ in 0..10 {
            assert_eq!(fail(&breaker), Failure::Single);
            assert_eq!(fail(&breaker), Failure::Single);
            let attempt = breaker.attempt().unwrap();
            assert!(!breaker.succeed(&attempt));
        }
    }

    #[test]
    fn requests_that_fail_together_are_one_failure() {
        let breaker = Breaker::default();
        for expected in [Failure::Single, Failure::Single, Failure::Outage] {
            let attempts: Vec<_> = (0..20).map(|_| breaker.attempt().unwrap()).collect();
            let mut failures = attempts.iter().map(|attempt| breaker.fail(attempt));
            assert_eq!(failures.next(), Some(expected));
            assert!(failures.all(|failure| failure == Failure::Known));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_try_after_the_failures_ends_an_outage() {
        let breaker = Breaker::default();
        let early = breaker.attempt().unwrap();
        while fail(&breaker) != Failure::Outage {}
        assert!(!breaker.succeed(&early));
        assert!(breaker.attempt().is_none());
        tokio::time::advance(PAUSE).await;
        let probe = breaker.attempt().unwrap();
        assert!(breaker.succeed(&probe));
        assert!(breaker.attempt().is_some());
        assert_eq!(fail(&breaker), Failure::Single, "the count begins anew");
    }
}
