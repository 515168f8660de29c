//! A subscription changes while people work: what they may do follows at once, and agents above the
//! limit rest.

use std::{collections::BTreeMap, sync::Arc};

use emulator_tests::{
    Harness, HarnessOptions,
    client::{Client, send},
    stubs::tasks::Counts,
};
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    config::ServiceConfig,
    store::{Store, firestore::Firestore, organizations},
};

use super::{PATIENCE, agent, billing::press, start};

const PAGE: &str = "http://localhost:5173/billing";

/// A user of a product in which nothing happens by itself: no sweeper looks, no schedule is due.
struct World {
    harness: Harness,
    client: Client,
}

impl World {
    async fn start() -> Self {
        let options = HarnessOptions {
            is_unscheduled: true,
            ..HarnessOptions::default()
        };
        let harness = Harness::start(options).await.unwrap();
        let client = Client::sign_up(harness.endpoints()).await.unwrap();
        Self { harness, client }
    }

    /// Buys a plan on Stripe's page, which tells its events.
    async fn buy(&self, tier: &str) {
        let order = json!({ "tier": tier, "successUrl": PAGE, "cancelUrl": PAGE });
        let page = self.client.post("/billing/checkout-session", &order).await;
        press(page.unwrap()["url"].as_str().unwrap()).await;
        self.drain().await;
    }

    /// Ends at Stripe what was bought.
    async fn end(&self) {
        let stripe = self.harness.stripe().unwrap();
        let subscriptions = stripe.account().objects("subscription");
        let id = subscriptions[0]["id"].as_str().unwrap();
        stripe.account().set_status(id, "canceled");
        stripe.tell().await.unwrap();
        self.drain().await;
    }

    /// Returns when the queue has brought what it holds; a hang is a failure.
    async fn drain(&self) {
        let tasks = self.harness.tasks().unwrap();
        let idle = tasks.wait_for(Counts::is_idle);
        tokio::time::timeout(PATIENCE, idle).await.unwrap();
    }

    async fn deploy_agents(&self) {
        for agent in agents(&self.client).await {
            let id = agent["id"].as_str().unwrap();
            let deploy = json!({ "agentId": id });
            self.client.call("deployAgent", deploy).await.unwrap();
        }
    }

    async fn at_work(&self) -> usize {
        let agents = agents(&self.client).await;
        agents
            .iter()
            .filter(|agent| agent["status"] == "active")
            .count()
    }
}

async fn create_agent(client: &Client) -> StatusCode {
    let request = client.request(Method::POST, "/agents/create");
    send(request.json(&agent())).await.unwrap().status
}

async fn agents(client: &Client) -> Vec<Value> {
    let agents = client.get("/agents?limit=100").await.unwrap();
    agents["items"].as_array().unwrap().clone()
}

/// An upgrade is to work within 5 s. What is shown is that nothing on the way has a time: Stripe's
/// event makes a task, and as soon as that is done the next request is allowed.
#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_works_at_once_and_a_downgrade_pauses_what_is_above() {
    let world = World::start().await;
    assert_eq!(create_agent(&world.client).await, StatusCode::CREATED);
    let refused = create_agent(&world.client).await;
    assert_eq!(refused, StatusCode::TOO_MANY_REQUESTS);

    world.buy("pro").await;
    for _ in 0..2 {
        assert_eq!(create_agent(&world.client).await, StatusCode::CREATED);
    }
    world.deploy_agents().await;
    assert_eq!(world.at_work().await, 3);

    world.end().await;
    assert_eq!(world.at_work().await, 1);
    let agents = agents(&world.client).await;
    let oldest = agents
        .iter()
        .find(|agent| agent["status"] == "active")
        .unwrap();
    let first = agents
        .iter()
        .min_by_key(|agent| agent["createdAt"].to_string());
    assert_eq!(Some(oldest), first);
    let suspended = agents.iter().find(|agent| agent["suspension"].is_object());
    let path = format!(
        "/agents/{}/resume",
        suspended.unwrap()["id"].as_str().unwrap()
    );
    let refused = send(world.client.request(Method::POST, &path))
        .await
        .unwrap();
    assert_eq!(refused.error_code(), "resource_exhausted");

    world.buy("pro").await;
    assert_eq!(world.at_work().await, 3);
    world.harness.stop().await;
}

/// An organization that may have so many agents.
async fn organization_with_limit(harness: &Harness, store: &Store, limit: usize) -> Client {
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let id = client.get("/organization").await.unwrap()["id"].clone();
    let id = id.as_str().unwrap().parse().unwrap();
    let mut organization = store.find_organization(&id).await.unwrap().unwrap();
    organization.value.limits.agents = i64::try_from(limit).ok();
    let write = organizations::replace(&organization).unwrap();
    store.commit(vec![write]).await.unwrap();
    client
}

/// P10 on the embedded Firestore; `functions/api/tests/it/agents.rs` has more rounds of it.
#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_creators_exactly_as_many_succeed_as_the_limit_allows() {
    let harness = start().await;
    let firestore = Firestore::new(&ServiceConfig::load(harness.env()).unwrap());
    let store = Store::new(Arc::new(firestore));
    for limit in [1, 5] {
        for creators in [20, 50, 200] {
            let client = organization_with_limit(&harness, &store, limit).await;
            let statuses = join_all((0..creators).map(|_| create_agent(&client))).await;
            let mut counts = BTreeMap::new();
            for status in statuses {
                *counts.entry(status.as_u16()).or_insert(0) += 1;
            }
            let expected = BTreeMap::from([(201, limit), (429, creators - limit)]);
            assert_eq!(counts, expected, "{limit} {creators}");
            assert_eq!(agents(&client).await.len(), limit, "{limit} {creators}");
        }
    }
    harness.stop().await;
}
