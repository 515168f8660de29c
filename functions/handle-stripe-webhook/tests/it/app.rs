use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
};
use handle_stripe_webhook::{AppState, ProductTiers, WebhookConfig, router};
use http::{HeaderMap, Request, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::{
    clock::Clock,
    http::ServiceCallers,
    ids::{OrgId, RecordId, Uid},
    models::{
        Organization, Role, StripeEvent, SubscriptionTier, SystemPrincipal, Timestamp, User,
        UserSettings,
    },
    queue::Task,
    store::{Store, organizations, users},
    stripe::Billing,
    testing::{
        FixedClock, MemoryDb, RecordingQueue, TestServiceVerifier, memory_store, stripe_signature,
        trail,
    },
};
use tower::ServiceExt;

use crate::told_stripe::ToldStripe;

/// Events after which a customer's subscriptions may differ.
pub(crate) const SUBSCRIPTION_KINDS: [&str; 8] = [
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
    "invoice.paid",
    "invoice.payment_failed",
];

pub(crate) const SECRET: &str = "whsec_test_1";
pub(crate) const NOW: &str = "2026-11-23T12:00:00Z";

pub(crate) const CALLER: SystemPrincipal = SystemPrincipal { function: "test" };

/// The function on fakes, with an organization `o1` on the free tier.
pub(crate) struct TestApp {
    pub(crate) db: Arc<MemoryDb>,
    pub(crate) stripe: Arc<ToldStripe>,
    pub(crate) queue: Arc<RecordingQueue>,
    pub(crate) store: Store,
    pub(crate) clock: FixedClock,
    pub(crate) router: Router,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl TestApp {
    pub(crate) async fn new() -> Self {
        Self::with_secrets(vec![
            SecretString::from("whsec_rolled"),
            SecretString::from(SECRET),
        ])
        .await
    }

    pub(crate) async fn with_secrets(secrets: Vec<SecretString>) -> Self {
        let (store, db) = memory_store();
        let stripe = Arc::new(ToldStripe::default());
        let queue = Arc::new(RecordingQueue::new());
        let clock = FixedClock::at(NOW);
        let router = function(&store, &queue, &clock, stripe.clone(), secrets);
        let app = Self {
            db,
            stripe,
            queue,
            store,
            clock,
            router,
        };
        app.add_organization("o1", None).await;
        app
    }

    /// An app whose organization pays as `cus_1`.
    pub(crate) async fn with_customer() -> Self {
        let app = Self::new().await;
        let mut organization = app.organization("o1").await.unwrap();
        organization.value.stripe_customer_id = Some("cus_1".to_owned());
        let write = organizations::replace(&organization).unwrap();
        app.store.commit(vec![write]).await.unwrap();
        app
    }

    pub(crate) async fn add_organization(&self, id: &str, customer: Option<&str>) {
        let id = OrgId::parse(id).unwrap();
        let organization = Organization {
            stripe_customer_id: customer.map(str::to_owned),
            ..Organization::new(id, "Ada".to_owned(), self.now())
        };
        let write = organizations::create(&organization).unwrap();
        self.store.commit(vec![write]).await.unwrap();
    }

    pub(crate) async fn organization(
        &self,
        id: &str,
    ) -> Option<shared::store::Versioned<Organization>> {
        self.store
            .find_organization(&OrgId::parse(id).unwrap())
            .await
            .unwrap()
    }

    pub(crate) async fn tier(&self) -> SubscriptionTier {
        self.organization("o1")
            .await
            .unwrap()
            .value
            .subscription_tier
    }

    /// Sends the event as Stripe does.
    pub(crate) async fn deliver(&self, event: &Value) -> Answer {
        let body = event.to_string();
        let now = self.clock.now().as_second();
        let signature = stripe_signature(SECRET, now, body.as_bytes());
        self.send(signed(&signature, body)).await
    }

    /// Sends the event and expects it to be taken in.
    pub(crate) async fn receipt(&self, event: &Value) -> String {
        let answer = self.deliver(event).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["outcome"].as_str().unwrap().to_owned()
    }

    /// Sends the event, has the queue bring what it holds, and tells what has become of the event.
    pub(crate) async fn outcome(&self, event: &Value) -> String {
        let receipt = self.receipt(event).await;
        if receipt != "queued" {
            return receipt;
        }
        self.drain().await;
        self.state(event["id"].as_str().unwrap()).await
    }

    /// Has the queue bring what it holds, and expects it to be acknowledged.
    pub(crate) async fn drain(&self) {
        loop {
            let tasks = self.queue.take();
            if tasks.is_empty() {
                return;
            }
            for task in tasks {
                let status = self.bring(&task).await;
                assert!(status.is_success(), "{task:?}: {status}");
            }
        }
    }

    /// Brings a task as the queue does.
    pub(crate) async fn bring(&self, task: &Task) -> StatusCode {
        let body = task.work.to_body().unwrap();
        self.send(called(task.work.path(), body)).await.status
    }

    pub(crate) async fn sweep(&self) -> Answer {
        self.send(called("/sweep", "")).await
    }

    pub(crate) async fn event(&self, id: &str) -> Option<StripeEvent> {
        let id = RecordId::parse(id).unwrap();
        let found = self.store.find_stripe_event(&CALLER, &id).await.unwrap();
        found.map(|found| found.value)
    }

    /// What has become of the event.
    pub(crate) async fn state(&self, id: &str) -> String {
        let event = self.event(id).await.unwrap();
        let state = serde_json::to_value(event.state).unwrap();
        state.as_str().unwrap().to_owned()
    }

    pub(crate) async fn set_tier(&self, tier: SubscriptionTier) {
        let mut organization = self.organization("o1").await.unwrap();
        organization.value.subscription_tier = tier;
        let write = organizations::replace(&organization).unwrap();
        self.store.commit(vec![write]).await.unwrap();
    }

    pub(crate) async fn add_member(&self, uid: &str, role: Role) {
        let user = User {
            uid: Uid::parse(uid).unwrap(),
            email: Some(format!("{uid}@example.com")),
            role,
            organization_id: OrgId::parse("o1").unwrap(),
            created_at: self.now(),
            settings: UserSettings::default(),
            disabled: false,
            tokens_valid_after: None,
        };
        self.store
            .commit(vec![users::create(&user).unwrap()])
            .await
            .unwrap();
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now().into()
    }

    /// How many tier changes were recorded.
    pub(crate) fn audits(&self) -> usize {
        self.db.count("audit_logs")
    }
}

/// The function on the ports of a test.
pub(crate) fn function(
    store: &Store,
    queue: &Arc<RecordingQueue>,
    clock: &FixedClock,
    billing: Arc<dyn Billing>,
    secrets: Vec<SecretString>,
) -> Router {
    let webhook = WebhookConfig {
        secrets,
        livemode: false,
        product_tiers: ProductTiers::new(),
    };
    router(AppState::with_ports(
        store.clone(),
        trail(store),
        billing,
        queue.shared(),
        clock.shared(),
        webhook,
        ServiceCallers::verified_by(Arc::new(TestServiceVerifier)),
    ))
}

pub(crate) fn signed(signature: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/").header("stripe-signature", signature);
    request
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap()
}

/// A request of the queue or the scheduler.
pub(crate) fn called(path: &str, body: impl Into<Body>) -> Request<Body> {
    let token = format!("Bearer {}", TestServiceVerifier::EXPECTED);
    let request = Request::post(path).header("authorization", token);
    request.body(body.into()).unwrap()
}

/// An event about the subscription of `cus_1`.
pub(crate) fn subscription_event(id: &str, kind: &str) -> Value {
    event(
        id,
        kind,
        &json!({ "id": "sub_1", "object": "subscription", "customer": "cus_1" }),
    )
}

/// A paid checkout of `customer`, made for `org_id` by our server.
pub(crate) fn checkout(id: &str, customer: &str, org_id: &str) -> Value {
    let session = json!({
        "id": "cs_1",
        "object": "checkout.session",
        "mode": "subscription",
        "customer": customer,
        "subscription": "sub_1",
        "client_reference_id": org_id,
        "metadata": { "orgId": org_id },
    });
    event(id, "checkout.session.completed", &session)
}

pub(crate) fn event(id: &str, kind: &str, object: &Value) -> Value {
    json!({
        "id": id,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1_795_427_037,
        "livemode": false,
        "type": kind,
        "data": { "object": object },
    })
}
