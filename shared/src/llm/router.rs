//! Which provider a call goes to, and where next when that one fails.
//!
//! It chooses; who asks makes the calls, each with an admission of its own.

mod breaker;
mod failure;
mod order;
mod route;
mod timeouts;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use self::breaker::{Breaker, Entry};
pub use self::{
    failure::FailureClass,
    route::{Candidate, InvalidRoute, Route, Step, Weighted},
    timeouts::Timeouts,
};
use super::Error;
use crate::ids::OrgId;

/// What is known of candidates that have failed lately. Every process learns it anew: it spares
/// waiting, and nothing depends on it.
#[derive(Clone, Default)]
pub struct Router {
    breakers: Arc<Mutex<HashMap<Candidate, Breaker>>>,
}

/// The candidates of one call, in the order in which they are asked.
pub struct Attempts {
    router: Router,
    route: Route,
    order: std::vec::IntoIter<Candidate>,
    /// When the first of those that were passed over may be asked again.
    closed_until: Option<Instant>,
}

/// One candidate's turn. When it is dropped without a verdict, the caller has gone, which says
/// nothing about the candidate.
pub struct Attempt {
    router: Router,
    candidate: Candidate,
    entry: Entry,
    is_judged: bool,
}

impl Router {
    /// The candidates of a route for one call. The same key comes to the same order, as long as
    /// none fails, so that a repeat of a call after a crash goes where the call went.
    #[must_use]
    pub fn attempts(&self, route: &Route, key: &str) -> Attempts {
        Attempts {
            router: self.clone(),
            order: order::of(route, key).into_iter(),
            route: route.clone(),
            closed_until: None,
        }
    }

    fn breakers(&self) -> MutexGuard<'_, HashMap<Candidate, Breaker>> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempts {
    /// The next candidate that may be asked now.
    pub fn next_turn(&mut self) -> Option<Attempt> {
        for candidate in self.order.by_ref() {
            let mut breakers = self.router.breakers();
            let breaker = breakers.entry(candidate.clone()).or_default();
            match breaker.enter(Instant::now()) {
                Ok(entry) => {
                    drop(breakers);
                    return Some(Attempt {
                        router: self.router.clone(),
                        candidate,
                        entry,
                        is_judged: false,
                    });
                }
                Err(until) => {
                    let first = self.closed_until.map_or(until, |first| first.min(until));
                    self.closed_until = Some(first);
                }
            }
        }
        None
    }

    /// Whether another candidate is to be asked after this failure.
    #[must_use]
    pub fn goes_on_after(&self, error: &Error) -> bool {
        self.route.falls_back_on(FailureClass::of(error))
    }

    /// Why nobody was asked at all: all candidates have failed lately.
    #[must_use]
    pub fn none_left(&self) -> Error {
        let now = Instant::now();
        let until = self.closed_until;
        Error::Unavailable {
            retry_after: until.map(|until| until.saturating_duration_since(now)),
            source: "no candidate of the route may be asked now".into(),
        }
    }
}

impl Attempt {
    /// Whose turn it is.
    #[must_use]
    pub fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// The candidate has answered.
    pub fn succeed(mut self) {
        self.judge(Breaker::succeed);
    }

    /// The candidate has failed. Only what is about the candidate counts against it, not what is
    /// about the request, as an answer that cannot be read may be; a call that took too long counts
    /// once another organization's has as well.
    pub fn fail(mut self, error: &Error, org_id: &OrgId) {
        let class = FailureClass::of(error);
        let pause = crate::retry::Transient::retry_after(error);
        let late = (class == FailureClass::Timeout).then_some(org_id);
        let is_its_fault =
            class.is_about_the_candidate() && !matches!(error.cause(), Error::Malformed(_));
        match is_its_fault {
            true => self.judge(|breaker, entry| breaker.fail(entry, late, pause, Instant::now())),
            false => self.judge(Breaker::succeed),
        }
    }

    fn judge(&mut self, verdict: impl FnOnce(&mut Breaker, Entry)) {
        self.is_judged = true;
        let mut breakers = self.router.breakers();
        let breaker = breakers.entry(self.candidate.clone()).or_default();
        verdict(breaker, self.entry);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.is_judged {
            self.judge(Breaker::leave);
        }
    }
}

/// The longest that a candidate is left alone, however often it has failed.
const MAX_PAUSE: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests;
