//! A circuit breaker: who fails again and again is left alone for a while, then tried by one call.

use std::time::Duration;

use tokio::time::Instant;

use super::MAX_PAUSE;
use crate::ids::OrgId;

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
    /// When a call was judged last.
    pub(super) seen_at: Option<Instant>,
}

#[derive(Debug)]
enum State {
    /// Calls go through.
    Closed(Failures),
    /// None does.
    Open { until: Instant },
    /// One is on its way to see.
    HalfOpen { probe_until: Instant },
}

/// Failures in a row.
#[derive(Debug, Default, PartialEq, Eq)]
struct Failures {
    /// Those that are the candidate's alone.
    own: u32,
    /// Calls that took too long, which may be their requests' fault.
    late: u32,
    /// Whose they are, as long as it is one organization's.
    late_of: Option<OrgId>,
    is_general: bool,
}

/// A call that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(u64);

impl Default for State {
    fn default() -> Self {
        Self::Closed(Failures::default())
    }
}

impl Breaker {
    /// Lets a call through, or tells until when none is.
    pub(super) fn enter(&mut self, now: Instant) -> Result<Entry, Instant> {
        match self.state {
            State::Closed(_) => Ok(Entry(self.generation)),
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

    /// One more failure: of the call of an organization that was `late`, or of the candidate alone.
    /// `pause` is what the provider has asked for.
    pub(super) fn fail(
        &mut self,
        entry: Entry,
        late: Option<&OrgId>,
        pause: Option<Duration>,
        now: Instant,
    ) {
        if entry.0 != self.generation {
            return;
        }
        let failures = match &mut self.state {
            State::Closed(failures) => failures.add(late),
            State::Open { .. } | State::HalfOpen { .. } => FAILURES,
        };
        if pause.is_none() && failures < FAILURES {
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
        let is_quiet =
            matches!(&self.state, State::Closed(failures) if *failures == Failures::default());
        self.pauses == 0 && is_quiet
    }

    /// Whether it may still say something of the candidate.
    pub(super) fn is_recent(&self, now: Instant) -> bool {
        self.seen_at
            .is_some_and(|seen_at| now < seen_at + MAX_PAUSE)
    }

    fn close(&mut self) {
        match self.state {
            State::Closed(_) => self.state = State::default(),
            State::Open { .. } | State::HalfOpen { .. } => self.turn(State::default()),
        }
    }

    fn turn(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
    }
}

impl Failures {
    /// Counts one more; tells how many there are that count against the candidate. One organization's
    /// late calls do not, so that its prompts shut nobody else out.
    fn add(&mut self, late: Option<&OrgId>) -> u32 {
        match late {
            Some(org_id) => {
                let first = self.late_of.get_or_insert_with(|| org_id.clone());
                self.is_general |= first != org_id;
                self.late = self.late.saturating_add(1);
            }
            None => self.own = self.own.saturating_add(1),
        }
        let late = if self.is_general { self.late } else { 0 };
        self.own.saturating_add(late)
    }
}
