//! Headers and CORS of whatever a service can answer.

use std::{collections::BTreeSet, convert::Infallible, time::Duration};

use axum::{
    Router,
    body::Body,
    response::{
        Sse,
        sse::{Event, KeepAlive},
    },
    routing::{get, post},
};
use http::{Method, Request, StatusCode, header};
use serde_json::Value;
use shared::{
    http::{ApiError, Code, EdgeConfig, Json, RawBody, edge},
    testing::{
        assert_no_page_may_call, assert_pages_of_one_origin_may_call, assert_security_headers,
    },
};
use tower::ServiceExt;

const ORIGIN: &str = "https://app.example.com";

/// A body that any object is.
#[derive(serde::Deserialize, garde::Validate)]
struct Anything {}

/// A service with a route for each way to answer.
fn service(origins: &[&str]) -> Router {
    #[expect(clippy::panic, reason = "a panic is one of the ways to answer")]
    async fn fail() -> StatusCode {
        panic!("on purpose")
    }
    async fn stream() -> Sse<impl futures::Stream<Item = Result<Event, Infallible>>> {
        let events = futures::stream::iter([Ok(Event::default().data("1"))]);
        Sse::new(events).keep_alive(KeepAlive::default())
    }
    let refuse = |code| move || std::future::ready(ApiError::new(code, "on purpose"));
    let routes = Router::new()
        .route("/ok", get(async || "ok"))
        .route("/none", get(async || StatusCode::NO_CONTENT))
        .route("/panic", get(fail))
        .route("/never", get(std::future::pending::<StatusCode>))
        .route("/stream", get(stream))
        .route("/raw", post(async |RawBody(body): RawBody| body))
        .route("/json", post(async |Json(_): Json<Anything>| "read"))
        .route("/401", get(refuse(Code::Unauthenticated)))
        .route("/403", get(refuse(Code::PermissionDenied)))
        .route("/409", get(refuse(Code::AlreadyExists)))
        .route("/429", get(refuse(Code::ResourceExhausted)))
        .route("/500", get(refuse(Code::Internal)))
        .route("/503", get(refuse(Code::Unavailable)));
    let config = EdgeConfig {
        cors_origins: origins
            .iter()
            .map(|origin| origin.parse().unwrap())
            .collect(),
        max_body_bytes: 10,
        timeout: Duration::from_secs(5),
        ..EdgeConfig::default()
    };
    edge(routes, &config)
}

/// Every answer that the service gives, with what it is for.
async fn answers(origins: &[&str]) -> Vec<(String, http::Response<Body>)> {
    let large = "x".repeat(11);
    let rows = [
        (Method::GET, "/healthz", "", 200),
        (Method::GET, "/ok", "", 200),
        (Method::HEAD, "/ok", "", 200),
        (Method::GET, "/none", "", 204),
        (Method::GET, "/stream", "", 200),
        (Method::POST, "/raw", "body", 200),
        (Method::POST, "/json", "{}", 200),
        (Method::POST, "/json", "{", 400),
        (Method::GET, "/401", "", 401),
        (Method::GET, "/403", "", 403),
        (Method::GET, "/nowhere", "", 404),
        (Method::PUT, "/ok", "", 405),
        (Method::TRACE, "/ok", "", 405),
        (Method::GET, "/409", "", 409),
        (Method::POST, "/raw", &large, 413),
        (Method::POST, "/json", &large, 413),
        (Method::POST, "/json", "text", 415),
        (Method::GET, "/429", "", 429),
        (Method::GET, "/500", "", 500),
        (Method::GET, "/panic", "", 500),
        (Method::GET, "/503", "", 503),
        (Method::GET, "/never", "", 503),
    ];
    let mut answers = Vec::new();
    for (method, path, body, status) in rows {
        let what = format!("{method} {path}");
        let kind = if body == "text" {
            body
        } else {
            "application/json"
        };
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::CONTENT_TYPE, kind);
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = service(origins).oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{what}");
        answers.push((what, response));
    }
    answers
}

#[tokio::test(start_paused = true)]
async fn every_answer_has_the_headers_of_helmet() {
    for origins in [&[][..], &[ORIGIN]] {
        for (what, response) in answers(origins).await {
            assert_security_headers(response.headers(), &what);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_answer_varies_by_origin_if_there_are_origins() {
    for (origins, expected) in [(&[][..], None), (&[ORIGIN], Some("origin"))] {
        for (what, response) in answers(origins).await {
            let vary = response.headers().get(header::VARY);
            assert_eq!(vary.map(|vary| vary.to_str().unwrap()), expected, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_error_has_the_envelope() {
    for (what, response) in answers(&[ORIGIN]).await {
        if response.status().as_u16() < 400 {
            continue;
        }
        let body = axum::body::to_bytes(response.into_body(), 10_000).await;
        let body: Value = serde_json::from_slice(&body.unwrap()).unwrap();
        let error = body["error"].as_object().unwrap();
        let members: BTreeSet<_> = error.keys().map(String::as_str).collect();
        let expected = BTreeSet::from(["code", "details", "message"]);
        assert_eq!(members, expected, "{what}");
    }
}

#[tokio::test]
async fn pages_of_the_allowed_origin_alone_may_call() {
    let router = service(&[ORIGIN]);
    for path in ["/ok", "/stream", "/429"] {
        assert_pages_of_one_origin_may_call(&router, path, ORIGIN).await;
    }
}

#[tokio::test]
async fn a_service_without_origins_has_no_cors() {
    assert_no_page_may_call(&service(&[]), &["/ok", "/stream", "/raw"]).await;
}
