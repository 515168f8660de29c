//! `on-user-create` through its router, on fakes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use axum::{Router, body::Body};
use http::Request;
use on_user_create::{AppState, router};
use serde_json::{Value, json};
use shared::{
    email::Error,
    http::ServiceCallers,
    models::{
        Invitation, OutboxRow, OutboxState, Role, SubscriptionTier, SystemPrincipal, Timestamp,
        User,
    },
    outbox::Dispatcher,
    store::{Store, decode, invitations, users},
    testing::{
        FixedClock, MemoryDb, RecordingMailer, TestServiceVerifier, assert_no_page_may_call,
        assert_security_headers, invitation_links, memory_store, trail,
    },
};
use tower::ServiceExt;

const NOW: &str = "2026-11-23T12:00:00Z";
const USER_CREATED: &str = "google.firebase.auth.user.v2.created";

struct TestApp {
    router: Router,
    store: Store,
    db: Arc<MemoryDb>,
    mailer: Arc<RecordingMailer>,
    clock: FixedClock,
}

impl TestApp {
    fn new() -> Self {
        Self::called_by(ServiceCallers::unchecked())
    }

    fn called_by(callers: ServiceCallers) -> Self {
        let (store, db) = memory_store();
        let mailer = Arc::new(RecordingMailer::new());
        let clock = FixedClock::at(NOW);
        let state = AppState::with_ports(
            store.clone(),
            trail(&store),
            mailer.clone(),
            invitation_links(),
            clock.shared(),
            callers,
        );
        Self {
            router: router(state),
            store,
            db,
            mailer,
            clock,
        }
    }

    async fn send(&self, request: Request<Body>) -> u16 {
        self.router
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .status()
            .as_u16()
    }

    /// Delivers the sign-up of `ada@example.com`.
    async fn deliver(&self) -> u16 {
        self.send(binary(&ada())).await
    }

    /// How many users, organizations, audit records and rows of the outbox there are.
    fn counts(&self) -> [usize; 4] {
        ["users", "organizations", "audit_logs", "outbox"].map(|name| self.db.count(name))
    }

    fn outbox_row(&self) -> OutboxRow {
        let rows = self.db.documents("outbox/");
        assert_eq!(rows.len(), 1);
        decode(&rows[0]).unwrap()
    }
}

fn ada() -> Value {
    json!({ "value": {
        "uid": "u1",
        "email": "Ada@Example.com",
        "emailVerified": false,
        "displayName": "Ada",
        "metadata": { "createTime": "2026-11-23T11:59:59Z" },
        "providerData": [{ "uid": "ada@example.com", "providerId": "password" }],
    } })
}

/// An event as Eventarc delivers it: attributes in headers.
fn binary(data: &Value) -> Request<Body> {
    Request::post("/")
        .header("ce-specversion", "1.0")
        .header("ce-id", "e1")
        .header("ce-source", "//firebaseauth.googleapis.com/projects/demo-p")
        .header("ce-type", USER_CREATED)
        .header("ce-subject", "users/u1")
        .header("content-type", "application/json")
        .body(Body::from(data.to_string()))
        .unwrap()
}

/// An event as the Auth emulator delivers it: all in one JSON object.
fn structured(data: &Value) -> Request<Body> {
    let event = json!({
        "specversion": "1.0",
        "id": "e1",
        "source": "//identitytoolkit.googleapis.com/projects/demo-p",
        "type": USER_CREATED,
        "subject": "users/u1",
        "data": data,
    });
    Request::post("/")
        .header("content-type", "application/cloudevents+json")
        .body(Body::from(event.to_string()))
        .unwrap()
}

fn with_header(name: &'static str, value: &'static str) -> Request<Body> {
    let mut request = binary(&ada());
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

fn without_header(name: &str) -> Request<Body> {
    let mut request = binary(&ada());
    request.headers_mut().remove(name);
    request
}

#[tokio::test]
async fn a_new_user_gets_a_document_an_organization_and_a_welcome() {
    let app = TestApp::new();
    assert_eq!(app.deliver().await, 204);
    let user = app
        .store
        .find_user(&"u1".parse().unwrap())
        .await
        .unwrap()
        .unwrap()
        .value;
    assert_eq!(user.email.as_deref(), Some("ada@example.com"));
    assert_eq!(user.role, Role::Admin);
    let organization = app
        .store
        .find_organization(&user.organization_id)
        .await
        .unwrap();
    let organization = organization.unwrap().value;
    assert_eq!(organization.name, "Ada's organization");
    assert_eq!(organization.subscription_tier, SubscriptionTier::Free);
    assert_eq!(app.counts(), [1; 4]);
    assert_eq!(app.mailer.sent().len(), 1);
    assert_eq!(app.outbox_row().state, OutboxState::Sent);
}

/// Has a member of `o1`, which nobody else is in, invite `ada@example.com`.
async fn invite(app: &TestApp) {
    let now: Timestamp = app.clock.shared().now().into();
    let inviter = User {
        uid: "inviter".parse().unwrap(),
        email: None,
        role: Role::Admin,
        organization_id: "o1".parse().unwrap(),
        created_at: now,
        settings: [].into(),
        disabled: false,
        tokens_valid_after: None,
    };
    let invitation = Invitation {
        id: "i1".parse().unwrap(),
        org_id: inviter.organization_id.clone(),
        token_hash: "00ff".to_owned(),
        email: "ada@example.com".to_owned(),
        role: Role::Viewer,
        invited_by: inviter.uid.clone(),
        expires_at: now.plus_seconds(60),
        created_at: now,
    };
    let writes = [users::create(&inviter), invitations::create(&invitation)];
    let writes = writes.into_iter().collect::<Result<_, _>>().unwrap();
    app.store.commit(writes).await.unwrap();
}

#[tokio::test]
async fn only_who_has_shown_to_own_the_address_joins_by_invitation() {
    for (is_verified, role) in [(true, Role::Viewer), (false, Role::Admin)] {
        let app = TestApp::new();
        invite(&app).await;
        let mut ada = ada();
        ada["value"]["emailVerified"] = json!(is_verified);
        assert_eq!(app.send(binary(&ada)).await, 204);
        let user = app.store.find_user(&"u1".parse().unwrap()).await.unwrap();
        let user = user.unwrap().value;
        assert_eq!(user.role, role);
        assert_eq!(user.organization_id.as_str() == "o1", is_verified);
        assert_eq!(app.mailer.sent().len(), 1, "it is welcome either way");
    }
}

#[tokio::test]
async fn both_forms_of_the_event_are_understood() {
    for request in [
        binary(&ada()),
        structured(&ada()),
        structured(&ada()["value"]),
    ] {
        let app = TestApp::new();
        assert_eq!(app.send(request).await, 204);
        assert_eq!((app.counts(), app.mailer.sent().len()), ([1; 4], 1));
    }
}

#[tokio::test]
async fn five_parallel_deliveries_make_one_of_each() {
    let app = TestApp::new();
    let statuses = tokio::join!(
        app.deliver(),
        app.deliver(),
        app.deliver(),
        app.deliver(),
        app.deliver()
    );
    assert_eq!(statuses, (204, 204, 204, 204, 204));
    assert_eq!((app.counts(), app.mailer.sent().len()), ([1; 4], 1));
}

#[tokio::test]
async fn a_late_repeat_changes_nothing() {
    let app = TestApp::new();
    app.deliver().await;
    let commits = app.db.commits().len();
    app.clock.advance(std::time::Duration::from_secs(86_400));
    assert_eq!(app.deliver().await, 204);
    assert_eq!(
        (app.db.commits().len(), app.mailer.sent().len()),
        (commits, 1)
    );
}

#[tokio::test]
async fn an_account_without_an_address_gets_no_mail() {
    let app = TestApp::new();
    assert_eq!(
        app.send(binary(&json!({ "value": { "uid": "u1" } }))).await,
        204
    );
    assert_eq!((app.counts(), app.mailer.sent().len()), ([1, 1, 1, 0], 0));
}

/// The cases below that no CloudEvent can be read out of; the data of the others is wrong.
const MALFORMED_ENVELOPES: [&str; 6] = [
    "no attributes",
    "no id",
    "no source",
    "no type",
    "no version",
    "another version",
];

#[tokio::test]
async fn malformed_events_have_no_effect() {
    let text = |body: &str| {
        let mut request = binary(&Value::Null);
        *request.body_mut() = Body::from(body.to_owned());
        request
    };
    let requests = [
        (
            "no attributes",
            Request::post("/").body(Body::empty()).unwrap(),
        ),
        ("no id", without_header("ce-id")),
        ("no source", without_header("ce-source")),
        ("no type", without_header("ce-type")),
        ("no version", without_header("ce-specversion")),
        ("another version", with_header("ce-specversion", "0.3")),
        (
            "another type",
            with_header("ce-type", "google.firebase.auth.user.v2.deleted"),
        ),
        ("empty body", text("")),
        ("no JSON", text("{")),
        ("deep JSON", text(&"[".repeat(100_000))),
        ("no object", binary(&json!([]))),
        ("no user", binary(&json!({ "value": {} }))),
        (
            "uid of another kind",
            binary(&json!({ "value": { "uid": 1 } })),
        ),
        (
            "uid that is a path",
            binary(&json!({ "value": { "uid": "a/b" } })),
        ),
        (
            "address of another kind",
            binary(&json!({ "value": { "uid": "u1", "email": {} } })),
        ),
        ("structured without data", structured(&Value::Null)),
    ];
    for (case, request) in requests {
        let app = TestApp::new();
        let is_envelope = MALFORMED_ENVELOPES.contains(&case);
        let (status, recorded) = if is_envelope { (400, 0) } else { (204, 1) };
        assert_eq!(app.send(request).await, status, "{case}");
        assert_eq!(app.counts(), [0, 0, 0, 0], "{case}");
        assert_eq!(app.db.count("idempotency"), recorded, "{case}");
        assert!(app.mailer.sent().is_empty(), "{case}");
    }
}

#[tokio::test]
async fn the_database_down_is_told_and_redelivery_completes() {
    for applied in [false, true] {
        let app = TestApp::new();
        app.db.fail_all(true);
        assert_eq!(app.deliver().await, 503);
        app.db.fail_all(false);
        app.db.fail_next_commits(1, applied);
        assert_eq!(app.deliver().await, 503);
        assert_eq!(app.counts(), [usize::from(applied); 4]);
        assert_eq!(app.deliver().await, 204);
        assert_eq!((app.counts(), app.mailer.sent().len()), ([1; 4], 1));
    }
}

#[tokio::test]
async fn a_mail_provider_that_is_down_is_left_to_the_sweeper() {
    let app = TestApp::new();
    app.mailer
        .fail_next(Error::Unavailable("connection refused".into()));
    assert_eq!(app.deliver().await, 204);
    assert_eq!((app.counts(), app.mailer.sent().len()), ([1; 4], 0));
    assert_eq!(app.outbox_row().state, OutboxState::Pending);

    app.clock.advance(std::time::Duration::from_secs(3_600));
    let mailer = app.mailer.clone();
    let dispatcher = Dispatcher::new(
        app.store.clone(),
        mailer,
        invitation_links(),
        app.clock.shared(),
    );
    let caller = SystemPrincipal { function: "test" };
    assert_eq!(dispatcher.sweep(&caller, 10).await.unwrap(), 1);
    assert_eq!(app.mailer.sent().len(), 1);
}

#[tokio::test]
async fn a_mail_that_may_have_been_sent_is_not_sent_again() {
    let app = TestApp::new();
    app.mailer
        .fail_next(Error::Unknown("connection reset".into()));
    assert_eq!(app.deliver().await, 204);
    assert_eq!(app.outbox_row().state, OutboxState::Unknown);
    assert_eq!(app.deliver().await, 204);
    assert_eq!(app.mailer.sent().len(), 1);
}

#[tokio::test]
async fn a_mail_that_is_refused_does_not_stop_the_sign_up() {
    let app = TestApp::new();
    app.mailer.fail_next(Error::Rejected { status: 401 });
    assert_eq!(app.deliver().await, 204);
    assert_eq!(
        (app.counts(), app.outbox_row().state),
        ([1; 4], OutboxState::Failed)
    );
}

#[tokio::test]
async fn only_post_is_served() {
    let app = TestApp::new();
    let get = Request::get("/").body(Body::empty()).unwrap();
    assert_eq!(app.send(get).await, 405);
}

#[tokio::test]
async fn only_an_expected_service_account_may_deliver() {
    let app = TestApp::called_by(ServiceCallers::verified_by(Arc::new(TestServiceVerifier)));
    let with_token = |token: &str| {
        let mut request = binary(&ada());
        let value = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
        request
    };
    assert_eq!(app.deliver().await, 401);
    assert_eq!(app.send(with_token("forged")).await, 401);
    let foreign = with_token(TestServiceVerifier::FOREIGN);
    assert_eq!(app.send(foreign).await, 403);
    let undecided = with_token(TestServiceVerifier::UNDECIDED);
    assert_eq!(app.send(undecided).await, 503);
    assert_eq!(app.counts(), [0, 0, 0, 0]);
    let expected = with_token(TestServiceVerifier::EXPECTED);
    assert_eq!(app.send(expected).await, 204);
    assert_eq!(app.counts(), [1, 1, 1, 1]);
}

#[tokio::test]
async fn every_answer_has_the_headers_of_helmet() {
    let requests = [
        (binary(&ada()), 204),
        (Request::post("/").body(Body::empty()).unwrap(), 400),
        (Request::get("/").body(Body::empty()).unwrap(), 405),
        (Request::get("/nowhere").body(Body::empty()).unwrap(), 404),
        (
            Request::post("/")
                .body(Body::from(vec![0; 1_000_001]))
                .unwrap(),
            413,
        ),
        (Request::get("/healthz").body(Body::empty()).unwrap(), 200),
    ];
    let app = TestApp::new();
    for (request, status) in requests {
        let response = app.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert_security_headers(response.headers(), status);
    }
    app.db.fail_all(true);
    let response = app.router.clone().oneshot(binary(&ada())).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_security_headers(response.headers(), 503);
}

#[tokio::test]
async fn no_page_may_call() {
    assert_no_page_may_call(&TestApp::new().router, &["/"]).await;
}
