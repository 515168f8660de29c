//! A circuit breaker: who fails again and again is left alone for a while, then tried by one call.

use std::time::Duration;

use tokio::time::Instant;

use super::MAX_PAUSE;

/// Failures in a row after which a candidate is left alone.
const FAILURES: u32 = 5;

/// For how long at first; it doubles with each probe that fails.
const FIRST_PAUSE: Duration = Duration::from_secs(10);

/// A probe that has said nothing for so long does not keep others from probing.
const PROBE_PATIENCE: Duration = Duration::from_secs(60);

/// What is known of one candidate.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: State,
    /// Pauses so far without a success in between.
    pauses: u32,
    /// Grows with each change of state: verdicts on an earlier one come too late.
    generation: u64,
}

#[derive(Debug)]
enum State {
    /// Calls go through.
    Closed { failures: u32 },
    /// None does.
    Open { until: Instant },
    /// One is on its way to see.
    HalfOpen { probe_until: Instant },
}

/// A call that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(u64);

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// Lets a call through, or tells until when none is.
    pub(super) fn enter(&mut self, now: Instant) -> Result<Entry, Instant> {
        match self.state {
            State::Closed { .. } => Ok(Entry(self.generation)),
            State::Open { until } | State::HalfOpen { probe_until: until } if now < until => {
                Err(until)
            }
            State::Open { .. } | State::HalfOpen { .. } => {
                self.turn(State::HalfOpen {
                    probe_until: now + PROBE_PATIENCE,
                });
                Ok(Entry(self.generation))
            }
        }
    }

    /// Lets a call through that nobody else can answer.
    pub(super) fn insist(&self) -> Entry {
        Entry(self.generation)
    }

    pub(super) fn succeed(&mut self, entry: Entry) {
        if entry.0 == self.generation {
            self.pauses = 0;
            self.close();
        }
    }

    /// One more failure; `pause` is what the provider has asked for.
    pub(super) fn fail(&mut self, entry: Entry, pause: Option<Duration>, now: Instant) {
        if entry.0 != self.generation {
            return;
        }
        let failures = match self.state {
            State::Closed { failures } => failures.saturating_add(1),
            State::Open { .. } | State::HalfOpen { .. } => FAILURES,
        };
        if pause.is_none() && failures < FAILURES {
            self.state = State::Closed { failures };
            return;
        }
        let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.pauses));
        let own = match failures < FAILURES {
            true => Duration::ZERO,
            false => doubled,
        };
        let pause = own.max(pause.unwrap_or_default()).min(MAX_PAUSE);
        self.pauses = self.pauses.saturating_add(1);
        self.turn(State::Open { until: now + pause });
    }

    /// The call has ended without a verdict. Another may probe.
    pub(super) fn leave(&mut self, entry: Entry) {
        if let State::HalfOpen { .. } = self.state
            && entry.0 == self.generation
        {
            self.turn(State::Open {
                until: Instant::now(),
            });
        }
    }

    /// Whether a new one would do as well.
    pub(super) fn is_untroubled(&self) -> bool {
        self.pauses == 0 && matches!(self.state, State::Closed { failures: 0 })
    }

    fn close(&mut self) {
        match self.state {
            State::Closed { .. } => self.state = State::default(),
            State::Open { .. } | State::HalfOpen { .. } => self.turn(State::default()),
        }
    }

    fn turn(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
    }
}
