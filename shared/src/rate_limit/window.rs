use std::{collections::VecDeque, time::Duration};

use super::{Decision, Limit};

/// The last admissions of one key: their times in microseconds, the newest last.
///
/// `redis/take.lua` does the same.
#[derive(Debug, Default)]
pub(super) struct Admissions(VecDeque<i64>);

impl Admissions {
    /// Admits a request at `now`, in microseconds, if there is room.
    pub(super) fn take(&mut self, now: i64, limit: Limit) -> Decision {
        self.follow(now);
        let window = i64::try_from(limit.window.as_micros()).unwrap_or(i64::MAX);
        let requests = limit.requests.get() as usize;
        while self.0.front().is_some_and(|at| now - at >= window) {
            self.0.pop_front();
        }
        let is_admitted = self.0.len() < requests;
        if is_admitted {
            self.0.push_back(now);
        }
        // With less room than before, more than the oldest must go.
        let next = self.0.len().saturating_sub(requests);
        let reset = self.0.get(next).map_or(0, |at| at + window - now);
        Decision {
            is_admitted,
            limit: limit.requests.get(),
            remaining: u32::try_from(requests.saturating_sub(self.0.len())).unwrap_or(0),
            reset_after: Duration::from_micros(u64::try_from(reset).unwrap_or(0)),
        }
    }

    /// After a clock was set back, what was counted is taken for as late as it can have been: the
    /// newest for now, the others as far before it as they were.
    fn follow(&mut self, now: i64) {
        let ahead = self.0.back().map_or(0, |newest| newest - now);
        if ahead > 0 {
            self.0.iter_mut().for_each(|at| *at -= ahead);
        }
    }
}
