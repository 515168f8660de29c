use axum::body::Body;
use http::{
    Method, Request,
    header::{CONTENT_TYPE, ORIGIN as ORIGIN_HEADER},
};
use serde_json::json;
use shared::testing::assert_security_headers;

use crate::{
    app::{Answer, ORIGIN, TestApp, empty, json_body, request},
    table::{Route, routes, seeded_app},
};

pub(crate) async fn call(app: &TestApp, route: &Route, token: &str, path: &str) -> Answer {
    // The caller's own conversation.
    let path = path.replace("/sessions/admin", &format!("/sessions/{token}"));
    let request = request(route.method.clone(), &path, token);
    let request = match &route.body {
        Some(body) => json_body(request, body),
        None => empty(request),
    };
    app.send(request).await
}

/// The answer to a body that is sent as it is, and where it was sent.
async fn send_text(app: &TestApp, route: &Route, text: String) -> (Answer, String) {
    let request = request(route.method.clone(), &route.path(), "admin");
    let request = request.header(CONTENT_TYPE, "application/json");
    let answer = app.send(request.body(Body::from(text)).unwrap()).await;
    (answer, format!("{} {}", route.method, route.path()))
}

fn with_body() -> impl Iterator<Item = Route> {
    routes().into_iter().filter(|route| route.body.is_some())
}

#[tokio::test]
async fn unknown_fields_are_refused_by_name() {
    let app = seeded_app().await;
    let before = app.db.commits().len();
    for route in with_body() {
        let mut body = route.body.clone().unwrap();
        body["orgId"] = json!("o2");
        let (answer, what) = send_text(&app, &route, body.to_string()).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{what}");
        assert_eq!(answer.fields(), ["orgId"], "{what}");
    }
    assert_eq!(app.db.commits().len(), before);
}

#[tokio::test]
async fn bodies_of_another_type_are_refused() {
    let app = seeded_app().await;
    for route in with_body() {
        for text in ["[]", "null", "1", "\"x\"", "{", "", "{} {}"] {
            let (answer, what) = send_text(&app, &route, text.to_owned()).await;
            assert_eq!(answer.refusal(), (400, "invalid_argument"), "{what} {text}");
            assert_eq!(answer.fields(), ["body"], "{what} {text}");
        }
    }
}

#[tokio::test]
async fn deep_nesting_is_refused() {
    let app = seeded_app().await;
    for route in with_body() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for text in [format!("{{\"payload\":{deep}}}"), "[".repeat(500_000)] {
            let (answer, what) = send_text(&app, &route, text).await;
            assert_eq!(answer.refusal(), (400, "invalid_argument"), "{what}");
        }
    }
}

#[tokio::test]
async fn bodies_above_a_megabyte_are_refused_and_above_20_where_models_are_shown_images() {
    let app = seeded_app().await;
    for route in with_body() {
        let most = match route.path().starts_with("/llm/") {
            true => 20_000_000,
            false => 1_000_000,
        };
        let text = json!({ "name": "x".repeat(most) }).to_string();
        let (answer, what) = send_text(&app, &route, text).await;
        assert_eq!(answer.refusal(), (413, "invalid_argument"), "{what}");
        assert_eq!(answer.fields(), ["body"], "{what}");
        assert_security_headers(&answer.headers, &what);
    }
}

#[tokio::test]
async fn bodies_that_are_not_declared_as_json_are_refused() {
    let app = seeded_app().await;
    for route in with_body() {
        for content_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
            let request = request(route.method.clone(), &route.path(), "admin");
            let request = request.header(CONTENT_TYPE, content_type);
            let body = Body::from(route.body.clone().unwrap().to_string());
            let answer = app.send(request.body(body).unwrap()).await;
            assert_eq!(
                answer.refusal(),
                (415, "invalid_argument"),
                "{}",
                route.path()
            );
            assert_security_headers(&answer.headers, route.path());
        }
    }
}

#[tokio::test]
async fn methods_that_a_path_does_not_have_are_refused() {
    let app = seeded_app().await;
    for path in routes().iter().map(Route::path) {
        for method in [Method::TRACE, Method::CONNECT] {
            let answer = app.send(empty(request(method, &path, "admin"))).await;
            assert_eq!(answer.refusal(), (405, "invalid_argument"), "{path}");
            assert!(answer.headers.contains_key("allow"), "{path}");
            assert_security_headers(&answer.headers, &path);
        }
    }
    let answer = app.put("admin", "/agents", &json!({})).await;
    assert_eq!(answer.refusal(), (405, "invalid_argument"));
}

#[tokio::test]
async fn paths_that_do_not_exist_are_answered_404() {
    let app = seeded_app().await;
    for path in ["", "/", "/agents/", "/agents/a1/x", "/users", "/../agents"] {
        let answer = app.get("admin", path).await;
        assert_eq!(answer.refusal(), (404, "not_found"), "{path}");
        assert_security_headers(&answer.headers, path);
    }
}

#[tokio::test]
async fn wrong_query_parameters_are_refused_by_name() {
    let app = seeded_app().await;
    let table = [
        ("/agents?limit=x", "limit"),
        ("/agents?limit=1&limit=2", "query"),
        ("/agents?offset=1", "offset"),
        ("/workflows?orgId=o2", "orgId"),
        ("/executions?status=x", "status"),
        ("/executions?status=", "status"),
        ("/executions?status=failed,", "status"),
        ("/executions?triggerType=x", "triggerType"),
        ("/executions?startedAfter=yesterday", "startedAfter"),
        ("/executions?startedBefore=2026-11-26", "startedBefore"),
        (
            "/executions?triggerType=manual&workflowId=w1",
            "triggerType",
        ),
        (
            "/executions?triggerType=manual&status=failed",
            "triggerType",
        ),
        ("/executions/running/steps?limit=0", "limit"),
        ("/executions/running/stream?lastEventId=-1", "lastEventId"),
        ("/executions/running/steps/work/body?object=x", "object"),
        ("/executions?limit=1&workflowId=a%2Fb", "workflowId"),
        ("/executions/running/logs?after=-1", "after"),
        ("/analytics/usage?orgId=o2", "orgId"),
        ("/analytics/usage?groupBy=team", "groupBy"),
        ("/analytics/usage.csv?measure=cost", "measure"),
        ("/analytics/usage.svg?measure=calls", "measure"),
        ("/analytics/usage.svg?theme=blue", "theme"),
    ];
    for (path, parameter) in table {
        let answer = app.get("admin", path).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{path}");
        assert_eq!(answer.fields(), [parameter], "{path}");
    }
}

#[tokio::test]
async fn an_unavailable_database_is_told_and_can_be_retried() {
    let app = seeded_app().await;
    app.db.fail_all(true);
    for route in routes() {
        let answer = call(&app, &route, "admin", &route.path()).await;
        assert_eq!(answer.refusal(), (503, "unavailable"), "{}", route.path());
        assert!(answer.headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn allowed_pages_may_call_and_others_may_not() {
    let app = seeded_app().await;
    let preflight = |origin: &str| {
        Request::builder()
            .method(Method::OPTIONS)
            .uri("/api/v1/agents")
            .header(ORIGIN_HEADER, origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type,idempotency-key,last-event-id",
            )
            .body(Body::empty())
            .unwrap()
    };
    let allowed = app.send(preflight(ORIGIN)).await;
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.headers["access-control-allow-origin"], ORIGIN);
    let headers = allowed.headers["access-control-allow-headers"]
        .to_str()
        .unwrap();
    for header in ["idempotency-key", "last-event-id"] {
        assert!(headers.contains(header), "{headers}");
    }
    assert_security_headers(&allowed.headers, "preflight");
    let denied = app.send(preflight("https://evil.example")).await;
    assert!(!denied.headers.contains_key("access-control-allow-origin"));
    assert_security_headers(&denied.headers, "denied preflight");
}

#[tokio::test]
async fn errors_can_be_read_by_allowed_pages() {
    let app = TestApp::new().await;
    let request = request(Method::GET, "/agents/unknown", "admin").header(ORIGIN_HEADER, ORIGIN);
    let answer = app.send(empty(request)).await;
    assert_eq!(answer.refusal(), (404, "not_found"));
    assert_eq!(answer.headers["access-control-allow-origin"], ORIGIN);
}

#[tokio::test]
async fn the_health_check_needs_no_token() {
    let app = TestApp::new().await;
    let request = Request::builder().uri("/healthz").body(Body::empty());
    let answer = app.send(request.unwrap()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body),
        (200, json!({ "status": "ok" }))
    );
}
