//! Headers of every answer, and which pages may read it.

use std::sync::Arc;

use api::{AppState, Config, router};
use axum::{Router, body::Body};
use http::{Method, header::CONTENT_TYPE};
use shared::{
    config::Env,
    testing::{
        FixedClock, RecordingAccounts, TestVerifier, assert_no_page_may_call,
        assert_pages_of_one_origin_may_call, assert_security_headers, memory_store,
    },
};

use crate::{
    app::{NOW, ORIGIN, TestApp, agent_request, empty, json_body, request},
    table::{Route, routes, seeded_app},
};

/// The API without users, for pages of `origins`.
fn api(origins: &str) -> Router {
    let (store, _) = memory_store();
    let env = [
        ("GOOGLE_CLOUD_PROJECT", "demo"),
        ("CORS_ORIGINS", origins),
        ("APP_URL", "https://app.example.com"),
        ("LOCAL_MAC_KEY", "test"),
    ];
    let config = Config::from_env(&Env::from_pairs(env)).unwrap();
    let clock = FixedClock::at(NOW).shared();
    let verifier = Arc::new(TestVerifier::new());
    let accounts = Arc::new(RecordingAccounts::new());
    router(AppState::with_ports(
        config, store, verifier, accounts, clock,
    ))
}

fn paths() -> Vec<String> {
    let path = |route: Route| format!("/api/v1{}", route.path());
    routes().into_iter().map(path).collect()
}

async fn assert_answer(app: &TestApp, request: http::Request<Body>, status: u16) {
    let what = format!("{} {}", request.method(), request.uri());
    let answer = app.send(request).await;
    assert_eq!(answer.status, status, "{what} {}", answer.body);
    assert_security_headers(&answer.headers, what);
}

#[tokio::test]
async fn every_route_answers_with_the_headers_of_helmet() {
    for route in routes() {
        let app = seeded_app().await;
        let allowed = request(route.method.clone(), &route.path(), "admin");
        let allowed = match &route.body {
            Some(body) => json_body(allowed, body),
            None => empty(allowed),
        };
        assert_answer(&app, allowed, route.status).await;
        let forged = empty(request(route.method.clone(), &route.path(), "nobody"));
        assert_answer(&app, forged, 401).await;
        let other = empty(request(Method::TRACE, &route.path(), "admin"));
        assert_answer(&app, other, 405).await;
        app.db.fail_all(true);
        let failing = empty(request(route.method.clone(), &route.path(), "admin"));
        assert_answer(&app, failing, 503).await;
    }
}

#[tokio::test]
async fn every_kind_of_refusal_has_the_headers_of_helmet() {
    let app = TestApp::new().await;
    let create = |token: &str| json_body(request(Method::POST, "/agents", token), &agent_request());
    let typed = |kind: &str, body: String| {
        let request = request(Method::POST, "/agents", "admin").header(CONTENT_TYPE, kind);
        request.body(Body::from(body)).unwrap()
    };
    let refusals = [
        (create("admin"), 201),
        (typed("application/json", "{".to_owned()), 400),
        (create("viewer"), 403),
        (empty(request(Method::GET, "/agents/none", "admin")), 404),
        (empty(request(Method::GET, "/nowhere", "admin")), 404),
        (typed("application/json", "x".repeat(1_000_001)), 413),
        (typed("text/plain", "{}".to_owned()), 415),
        (create("admin"), 429),
    ];
    for (request, status) in refusals {
        assert_answer(&app, request, status).await;
    }
}

#[tokio::test]
async fn pages_of_the_allowed_origin_alone_may_read_answers() {
    let api = api(ORIGIN);
    for path in paths() {
        assert_pages_of_one_origin_may_call(&api, &path, ORIGIN).await;
    }
}

#[tokio::test]
async fn without_origins_no_page_may_call() {
    let paths = paths();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    assert_no_page_may_call(&api(""), &paths).await;
}
