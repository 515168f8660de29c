//! An organization that uses tokens, and a meter that bills them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
};
use handle_stripe_webhook::{Meter, Metered};
use http::Request;
use serde::Serialize;
use serde_json::Value;
use shared::{
    clock::Clock,
    ids::{OrgId, RecordId},
    models::{
        MeterRow, MeterRowState, MeteredMonth, Metering, Organization, SubscriptionTier, Timestamp,
        UsageEntry,
    },
    store::{
        Store, Versioned, Write, decode,
        document_db::{DocumentPath, Operation, Precondition},
        encode,
        organizations::{self, day_of},
        usage_ledger,
    },
    testing::{
        FixedClock, MemoryDb, RecordingQueue, TestServiceVerifier, memory_store, usage_entry,
    },
};
use tower::ServiceExt;

use super::stripe::FakeMeter;
use crate::app::function;

/// Tokens in the price of the plan that [`World`] has.
pub(crate) const INCLUDED: i64 = 5_000_000;

pub(crate) struct World {
    pub(crate) db: Arc<MemoryDb>,
    pub(crate) store: Store,
    pub(crate) clock: FixedClock,
    pub(crate) stripe: Arc<FakeMeter>,
    pub(crate) meter: Meter,
    pub(crate) queue: Arc<RecordingQueue>,
    router: Router,
}

impl World {
    /// `o1` on the pro tier, which pays as `cus_1`.
    pub(crate) async fn new() -> Self {
        let world = Self::empty();
        let customer = Some("cus_1");
        world.add("o1", SubscriptionTier::Pro, customer).await;
        world
    }

    /// The same that has used 1,000,000 tokens above what is included, in five calls.
    pub(crate) async fn over() -> Self {
        let world = Self::new().await;
        let calls = [3_000_000, 2_500_000, 300_000, 200_000, 0];
        for (number, tokens) in calls.into_iter().enumerate() {
            world.call(&format!("u{number}"), tokens).await;
            world.clock.advance(Duration::from_secs(1));
        }
        world
    }

    pub(crate) fn empty() -> Self {
        let (store, db) = memory_store();
        let clock = FixedClock::at("2026-11-23T12:00:00Z");
        let stripe = Arc::new(FakeMeter::new(clock.clone()));
        let meter = Meter::new(store.clone(), stripe.clone(), clock.shared());
        let queue = Arc::new(RecordingQueue::new());
        let router = function(&store, &queue, &clock, stripe.clone(), Vec::new());
        Self {
            db,
            store,
            clock,
            stripe,
            meter,
            queue,
            router,
        }
    }

    /// What the scheduler or the queue is answered, or somebody else.
    pub(crate) async fn post(&self, path: &str, token: &str, body: Vec<u8>) -> (u16, Value) {
        let request = Request::post(path).header("authorization", format!("Bearer {token}"));
        let request = request.body(Body::from(body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        (parts.status.as_u16(), body)
    }

    /// The scheduler's tick.
    pub(crate) async fn tick(&self, path: &str) -> Value {
        let (status, body) = self
            .post(path, TestServiceVerifier::EXPECTED, Vec::new())
            .await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Brings what is in the queue, and what that hands in.
    pub(crate) async fn drain(&self) {
        loop {
            let tasks = self.queue.take();
            if tasks.is_empty() {
                return;
            }
            for task in tasks {
                let body = task.work.to_body().unwrap();
                let path = task.work.path();
                let answer = self.post(path, TestServiceVerifier::EXPECTED, body).await;
                assert_eq!(answer.0, 200, "{}", answer.1);
            }
        }
    }

    pub(crate) async fn add(&self, id: &str, tier: SubscriptionTier, customer: Option<&str>) {
        let id = OrgId::parse(id).unwrap();
        let organization = Organization {
            subscription_tier: tier,
            stripe_customer_id: customer.map(str::to_owned),
            stripe_customer_attempts: 0,
            ..Organization::new(id, "Ada".to_owned(), self.now())
        };
        let write = organizations::create(&organization).unwrap();
        self.store.commit(vec![write]).await.unwrap();
    }

    pub(crate) async fn change(&self, change: impl FnOnce(&mut Organization)) {
        let mut organization = self.organization().await;
        change(&mut organization.value);
        let write = organizations::replace(&organization).unwrap();
        self.store.commit(vec![write]).await.unwrap();
    }

    pub(crate) async fn organization(&self) -> Versioned<Organization> {
        let id = OrgId::parse("o1").unwrap();
        let found = self.store.find_organization(&id).await;
        found.unwrap().unwrap()
    }

    /// A call that was made now, has used so many tokens and is settled.
    pub(crate) fn settled(&self, id: &str, tokens: i64) -> UsageEntry {
        let now = self.now();
        let (id, org_id) = (RecordId::parse(id).unwrap(), OrgId::parse("o1").unwrap());
        UsageEntry {
            model: "gpt-4.1".to_owned(),
            input_tokens: tokens,
            output_tokens: 0,
            cost_micro_usd: 1,
            meter: Some(Metering::Pending),
            ..usage_entry(id, org_id, &day_of(now), now)
        }
    }

    pub(crate) async fn call(&self, id: &str, tokens: i64) {
        self.keep(&self.settled(id, tokens)).await;
    }

    pub(crate) async fn keep(&self, entry: &UsageEntry) {
        let write = usage_ledger::create(entry).unwrap();
        self.store.commit(vec![write]).await.unwrap();
    }

    pub(crate) async fn run(&self) -> Metered {
        self.meter.run().await.unwrap()
    }

    /// Runs as often as Cloud Scheduler would in some hours, more or less.
    pub(crate) async fn run_for_hours(&self, hours: u64) {
        for _ in 0..hours {
            self.clock.advance(Duration::from_hours(1));
            self.run().await;
        }
    }

    pub(crate) fn entries(&self) -> Vec<UsageEntry> {
        let entries = self.db.documents("usage_ledger/");
        entries.iter().map(|entry| decode(entry).unwrap()).collect()
    }

    pub(crate) fn metering(&self, id: &str) -> Metering {
        let mut entries = self.entries().into_iter();
        let entry = entries.find(|entry| entry.id.as_str() == id).unwrap();
        entry.meter.unwrap()
    }

    pub(crate) fn rows(&self) -> BTreeMap<String, MeterRow> {
        let rows = self.db.documents("meter_events/");
        let rows = rows.iter().map(|row| decode::<MeterRow>(row).unwrap());
        rows.map(|row| (row.id.to_string(), row)).collect()
    }

    pub(crate) fn state(&self, id: &str) -> MeterRowState {
        self.rows()[id].state
    }

    pub(crate) async fn month(&self) -> MeteredMonth {
        let org_id = OrgId::parse("o1").unwrap();
        let month = self.store.find_metered_month(&org_id, "2026-11").await;
        month.unwrap().unwrap().value
    }

    /// Stripe has each entry's overage once, and all of it.
    pub(crate) fn assert_billed_once(&self, place: &str) {
        self.assert_billed(&self.stripe.counted(), place);
    }

    /// The same of what some Stripe has `counted`.
    pub(crate) fn assert_billed(&self, counted: &BTreeMap<String, Vec<i64>>, place: &str) {
        let entries = self.entries();
        let mut due = BTreeMap::new();
        for entry in &entries {
            match entry.meter {
                Some(Metering::Due { tokens }) => {
                    due.insert(entry.id.to_string(), vec![tokens]);
                }
                Some(Metering::Included) => {}
                other => unreachable!("{place}: {} is {other:?}", entry.id),
            }
        }
        assert_eq!(*counted, due, "{place}");
        let used: i64 = entries.iter().map(|entry| entry.amount().tokens).sum();
        let billed: i64 = counted.values().flatten().sum();
        assert_eq!(billed, (used - INCLUDED).max(0), "{place}");
        for (id, row) in self.rows() {
            assert_eq!(row.state, MeterRowState::Sent, "{place}: {id}");
        }
    }

    /// Puts a document where it is that no model can hold.
    pub(crate) async fn spoil(&self, path: DocumentPath, fields: impl Serialize) {
        let fields = encode(&path, &fields).unwrap();
        let write = Write {
            path,
            operation: Operation::Replace(fields),
            precondition: Precondition::None,
        };
        self.store.commit(vec![write]).await.unwrap();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now().into()
    }
}
