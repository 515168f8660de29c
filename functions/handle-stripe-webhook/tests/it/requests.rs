//! What is refused before an event can do anything.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use shared::testing::{assert_no_page_may_call, assert_security_headers, stripe_signature};

use crate::app::{SECRET, TestApp, event, signed, subscription_event};

async fn refusal(app: &TestApp, request: Request<Body>) -> (u16, Value) {
    let answer = app.send(request).await;
    assert!(
        answer.body["error"]["message"].is_string(),
        "{}",
        answer.body
    );
    (answer.status.as_u16(), answer.body["error"]["code"].clone())
}

fn seconds(app: &TestApp) -> i64 {
    app.now().instant().as_second()
}

#[tokio::test]
async fn a_request_without_a_genuine_signature_is_refused_and_does_nothing() {
    let app = TestApp::with_customer().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    let body = subscription_event("evt_1", "customer.subscription.updated").to_string();
    let now = seconds(&app);
    let genuine = stripe_signature(SECRET, now, body.as_bytes());
    let mut twice = signed(&genuine, body.clone());
    twice
        .headers_mut()
        .append("stripe-signature", genuine.parse().unwrap());
    let requests = [
        Request::post("/").body(Body::from(body.clone())).unwrap(),
        twice,
        signed("", body.clone()),
        signed(&genuine, format!("{body} ")),
        signed(
            &stripe_signature("whsec_other", now, body.as_bytes()),
            body.clone(),
        ),
        signed(
            &stripe_signature(SECRET, now - 301, body.as_bytes()),
            body.clone(),
        ),
        signed(&genuine.replace("v1=", "v0="), body.clone()),
    ];
    for request in requests {
        assert_eq!(
            refusal(&app, request).await,
            (400, json!("invalid_argument"))
        );
    }
    assert_eq!((app.db.count("stripe_events"), app.audits()), (0, 0));
}

#[tokio::test]
async fn a_signed_body_that_is_no_event_is_refused() {
    let app = TestApp::new().await;
    let bodies = [
        "",
        "{",
        "[]",
        "null",
        r#"{"object":"event","type":"plan.created"}"#,
        r#"{"id":"a/b","object":"event","type":"plan.created"}"#,
        r#"{"id":"evt_1","object":"event"}"#,
        r#"{"id":"evt_1","object":"event","type":"invoice.paid","data":{}}"#,
        r#"{"id":"evt_1","id":"evt_2","object":"event","type":"plan.created"}"#,
        r#"{"id":"evt_1","object":"event","type":"plan.created","livemode":"no"}"#,
    ];
    for body in bodies {
        let signature = stripe_signature(SECRET, seconds(&app), body.as_bytes());
        let refusal = refusal(&app, signed(&signature, body)).await;
        assert_eq!(refusal, (400, json!("invalid_argument")), "{body}");
    }
    assert_eq!(app.db.count("stripe_events"), 0);
}

#[tokio::test]
async fn an_event_of_the_other_mode_is_refused() {
    let app = TestApp::with_customer().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    let mut event = subscription_event("evt_1", "customer.subscription.updated");
    event["livemode"] = json!(true);
    let answer = app.deliver(&event).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["error"]["code"], "failed_precondition");
    assert_eq!((app.db.count("stripe_events"), app.audits()), (0, 0));
}

#[tokio::test]
async fn a_body_of_256_kilobytes_is_the_most() {
    let app = TestApp::new().await;
    let sized = |bytes: usize| {
        let empty = event("evt_1", "plan.created", &json!({ "x": "" }))
            .to_string()
            .len();
        event(
            "evt_1",
            "plan.created",
            &json!({ "x": "x".repeat(bytes - empty) }),
        )
    };
    assert_eq!(
        app.deliver(&sized(256_001)).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    assert_eq!(app.deliver(&sized(256_000)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn other_methods_and_paths_are_refused() {
    let app = TestApp::new().await;
    let get = Request::get("/").body(Body::empty()).unwrap();
    assert_eq!(app.send(get).await.status, StatusCode::METHOD_NOT_ALLOWED);
    let elsewhere = Request::post("/webhook").body(Body::empty()).unwrap();
    assert_eq!(app.send(elsewhere).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn no_page_may_call() {
    assert_no_page_may_call(&TestApp::new().await.router, &["/"]).await;
}

#[tokio::test]
async fn every_answer_has_the_headers_of_helmet() {
    let app = TestApp::with_customer().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    let event = subscription_event("evt_1", "customer.subscription.updated");
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let unsigned = |bytes| Request::post("/").body(Body::from(vec![0; bytes])).unwrap();
    let deliver = || {
        let body = event.to_string();
        let signature = stripe_signature(SECRET, seconds(&app), body.as_bytes());
        signed(&signature, body)
    };
    let requests = [
        (deliver(), 200),
        (get("/healthz"), 200),
        (unsigned(1), 400),
        (get("/nowhere"), 404),
        (get("/"), 405),
        (unsigned(256_001), 413),
    ];
    for (request, status) in requests {
        let answer = app.send(request).await;
        assert_eq!(answer.status, status);
        assert_security_headers(&answer.headers, status);
    }
    app.db.fail_all(true);
    let answer = app.send(deliver()).await;
    assert_eq!(answer.status, 503);
    assert_security_headers(&answer.headers, 503);
}
