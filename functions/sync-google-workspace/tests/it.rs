//! `sync-google-workspace` through its router, on fakes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::future::join_all;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use shared::{
    http::ServiceCallers,
    ids::{IntegrationId, OrgId, Uid},
    models::{Integration, IntegrationService, IntegrationStatus, ProcessedEvent, RenewalLease},
    store::{Store, integrations},
    testing::{
        FixedClock, MemoryDb, TestServiceVerifier, assert_no_page_may_call,
        assert_security_headers, memory_store,
    },
};
use sync_google_workspace::{AppState, router};
use tower::ServiceExt;

struct TestApp {
    router: Router,
    store: Store,
    db: Arc<MemoryDb>,
}

impl TestApp {
    fn new() -> Self {
        Self::called_by(ServiceCallers::unchecked())
    }

    fn called_by(callers: ServiceCallers) -> Self {
        let (store, db) = memory_store();
        let clock = FixedClock::at("2026-11-23T12:00:00Z").shared();
        let router = router(AppState::with_ports(store.clone(), clock, callers));
        Self { router, store, db }
    }

    /// With integration `i1` of organization `o1`.
    async fn with_integration(service: IntegrationService, status: IntegrationStatus) -> Self {
        let app = Self::new();
        app.add("i1", service, status).await;
        app
    }

    async fn add(&self, id: &str, service: IntegrationService, status: IntegrationStatus) {
        let integration = Integration {
            id: IntegrationId::parse(id).unwrap(),
            org_id: OrgId::parse("o1").unwrap(),
            owner_uid: Uid::parse("u1").unwrap(),
            service,
            account_label: "a…@example.com".to_owned(),
            is_of_key: false,
            credentials: "sealed".into(),
            status,
            error_cause: None,
            last_sync: None,
            granted_scopes: Vec::new(),
            renewal: RenewalLease::default(),
            shares_knowledge: false,
        };
        self.store
            .commit(integrations::create(&integration).unwrap().into())
            .await
            .unwrap();
    }

    async fn post(&self, body: impl Into<Body>) -> (StatusCode, Value) {
        let request = Request::post("/").header("content-type", "application/json");
        let request = request.body(body.into()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }

    async fn push(&self, push: &Value) -> u16 {
        self.post(push.to_string()).await.0.as_u16()
    }

    /// The one record of a handled message.
    fn record(&self) -> ProcessedEvent {
        let documents = self.db.documents("idempotency/");
        assert_eq!(documents.len(), 1);
        shared::store::decode(&documents[0]).unwrap()
    }
}

fn push(id: &str, attributes: Value, data: &str) -> Value {
    json!({
        "subscription": "projects/p/subscriptions/workspace-sync",
        "message": {
            "messageId": id,
            "publishTime": "2026-11-23T11:59:59Z",
            "attributes": attributes,
            "data": STANDARD.encode(data),
        },
    })
}

fn tick(id: &str) -> Value {
    push(id, json!({ "kind": "tick" }), "{}")
}

fn due(id: &str, org_id: &str, integration_id: &str) -> Value {
    let data = json!({ "integrationId": integration_id, "orgId": org_id }).to_string();
    push(id, json!({ "kind": "integration" }), &data)
}

#[tokio::test]
async fn a_tick_is_recorded() {
    let app = TestApp::new();
    assert_eq!(app.push(&tick("m1")).await, 204);
    let record = app.record();
    assert_eq!(record.source, "projects/p/subscriptions/workspace-sync");
    assert_eq!((record.event_id.as_str(), record.failure), ("m1", None));
    assert_eq!(
        record.expires_at,
        record.processed_at.plus_seconds(31 * 86_400)
    );
}

#[tokio::test]
async fn a_tick_over_more_than_one_page_comes_to_an_end() {
    let app = TestApp::new();
    for number in 0..601 {
        let (google, connected) = (IntegrationService::Google, IntegrationStatus::Connected);
        app.add(&format!("i{number}"), google, connected).await;
    }
    assert_eq!(app.push(&tick("m1")).await, 204);
}

#[tokio::test]
async fn a_due_integration_is_recorded() {
    let (google, connected) = (IntegrationService::Google, IntegrationStatus::Connected);
    let app = TestApp::with_integration(google, connected).await;
    assert_eq!(app.push(&due("m1", "o1", "i1")).await, 204);
    assert_eq!(app.record().failure, None);
}

#[tokio::test]
async fn what_cannot_be_synced_is_given_up_with_the_reason() {
    let (google, connected) = (IntegrationService::Google, IntegrationStatus::Connected);
    let table = [
        (
            google,
            connected,
            due("m1", "o1", "i2"),
            "no such integration",
        ),
        (
            google,
            connected,
            due("m1", "o2", "i1"),
            "no such integration",
        ),
        (
            IntegrationService::Github,
            connected,
            due("m1", "o1", "i1"),
            "not Google Workspace",
        ),
        (
            google,
            IntegrationStatus::Error,
            due("m1", "o1", "i1"),
            "not connected",
        ),
    ];
    for (service, status, message, reason) in table {
        let app = TestApp::with_integration(service, status).await;
        assert_eq!(app.push(&message).await, 204, "{message}");
        let failure = app.record().failure.unwrap();
        assert!(failure.contains(reason), "{failure}");
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_given_up_with_the_reason() {
    let integration = json!({ "kind": "integration" });
    let table = [
        (push("m1", json!({}), "x"), "`kind`"),
        (push("m1", json!({ "kind": "other" }), "{}"), "`kind`"),
        (push("m1", json!({ "Kind": "tick" }), "{}"), "`kind`"),
        (push("m1", integration.clone(), ""), "integrationId"),
        (push("m1", integration.clone(), "{"), "integrationId"),
        (
            push("m1", integration.clone(), r#"["i1","o1"]"#),
            "expected a map",
        ),
        (
            push("m1", integration.clone(), r#"{"orgId":"o1"}"#),
            "missing field `integrationId`",
        ),
        (
            push(
                "m1",
                integration.clone(),
                r#"{"integrationId":"i1","orgId":"a/b"}"#,
            ),
            "an identifier has",
        ),
        (
            push(
                "m1",
                integration,
                r#"{"integrationId":"i1","orgId":"o1","x":1}"#,
            ),
            "unknown field `x`",
        ),
    ];
    for (message, reason) in table {
        let app = TestApp::new();
        assert_eq!(app.push(&message).await, 204, "{message}");
        let failure = app.record().failure.unwrap();
        assert!(failure.contains(reason), "{failure}");
    }
}

#[tokio::test]
async fn what_is_no_push_is_refused_and_not_recorded() {
    let mut nameless = tick("m1");
    nameless["message"]["messageId"] = json!("");
    let mut broken = tick("m1");
    broken["message"]["data"] = json!("not base64!");
    let table = [
        (String::new(), "body"),
        ("{".to_owned(), "body"),
        ("[]".to_owned(), "body"),
        ("{}".to_owned(), "message"),
        (json!({ "message": {} }).to_string(), "subscription"),
        (nameless.to_string(), "message.messageId"),
        (broken.to_string(), "message.data"),
    ];
    let app = TestApp::new();
    for (body, field) in table {
        let (status, answer) = app.post(body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer["error"]["code"], "invalid_argument", "{body}");
        assert_eq!(
            answer["error"]["details"]["fields"][0]["field"], field,
            "{body}"
        );
    }
    assert_eq!(app.db.commits().len(), 0);
}

#[tokio::test]
async fn a_repeat_changes_nothing() {
    let app = TestApp::new();
    for message in [tick("m1"), due("m2", "o1", "i9")] {
        assert_eq!(app.push(&message).await, 204);
        let commits = app.db.commits().len();
        assert_eq!(app.push(&message).await, 204);
        assert_eq!(app.db.commits().len(), commits);
    }
}

#[tokio::test]
async fn parallel_deliveries_are_recorded_once() {
    let app = TestApp::new();
    let message = tick("m1");
    let statuses = join_all((0..10).map(|_| app.push(&message))).await;
    assert_eq!(statuses, [204; 10]);
    assert_eq!(app.db.commits().len(), 1);
}

#[tokio::test]
async fn the_same_id_of_another_subscription_is_another_message() {
    let app = TestApp::new();
    let mut other = tick("m1");
    other["subscription"] = json!("projects/p/subscriptions/other");
    app.push(&tick("m1")).await;
    app.push(&other).await;
    assert_eq!(app.db.count("idempotency"), 2);
}

#[tokio::test]
async fn connected_google_integrations_are_listed_by_page() {
    let app = TestApp::new();
    let (google, connected) = (IntegrationService::Google, IntegrationStatus::Connected);
    app.add("x1", IntegrationService::Github, connected).await;
    app.add("x2", google, IntegrationStatus::Error).await;
    for number in 0..5 {
        app.add(&format!("i{number}"), google, connected).await;
    }
    let caller = shared::models::SystemPrincipal { function: "test" };
    let mut page = shared::store::Page {
        limit: 2,
        after: None,
    };
    let mut ids = Vec::new();
    loop {
        let listing = app
            .store
            .list_active_google_integrations(&caller, &page)
            .await
            .unwrap();
        ids.extend(
            listing
                .items
                .into_iter()
                .map(|integration| integration.id.to_string()),
        );
        page.after = listing.next;
        if page.after.is_none() {
            break;
        }
    }
    assert_eq!(ids, ["i0", "i1", "i2", "i3", "i4"]);
}

#[tokio::test]
async fn the_database_down_is_told_and_redelivery_completes() {
    let app = TestApp::new();
    app.db.fail_all(true);
    assert_eq!(app.push(&tick("m1")).await, 503);
    app.db.fail_all(false);
    app.db.fail_next_commits(1, false);
    assert_eq!(app.push(&tick("m1")).await, 503);
    assert_eq!(app.db.count("idempotency"), 0);
    app.db.fail_next_commits(1, true);
    assert_eq!(app.push(&tick("m1")).await, 503);
    assert_eq!(app.push(&tick("m1")).await, 204);
    assert_eq!(app.record().event_id, "m1");
}

#[tokio::test]
async fn only_an_expected_service_account_may_push() {
    let app = TestApp::called_by(ServiceCallers::verified_by(Arc::new(TestServiceVerifier)));
    let rows = [
        ("", 401),
        ("Bearer forged", 401),
        (&format!("Bearer {}", TestServiceVerifier::FOREIGN), 403),
        (&format!("Bearer {}", TestServiceVerifier::UNDECIDED), 503),
        (&format!("Bearer {}", TestServiceVerifier::EXPECTED), 204),
    ];
    for (authorization, status) in rows {
        let request = Request::post("/").header("authorization", authorization);
        let request = request.body(Body::from(tick("1").to_string())).unwrap();
        let response = app.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{authorization}");
        let recorded = usize::from(status == 204);
        assert_eq!(app.db.count("idempotency"), recorded, "{authorization}");
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_of_helmet() {
    let post = |body: String| Request::post("/").body(Body::from(body)).unwrap();
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let requests = [
        (post(tick("1").to_string()), 204),
        (post(String::new()), 400),
        (get("/"), 405),
        (get("/nowhere"), 404),
        (post("x".repeat(1_000_001)), 413),
        (get("/healthz"), 200),
    ];
    let app = TestApp::new();
    for (request, status) in requests {
        let response = app.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert_security_headers(response.headers(), status);
    }
    app.db.fail_all(true);
    let request = post(tick("2").to_string());
    let response = app.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_security_headers(response.headers(), 503);
}

#[tokio::test]
async fn no_page_may_call() {
    assert_no_page_may_call(&TestApp::new().router, &["/"]).await;
}
