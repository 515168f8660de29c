//! What came of many requests, as their client saw it: when a request was counted is known as
//! between its sending and its answer only, so that nothing is asserted that is not certain.

use std::time::Duration;

/// A request, with times since the first.
pub(super) struct Call {
    pub(super) sent: Duration,
    pub(super) received: Duration,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Admitted,
    Refused { retry_after: Duration },
    Uncounted,
}

pub(super) struct Record {
    admitted: Vec<Call>,
    /// With what they were told.
    refused: Vec<(Call, Duration)>,
    /// Redis may have counted them after nobody waited any more.
    uncounted: Vec<Call>,
    window: Duration,
    limit: usize,
}

impl Record {
    pub(super) fn new(calls: Vec<Call>, window: Duration, limit: usize) -> Self {
        let mut record = Self {
            admitted: Vec::new(),
            refused: Vec::new(),
            uncounted: Vec::new(),
            window,
            limit,
        };
        for call in calls {
            match call.outcome {
                Outcome::Admitted => record.admitted.push(call),
                Outcome::Refused { retry_after } => record.refused.push((call, retry_after)),
                Outcome::Uncounted => record.uncounted.push(call),
            }
        }
        record
    }

    pub(super) fn assert_no_window_has_more_than_the_limit(&self) {
        for first in &self.admitted {
            let end = first.sent + self.window;
            let within = self.admitted.iter();
            let within = within.filter(|call| call.sent >= first.sent && call.received < end);
            let count = within.count();
            assert!(count <= self.limit, "{count} from {:?}", first.sent);
        }
    }

    pub(super) fn assert_the_first_window_is_filled(&self) {
        let first = self.admitted.iter().map(|call| call.sent).min().unwrap();
        let perhaps = self.admitted.iter().chain(&self.uncounted);
        let within = perhaps.filter(|call| call.sent < first + self.window);
        let count = within.count();
        assert!(count >= self.limit, "{count}");
    }

    /// A refusal means that the window is full; it has room when the oldest of as many admissions as
    /// the limit leaves it, and within a second after that the client is told to come.
    pub(super) fn assert_refusals_are_true_within_a_second(&self) {
        assert!(self.refused.len() > self.limit, "{}", self.refused.len());
        for (call, told) in self.refused.iter().step_by(5) {
            let surely = self
                .admitted
                .iter()
                .filter(|other| other.received <= call.sent);
            let earliest = nth_last(surely.map(|call| call.sent), self.limit);
            let perhaps = self
                .admitted
                .iter()
                .filter(|other| other.sent <= call.received);
            let unheard = self
                .uncounted
                .iter()
                .filter(|other| other.sent <= call.received);
            let perhaps = perhaps.map(|call| call.received);
            let perhaps = perhaps.chain(unheard.map(|_| call.received));
            let latest = nth_last(perhaps, self.limit);
            let latest = latest.expect("a refusal before the limit");
            let most = (latest + self.window).checked_sub(call.sent);
            let most = most.expect("a refusal with room in the window");
            assert!(*told <= most + Duration::from_secs(1), "{told:?} {most:?}");
            let least = earliest.map(|earliest| earliest + self.window);
            let least = least.and_then(|room| room.checked_sub(call.received));
            assert!(*told >= least.unwrap_or_default(), "{told:?} {least:?}");
        }
    }
}

fn nth_last(times: impl Iterator<Item = Duration>, number: usize) -> Option<Duration> {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    let index = times.len().checked_sub(number)?;
    Some(times[index])
}
