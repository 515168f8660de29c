//! A meter of Stripe as its contract tells, in memory.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Mutex,
    time::Duration,
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use shared::{
    clock::Clock,
    stripe::{Billing, Error, MeterEvent, Subscription},
    testing::FixedClock,
};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is refused.
    Refused(u16),
    /// It never arrives.
    Down,
    /// It is carried out, and nobody hears of it.
    Unheard,
}

pub(crate) struct FakeMeter {
    clock: FixedClock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    has_no_meter: bool,
    faults: VecDeque<Option<Fault>>,
    /// When each identifier was last seen.
    seen: BTreeMap<String, Timestamp>,
    counted: Vec<MeterEvent>,
    /// Requests to count something.
    requests: Vec<String>,
    /// Customers about whom Stripe refuses to tell anything.
    refused: BTreeSet<String>,
    /// Whether Stripe tells nothing about anybody.
    is_silent: bool,
    /// How long each request takes.
    takes: Duration,
    /// Questions for sums.
    asked: usize,
    /// Whether a repeat is refused instead of answered as the first time.
    refuses_repeats: bool,
}

impl FakeMeter {
    pub(crate) fn new(clock: FixedClock) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    /// What becomes of the next requests, in order, and of no others.
    pub(crate) fn plan(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.state.lock().unwrap().faults = faults.into_iter().collect();
    }

    /// Has each request take so long.
    pub(crate) fn take(&self, time: Duration) {
        self.state.lock().unwrap().takes = time;
    }

    pub(crate) fn refuse_repeats(&self) {
        self.state.lock().unwrap().refuses_repeats = true;
    }

    /// Has Stripe refuse to tell what it has counted for a customer.
    pub(crate) fn refuse_to_tell_of(&self, customer_id: &str) {
        let mut state = self.state.lock().unwrap();
        state.refused.insert(customer_id.to_owned());
    }

    /// Has Stripe tell nothing of what it has counted.
    pub(crate) fn fall_silent(&self) {
        self.state.lock().unwrap().is_silent = true;
    }

    /// How often it was asked what it has counted.
    pub(crate) fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }

    pub(crate) fn remove_meter(&self, is_removed: bool) {
        self.state.lock().unwrap().has_no_meter = is_removed;
    }

    /// Counts what nobody here has sent.
    pub(crate) fn count_foreign(&self, event: MeterEvent) {
        self.state.lock().unwrap().counted.push(event);
    }

    /// How often, and how much, was counted by identifier.
    pub(crate) fn counted(&self) -> BTreeMap<String, Vec<i64>> {
        let mut counted: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for event in &self.state.lock().unwrap().counted {
            let values = counted.entry(event.identifier.clone()).or_default();
            values.push(event.value);
        }
        counted
    }

    /// What counts, in the order in which it was told.
    pub(crate) fn events(&self) -> Vec<MeterEvent> {
        self.state.lock().unwrap().counted.clone()
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    fn record(&self, event: &MeterEvent) -> Result<(), Error> {
        let (now, mut state) = (self.clock.now(), self.state.lock().unwrap());
        state.requests.push(event.identifier.clone());
        self.clock.advance(state.takes);
        let fault = state.faults.pop_front().flatten();
        match fault {
            Some(Fault::Refused(status)) => return Err(Error::Rejected { status }),
            Some(Fault::Down) => return Err(Error::Unavailable("down".into())),
            Some(Fault::Unheard) | None => {}
        }
        let oldest = now - SignedDuration::from_hours(35 * 24);
        if event.at < oldest || event.at > now + SignedDuration::from_mins(5) {
            return Err(Error::Rejected { status: 400 });
        }
        let seen = state.seen.get(&event.identifier);
        let is_repeat = seen.is_some_and(|seen| *seen + SignedDuration::from_hours(24) > now);
        if is_repeat && state.refuses_repeats {
            return Err(Error::Rejected { status: 400 });
        }
        if !is_repeat {
            state.seen.insert(event.identifier.clone(), now);
            state.counted.push(event.clone());
        }
        match fault {
            Some(_) => Err(Error::Unavailable("the connection broke".into())),
            None => Ok(()),
        }
    }
}

/// A caller may die before and after a request has its effect.
#[async_trait]
impl Billing for FakeMeter {
    async fn list_subscriptions(&self, _customer_id: &str) -> Result<Vec<Subscription>, Error> {
        Ok(Vec::new())
    }

    async fn end_subscription(&self, _: &Subscription) -> Result<(), Error> {
        Ok(())
    }

    async fn record_meter_event(&self, event: &MeterEvent) -> Result<(), Error> {
        tokio::task::yield_now().await;
        let recorded = self.record(event);
        tokio::task::yield_now().await;
        recorded
    }

    async fn meter_total(
        &self,
        meter_id: &str,
        customer_id: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<i64, Error> {
        assert_eq!(meter_id, "mtr_1");
        assert_eq!((from.as_second() % 60, to.as_second() % 60), (0, 0));
        tokio::task::yield_now().await;
        let mut state = self.state.lock().unwrap();
        state.asked += 1;
        if state.is_silent {
            return Err(Error::Unavailable("silent".into()));
        }
        if state.refused.contains(customer_id) {
            return Err(Error::Rejected { status: 404 });
        }
        let counted = state
            .counted
            .iter()
            .filter(|event| event.customer_id == customer_id && (from..to).contains(&event.at));
        Ok(counted.map(|event| event.value).sum())
    }

    async fn find_meter(&self, event_name: &str) -> Result<Option<String>, Error> {
        tokio::task::yield_now().await;
        assert_eq!(event_name, "llm_tokens");
        let has_none = self.state.lock().unwrap().has_no_meter;
        Ok((!has_none).then(|| "mtr_1".to_owned()))
    }
}
