//! A subscription changes while people work: what they may do follows within seconds, and agents
//! above the limit rest.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::State, routing::get};
use emulator_tests::{
    Harness, HarnessOptions,
    client::{Client, http_client, send},
};
use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    clock::{Clock, SystemClock},
    config::{Env, ServiceConfig},
    models::Limits,
    store::{Store, firestore::Firestore, organizations},
    testing::stripe_signature,
};
use tokio::net::TcpListener;

use super::{PATIENCE, agent};

/// Stripe, which has one customer with one subscription.
#[derive(Clone)]
struct Stripe {
    url: String,
    price: Arc<Mutex<&'static str>>,
}

impl Stripe {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stripe = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            price: Arc::new(Mutex::new("starter")),
        };
        let router = Router::new()
            .route("/v1/subscriptions", get(list))
            .with_state(stripe.clone());
        #[expect(clippy::disallowed_methods, reason = "the server runs beside the test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        stripe
    }

    fn sell(&self, price: &'static str) {
        *self.price.lock().unwrap() = price;
    }
}

async fn list(State(stripe): State<Stripe>) -> Json<Value> {
    let price = *stripe.price.lock().unwrap();
    let subscription = json!({
        "id": "sub_1",
        "object": "subscription",
        "status": "active",
        "created": 1_795_694_400,
        "items": { "object": "list", "has_more": false, "data": [{
            "id": "si_1",
            "price": {
                "id": "price_1",
                "product": "prod_1",
                "lookup_key": price,
                "recurring": { "usage_type": "licensed" },
            },
        }] },
    });
    let url = "/v1/subscriptions";
    Json(json!({ "object": "list", "url": url, "has_more": false, "data": [subscription] }))
}

/// A user whose organization pays as `cus_1`.
struct World {
    harness: Harness,
    stripe: Stripe,
    client: Client,
    store: Store,
}

impl World {
    async fn start() -> Self {
        let stripe = Stripe::start().await;
        let options = HarnessOptions {
            env: Env::from_pairs([
                ("STRIPE_API_BASE_URL", stripe.url.as_str()),
                ("STRIPE_API_KEY", "sk_test_1"),
                ("STRIPE_WEBHOOK_SECRETS", "whsec_local"),
            ]),
            ..HarnessOptions::default()
        };
        let harness = Harness::start(options).await.unwrap();
        let client = Client::sign_up(harness.endpoints()).await.unwrap();
        let firestore = Firestore::new(&ServiceConfig::load(harness.env()).unwrap());
        let store = Store::new(Arc::new(firestore));
        Self {
            harness,
            stripe,
            client,
            store,
        }
    }

    async fn change_organization(&self, customer: Option<&str>, agents: Option<i64>) {
        let id = self.client.get("/organization").await.unwrap()["id"].clone();
        let id = id.as_str().unwrap().parse().unwrap();
        let mut organization = self.store.find_organization(&id).await.unwrap().unwrap();
        organization.value.stripe_customer_id = customer.map(str::to_owned);
        organization.value.limits = Limits {
            agents,
            ..Limits::default()
        };
        let write = organizations::replace(&organization).unwrap();
        self.store.commit(vec![write]).await.unwrap();
    }

    /// Has Stripe sell another plan and send the event of it.
    async fn sell(&self, id: &str, price: &'static str) {
        self.stripe.sell(price);
        let event = json!({
            "id": id,
            "object": "event",
            "type": "customer.subscription.updated",
            "livemode": false,
            "data": { "object": { "id": "sub_1", "customer": "cus_1" } },
        });
        let (body, time) = (event.to_string(), SystemClock.now().as_second());
        let signature = stripe_signature("whsec_local", time, body.as_bytes());
        let url = format!("{}/webhooks/stripe", self.harness.endpoints().api_url);
        let request = http_client().unwrap().post(url).body(body);
        let request = request.header("stripe-signature", signature);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }

    async fn create_agent(&self) -> StatusCode {
        let request = self.client.request(Method::POST, "/agents/create");
        send(request.json(&agent())).await.unwrap().status
    }

    async fn deploy_agents(&self) {
        for agent in self.agents().await {
            let id = agent["id"].as_str().unwrap();
            let deploy = json!({ "agentId": id });
            self.client.call("deployAgent", deploy).await.unwrap();
        }
    }

    async fn agents(&self) -> Vec<Value> {
        let agents = self.client.get("/agents?limit=100").await.unwrap();
        agents["items"].as_array().unwrap().clone()
    }

    async fn at_work(&self) -> usize {
        let agents = self.agents().await;
        agents
            .iter()
            .filter(|agent| agent["status"] == "active")
            .count()
    }

    /// Asks until it is so; a hang is a failure.
    async fn until<F: Future<Output = bool>>(&self, is_so: impl Fn() -> F) {
        let look = async {
            let mut interval = tokio::time::interval(std::time::Duration::from_millis(20));
            while !is_so().await {
                interval.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_works_at_once_and_a_downgrade_pauses_what_is_above() {
    let world = World::start().await;
    world.change_organization(Some("cus_1"), None).await;
    assert_eq!(world.create_agent().await, StatusCode::CREATED);
    assert_eq!(world.create_agent().await, StatusCode::TOO_MANY_REQUESTS);

    world.sell("evt_1", "pro_monthly").await;
    world
        .until(async || world.create_agent().await == StatusCode::CREATED)
        .await;
    assert_eq!(world.create_agent().await, StatusCode::CREATED);
    world.deploy_agents().await;
    assert_eq!(world.at_work().await, 3);

    world.sell("evt_2", "starter").await;
    world.until(async || world.at_work().await == 1).await;
    let agents = world.agents().await;
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

    world.sell("evt_3", "pro_monthly").await;
    world.until(async || world.at_work().await == 3).await;
    world.harness.stop().await;
}

/// P10 on the embedded Firestore.
#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_creators_exactly_as_many_succeed_as_the_limit_allows() {
    let world = World::start().await;
    let mut before = 0;
    for (limit, creators) in [(1, 20), (5, 50), (10, 200)] {
        world.change_organization(None, Some(limit)).await;
        let statuses = join_all((0..creators).map(|_| world.create_agent())).await;
        let count = |status| statuses.iter().filter(|one| **one == status).count();
        let made = count(StatusCode::CREATED);
        let room = usize::try_from(limit).unwrap() - before;
        assert_eq!(made, room, "{limit} {creators}");
        assert_eq!(
            made + count(StatusCode::TOO_MANY_REQUESTS),
            creators,
            "no other answer"
        );
        before += made;
        assert_eq!(world.agents().await.len(), before);
    }
    world.harness.stop().await;
}
