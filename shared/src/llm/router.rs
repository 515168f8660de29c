//! Which provider a call goes to, and where next when that one fails.
//!
//! It chooses; who asks makes the calls, each with an admission of its own.

mod breaker;
mod failure;
mod order;
mod route;
mod timeouts;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use self::breaker::{Breaker, Entry};
pub use self::route::InvalidRoute;
use super::Error;
pub use crate::models::{Candidate, FailureClass, Route, RouteStep, Timeouts, Weighted};
use crate::{ids::OrgId, models::ProviderName};

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
    /// Providers that are asked with keys of others.
    foreign: BTreeSet<ProviderName>,
    /// The first that was passed over.
    passed_over: Option<Candidate>,
    has_asked: bool,
    /// When the first of those that were passed over may be asked again.
    closed_until: Option<Instant>,
}

/// One candidate's turn. When it is dropped without a verdict, the caller has gone, which says
/// nothing about the candidate.
pub struct Attempt {
    router: Router,
    candidate: Candidate,
    /// None when no breaker is concerned.
    entry: Option<Entry>,
    /// Whether the route waits as long as any.
    is_patient: bool,
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
            foreign: BTreeSet::new(),
            route: route.clone(),
            passed_over: None,
            has_asked: false,
            closed_until: None,
        }
    }

    fn enter(&self, candidate: &Candidate) -> Result<Entry, Instant> {
        match self.breakers().get_mut(candidate) {
            Some(breaker) => breaker.enter(Instant::now()),
            None => Ok(Breaker::default().insist()),
        }
    }

    fn insist(&self, candidate: &Candidate) -> Entry {
        let breakers = self.breakers();
        let breaker = breakers.get(candidate);
        breaker.map_or_else(|| Breaker::default().insist(), Breaker::insist)
    }

    fn breakers(&self) -> MutexGuard<'_, HashMap<Candidate, Breaker>> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempts {
    /// The same, where these providers are asked with keys that are not ours: what has become of
    /// others' calls says nothing of theirs, and theirs nothing of others'.
    #[must_use]
    pub fn with_foreign_keys(self, foreign: BTreeSet<ProviderName>) -> Self {
        Self { foreign, ..self }
    }

    /// The next candidate that may be asked now.
    pub fn next_turn(&mut self) -> Option<Attempt> {
        while let Some(candidate) = self.order.next() {
            if self.foreign.contains(&candidate.provider) {
                return Some(self.turn_of(candidate, None));
            }
            match self.router.enter(&candidate) {
                Ok(entry) => return Some(self.turn_of(candidate, Some(entry))),
                Err(until) => {
                    let first = self.closed_until.map_or(until, |first| first.min(until));
                    self.closed_until = Some(first);
                    self.passed_over.get_or_insert(candidate);
                }
            }
        }
        None
    }

    /// The first candidate that was passed over, when all were: a breaker spares waiting where
    /// somebody else can be asked, and must not fail calls that only had to wait.
    pub fn last_resort(&mut self) -> Option<Attempt> {
        let candidate = self.passed_over.take().filter(|_| !self.has_asked)?;
        let entry = self.router.insist(&candidate);
        Some(self.turn_of(candidate, Some(entry)))
    }

    fn turn_of(&mut self, candidate: Candidate, entry: Option<Entry>) -> Attempt {
        self.has_asked = true;
        Attempt {
            router: self.router.clone(),
            candidate,
            entry,
            is_patient: self.route.timeouts.are_patient(),
            is_judged: false,
        }
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
    /// once another organization's has as well, and only if its route has waited as long as any.
    pub fn fail(mut self, error: &Error, org_id: &OrgId) {
        let class = FailureClass::of(error);
        let pause = crate::retry::Transient::retry_after(error);
        if class == FailureClass::Timeout && !self.is_patient {
            return;
        }
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
        let Some(entry) = self.entry else {
            return;
        };
        let (mut breakers, now) = (self.router.breakers(), Instant::now());
        let mut breaker = breakers.remove(&self.candidate).unwrap_or_default();
        verdict(&mut breaker, entry);
        breaker.seen_at = Some(now);
        // Models are names that organizations choose: only what has failed is kept in mind, and no
        // more than there is room for.
        if breakers.len() >= MAX_BREAKERS {
            breakers.retain(|_, breaker| breaker.is_recent(now));
        }
        if !breaker.is_untroubled() && breakers.len() < MAX_BREAKERS {
            breakers.insert(self.candidate.clone(), breaker);
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.is_judged {
            self.judge(Breaker::leave);
        }
    }
}

/// Candidates that are kept in mind at most.
const MAX_BREAKERS: usize = 1_000;

/// The longest that a candidate is left alone, however often it has failed.
const MAX_PAUSE: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests;
