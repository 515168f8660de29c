use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;
use shared::{
    http::ServiceCallers,
    models::{IntegrationService, IntegrationStatus, ProcessedEvent, SubscriptionTier},
    testing::{TestServiceVerifier, assert_no_page_may_call, assert_security_headers},
};
use tower::ServiceExt;

use crate::app::{Options, TestApp, due, push, tick};

/// The one record of a message that was given up.
fn record(app: &TestApp) -> ProcessedEvent {
    let documents = app.db.documents("idempotency/");
    assert_eq!(documents.len(), 1);
    shared::store::decode(&documents[0]).unwrap()
}

/// With integration `i1` of organization `o1`.
async fn with_integration(service: IntegrationService, status: IntegrationStatus) -> TestApp {
    let app = TestApp::new();
    app.add_with("i1", "o1", service, status).await;
    app
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
        let app = with_integration(service, status).await;
        assert_eq!(app.push(&message).await, 204, "{message}");
        let failure = record(&app).failure.unwrap();
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
        let failure = record(&app).failure.unwrap();
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
async fn connected_google_integrations_are_listed_by_page() {
    let app = TestApp::new();
    let (google, connected) = (IntegrationService::Google, IntegrationStatus::Connected);
    app.add_with("x1", "o1", IntegrationService::Github, connected)
        .await;
    app.add_with("x2", "o1", google, IntegrationStatus::Error)
        .await;
    for number in 0..5 {
        app.add_with(&format!("i{number}"), "o1", google, connected)
            .await;
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
async fn only_an_expected_service_account_may_push() {
    let app = TestApp::with(Options {
        callers: ServiceCallers::verified_by(Arc::new(TestServiceVerifier)),
        ..Options::default()
    });
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

#[tokio::test]
async fn the_database_down_is_told_so_that_the_message_comes_again() {
    let app = TestApp::new();
    app.add_organization("o1", SubscriptionTier::Pro).await;
    app.add("i1", "o1", IntegrationService::Google).await;
    for message in [tick("m1"), due("m2", "o1", "i1"), due("m3", "o1", "i9")] {
        app.db.fail_all(true);
        assert_eq!(app.push(&message).await, 503, "{message}");
        app.db.fail_all(false);
        assert_eq!(app.push(&message).await, 204, "{message}");
    }
    app.topic.fail_next(1);
    assert_eq!(app.push(&tick("m4")).await, 503);
    assert_eq!(app.push(&tick("m4")).await, 204);
}
