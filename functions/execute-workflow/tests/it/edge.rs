//! Who may call, and what every answer carries.

use std::sync::Arc;

use axum::body::Body;
use http::Request;
use serde_json::json;
use shared::{
    http::ServiceCallers,
    testing::{
        MemoryDb, ScriptedLlm, TestServiceVerifier, assert_no_page_may_call,
        assert_security_headers,
    },
};
use tower::ServiceExt;

use crate::app::{App, event_headers, trigger, trigger_event};

const PATHS: [&str; 4] = ["/", "/continue", "/schedule", "/sweep"];

fn llm() -> Arc<ScriptedLlm> {
    Arc::new(ScriptedLlm::answering("done"))
}

#[tokio::test]
async fn only_an_expected_service_account_may_call_any_route() {
    let db = Arc::new(MemoryDb::new());
    let callers = ServiceCallers::verified_by(Arc::new(TestServiceVerifier));
    let app = App::called_by(callers, db, None, llm()).await;
    let before = app.db.commits().len();
    let refused = [
        ("", 401),
        ("Bearer forged", 401),
        (&format!("Bearer {}", TestServiceVerifier::FOREIGN), 403),
        (&format!("Bearer {}", TestServiceVerifier::UNDECIDED), 503),
    ];
    let event = trigger_event(&trigger(json!({})));
    for path in PATHS {
        for (authorization, status) in refused {
            let mut headers = event_headers();
            headers.push(("authorization", authorization));
            let answer = app.post(path, headers, event.clone()).await;
            assert_eq!(answer, status, "{path} {authorization}");
        }
    }
    assert_eq!(app.db.commits().len(), before);
    let expected = format!("Bearer {}", TestServiceVerifier::EXPECTED);
    for path in PATHS {
        let mut headers = event_headers();
        headers.push(("authorization", expected.as_str()));
        let answer = app.post(path, headers, event.clone()).await;
        assert!(answer.is_success(), "{path} {answer}");
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_of_helmet() {
    let app = App::new(llm()).await;
    let post = |path: &str| Request::post(path).body(Body::empty()).unwrap();
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let large = Request::post("/").body(Body::from(vec![0; 1_000_001]));
    let mut event = Request::post("/");
    for (name, value) in event_headers() {
        event = event.header(name, value);
    }
    let event = event.body(Body::from(trigger_event(&trigger(json!({})))));
    let requests = [
        (event.unwrap(), 204),
        (post("/continue"), 204),
        (post("/schedule"), 200),
        (post("/sweep"), 200),
        (get("/healthz"), 200),
        (post("/"), 400),
        (get("/nowhere"), 404),
        (get("/"), 405),
        (get("/continue"), 405),
        (get("/schedule"), 405),
        (get("/sweep"), 405),
        (large.unwrap(), 413),
    ];
    for (request, status) in requests {
        let response = app.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert_security_headers(response.headers(), status);
    }
    app.db.fail_all(true);
    for path in ["/schedule", "/sweep"] {
        let response = app.router.clone().oneshot(post(path)).await.unwrap();
        assert_eq!(response.status(), 503, "{path}");
        assert_security_headers(response.headers(), path);
    }
}

#[tokio::test]
async fn no_page_may_call() {
    assert_no_page_may_call(&App::new(llm()).await.router, &PATHS).await;
}
