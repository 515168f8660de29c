//! What an organization uses above its plan's amount reaches the meter of the local Stripe.

use std::{sync::Arc, time::Duration};

use emulator_tests::{
    Harness,
    client::{Client, http_client},
};
use serde_json::{Value, json};
use shared::{
    clock::{Clock, SystemClock},
    config::ServiceConfig,
    ids::{OrgId, RecordId},
    models::{Metering, Timestamp, UsageEntry},
    quota::Plan,
    store::{Store, firestore::Firestore, organizations, usage_ledger},
    testing::{FakeStripe, usage_entry},
};

use super::{PATIENCE, start};

/// Returns what `look` finds, once it finds something.
async fn eventually<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        let mut interval = tokio::time::interval(Duration::from_millis(20));
        loop {
            interval.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap()
}

/// A user whose organization pays for the pro plan.
struct World {
    harness: Harness,
    client: Client,
    store: Store,
    org_id: OrgId,
    customer_id: String,
}

impl World {
    async fn start() -> Self {
        let harness = start().await;
        let client = Client::sign_up(harness.endpoints()).await.unwrap();
        let organization = client.get("/organization").await.unwrap();
        let org_id: OrgId = organization["id"].as_str().unwrap().parse().unwrap();
        let firestore = Firestore::new(&ServiceConfig::load(harness.env()).unwrap());
        let store = Store::new(Arc::new(firestore));
        let customer_id = harness
            .stripe()
            .unwrap()
            .account()
            .add_customer(org_id.as_str());
        let world = Self {
            harness,
            client,
            store,
            org_id,
            customer_id,
        };
        world.subscribe().await;
        world
    }

    fn account(&self) -> &FakeStripe {
        self.harness.stripe().unwrap().account()
    }

    async fn subscribe(&self) {
        let found = self.store.find_organization(&self.org_id).await;
        let mut organization = found.unwrap().unwrap();
        organization.value.stripe_customer_id = Some(self.customer_id.clone());
        let write = organizations::replace(&organization).unwrap();
        self.store.commit(vec![write]).await.unwrap();
        let prices = self.account().objects("price");
        let mut prices = prices.iter();
        let price = prices.find(|price| price["lookup_key"] == "pro_monthly");
        let price = price.unwrap()["id"].as_str().unwrap();
        let _ = self.account().subscribe(&self.customer_id, &[price]);
        self.harness.stripe().unwrap().tell().await.unwrap();
        eventually(async || {
            let organization = self.client.get("/organization").await.unwrap();
            (organization["subscriptionTier"] == "pro").then_some(())
        })
        .await;
    }

    /// Calls of this month that were settled before.
    async fn have_used(&self, tokens: i64) {
        let now = Timestamp::from(SystemClock.now());
        let (id, day) = (RecordId::generate(), organizations::day_of(now));
        let entry = UsageEntry {
            input_tokens: tokens,
            output_tokens: 0,
            meter: Some(Metering::Pending),
            ..usage_entry(id, self.org_id.clone(), &day, now)
        };
        let write = usage_ledger::create(&entry).unwrap();
        self.store.commit(vec![write]).await.unwrap();
    }

    /// Asks a model; the tokens that it took.
    async fn ask(&self) -> i64 {
        let message = json!({ "role": "user", "content": "Hello" });
        let question = json!({ "model": "gpt-4.1-mini", "messages": [message] });
        let path = "/llm/chat/completions";
        let answer: Value = self.client.post(path, &question).await.unwrap();
        answer["usage"]["total_tokens"].as_i64().unwrap()
    }

    async fn post(&self, path: &str) -> Value {
        let api_url = &self.harness.endpoints().api_url;
        let url = format!("{api_url}/functions/handle-stripe-webhook{path}");
        let answer = http_client().unwrap().post(url).send().await.unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    }

    /// What the meter has counted, once it has counted so many calls.
    async fn counted(&self, calls: usize) -> Vec<(String, i64)> {
        eventually(async || {
            let events = self.account().meter_events();
            let events = events
                .into_iter()
                .map(|event| (event.customer_id, event.value));
            let events: Vec<_> = events.collect();
            (events.len() >= calls).then_some(events)
        })
        .await
    }
}

#[tokio::test]
async fn usage_above_the_included_amount_arrives_at_the_meter_once() {
    let world = World::start().await;
    let included = Plan::of(shared::models::SubscriptionTier::Pro).included_tokens;
    world.have_used(included).await;
    let mut expected = Vec::new();
    for calls in 1..=3 {
        let tokens = world.ask().await;
        assert!(tokens > 0);
        expected.push((world.customer_id.clone(), tokens));
        assert_eq!(world.counted(calls).await, expected);
    }
    for _ in 0..3 {
        world.post("/meter").await;
    }
    assert_eq!(world.counted(3).await, expected, "later runs send nothing");
    let reconciled = world.post("/reconcile-usage").await;
    assert_eq!(reconciled["failed"], 0, "{reconciled}");
    assert_eq!(world.account().problems(), [""; 0]);
    world.harness.stop().await;
}
