//! What clients see of their limit.

use std::net::SocketAddr;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, Method, Request, header};
use serde_json::{Value, json};
use shared::{
    http::{CallableError, ClientLimit, EdgeConfig, edge},
    rate_limit::{RateLimits, Rule},
    testing::assert_security_headers,
};
use tower::ServiceExt;

use super::{adapter::TestClock, config};

const ORIGIN: &str = "https://app.example.com";

/// A service that admits two requests a minute, and its clock.
struct Service {
    router: Router,
    clock: TestClock,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Service {
    fn new(variables: &[(&str, &str)]) -> Self {
        let standard = EdgeConfig::default().answer_error;
        Self::answering(variables, standard)
    }

    fn answering(
        variables: &[(&str, &str)],
        answer_error: fn(shared::http::ApiError) -> Response,
    ) -> Self {
        let clock = TestClock::at_noon();
        let variables = [&[("RATE_LIMIT_CLIENT", "2")][..], variables].concat();
        let limits = RateLimits::new(config(&variables), clock.shared()).unwrap();
        let own = Rule::shared("own", limits.config().oauth_callback);
        let rule = Rule::shared("test", limits.config().client);
        let client_limit = ClientLimit::new(&limits, rule).with_own(Method::GET, "/own", own);
        let routes = Router::new()
            .route("/", get(async || "ok").post(async |body: String| body))
            .route("/own", get(async || "ok").post(async || "ok"));
        let config = EdgeConfig {
            cors_origins: vec![ORIGIN.parse().unwrap()],
            max_body_bytes: 10,
            client_limit: Some(client_limit),
            answer_error,
            ..EdgeConfig::default()
        };
        Self {
            router: edge(routes, &config),
            clock,
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 10_000).await.unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    async fn call(&self, method: Method, path: &str) -> Answer {
        self.send(request(method, path)).await
    }

    async fn get(&self) -> Answer {
        self.call(Method::GET, "/").await
    }

    /// The status of a request with these lines of `X-Forwarded-For`.
    async fn forwarded(&self, lines: &[&str]) -> u16 {
        let mut request = request(Method::GET, "/");
        for line in lines {
            let line = line.parse().unwrap();
            request.headers_mut().append("x-forwarded-for", line);
        }
        self.send(request).await.status
    }
}

impl Answer {
    /// `RateLimit-Limit`, `-Remaining` and `-Reset`, and `Retry-After`.
    fn told(&self) -> [Option<u64>; 4] {
        let names = [
            "ratelimit-limit",
            "ratelimit-remaining",
            "ratelimit-reset",
            "retry-after",
        ];
        names.map(|name| {
            let value = self.headers.get(name)?;
            Some(value.to_str().unwrap().parse().unwrap())
        })
    }
}

fn request(method: Method, path: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn answers_tell_what_remains_and_a_refusal_when_to_come_again() {
    let service = Service::new(&[]);
    assert_eq!(
        service.get().await.told(),
        [Some(2), Some(1), Some(60), None]
    );
    service
        .clock
        .advance(std::time::Duration::from_millis(9_500));
    assert_eq!(
        service.get().await.told(),
        [Some(2), Some(0), Some(51), None]
    );
    let refused = service.get().await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.told(), [Some(2), Some(0), Some(51), Some(51)]);
    let error = json!({
        "code": "resource_exhausted",
        "message": "too many requests: at most 2 in 60 s",
        "details": { "limit": 2, "windowSecs": 60, "reason": "rate_limited" },
    });
    assert_eq!(refused.body, json!({ "error": error }));
    service.clock.advance(std::time::Duration::from_secs(51));
    assert_eq!(service.get().await.status, 200);
}

#[tokio::test]
async fn a_refusal_has_the_headers_of_every_answer_and_can_be_read_by_pages() {
    let service = Service::new(&[("RATE_LIMIT_CLIENT", "1")]);
    for status in [200, 429] {
        let mut request = request(Method::GET, "/");
        request
            .headers_mut()
            .insert(header::ORIGIN, ORIGIN.parse().unwrap());
        let answer = service.send(request).await;
        assert_eq!(answer.status, status);
        assert_security_headers(&answer.headers, status);
        assert_eq!(answer.headers["access-control-allow-origin"], ORIGIN);
        let exposed = answer.headers["access-control-expose-headers"]
            .to_str()
            .unwrap();
        for name in [
            "ratelimit-limit",
            "ratelimit-remaining",
            "ratelimit-reset",
            "retry-after",
        ] {
            assert!(
                exposed.split(',').any(|exposed| exposed == name),
                "{exposed}"
            );
        }
    }
}

#[tokio::test]
async fn a_callable_is_refused_in_its_own_form() {
    let callable = |error| CallableError(error).into_response();
    let service = Service::answering(&[("RATE_LIMIT_CLIENT", "1")], callable);
    service.get().await;
    let refused = service.get().await;
    assert_eq!(refused.body["error"]["status"], "RESOURCE_EXHAUSTED");
}

#[tokio::test]
async fn preflights_are_not_counted() {
    let service = Service::new(&[("RATE_LIMIT_CLIENT", "1")]);
    for _ in 0..5 {
        let preflight = Request::builder()
            .method(Method::OPTIONS)
            .uri("/")
            .header(header::ORIGIN, ORIGIN)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .body(Body::empty());
        let answer = service.send(preflight.unwrap()).await;
        assert_eq!((answer.status, answer.told()), (200, [None; 4]));
    }
    assert_eq!(service.get().await.status, 200);
}

#[tokio::test]
async fn whatever_is_answered_counts() {
    for (method, path, status) in [
        (Method::GET, "/", 200),
        (Method::HEAD, "/", 200),
        (Method::PUT, "/", 405),
        (Method::GET, "/nowhere", 404),
        (Method::POST, "/own", 200),
        (Method::POST, "/healthz", 405),
        (Method::TRACE, "/", 405),
    ] {
        let service = Service::new(&[("RATE_LIMIT_CLIENT", "1")]);
        let answer = service.call(method, path).await;
        assert_eq!(
            (answer.status, answer.told()[1]),
            (status, Some(0)),
            "{path}"
        );
        assert_eq!(service.get().await.status, 429, "{path}");
    }
}

#[tokio::test]
async fn a_body_is_not_read_of_one_request_too_many() {
    let service = Service::new(&[("RATE_LIMIT_CLIENT", "1")]);
    service.get().await;
    // It would be too large, and never ends.
    let endless = futures::stream::pending::<Result<String, std::io::Error>>();
    let request = Request::post("/").header(header::CONTENT_LENGTH, 1_000);
    let request = request.body(Body::from_stream(endless)).unwrap();
    assert_eq!(service.send(request).await.status, 429);
}

#[tokio::test]
async fn the_health_check_and_own_routes_have_limits_of_their_own() {
    let service = Service::new(&[
        ("RATE_LIMIT_CLIENT", "1"),
        ("RATE_LIMIT_HEALTH", "3"),
        ("RATE_LIMIT_OAUTH_CALLBACK", "2"),
    ]);
    for (path, limit) in [("/healthz", 3), ("/own", 2), ("/", 1)] {
        for number in 0..=limit {
            let answer = service.call(Method::GET, path).await;
            let status = if number < limit { 200 } else { 429 };
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(answer.told()[0], Some(limit), "{path}");
        }
    }
}

#[tokio::test]
async fn a_spoofed_left_part_is_the_same_client() {
    let fifty = "8.8.4.4, ".repeat(49) + "198.51.100.1";
    let rows: [&[&str]; 8] = [
        &["198.51.100.1"],
        &["1.1.1.1, 2.2.2.2, 198.51.100.1"],
        &[&fifty],
        &["1.1.1.1", "2.2.2.2, 198.51.100.1"],
        &["garbage, , [::, 198.51.100.1:443"],
        &["2001:db8::1%eth0", "::ffff:198.51.100.1"],
        &["for=9.9.9.9;by=1.1.1.1, 198.51.100.1"],
        &["198.51.100.2, [::ffff:198.51.100.1]:80"],
    ];
    for lines in rows {
        let service = Service::new(&[]);
        assert_eq!(service.forwarded(&["198.51.100.1"]).await, 200);
        assert_eq!(service.forwarded(lines).await, 200, "{lines:?}");
        assert_eq!(service.forwarded(lines).await, 429, "{lines:?}");
        assert_eq!(service.forwarded(&["198.51.100.1"]).await, 429, "{lines:?}");
        assert_eq!(service.forwarded(&["198.51.100.1, 3.3.3.3"]).await, 200);
    }
}

#[tokio::test]
async fn behind_a_load_balancer_the_client_is_the_second_from_the_right() {
    let service = Service::new(&[("TRUSTED_PROXY_HOPS", "2"), ("RATE_LIMIT_CLIENT", "1")]);
    for (balancer, status) in [("35.191.0.1", 200), ("35.191.0.2", 429), ("::1", 429)] {
        let line = format!("8.8.8.8, 198.51.100.1, {balancer}");
        assert_eq!(service.forwarded(&[&line]).await, status);
    }
    assert_eq!(service.forwarded(&["198.51.100.2, 35.191.0.1"]).await, 200);
}

#[tokio::test]
async fn without_a_proxy_the_client_is_the_other_end_of_the_connection() {
    let service = Service::new(&[("RATE_LIMIT_CLIENT", "1")]);
    let from = |peer: &str| {
        let mut request = request(Method::GET, "/");
        let peer: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let header = "for=8.8.8.8".parse().unwrap();
        request.headers_mut().insert(header::FORWARDED, header);
        request
    };
    for (peer, status) in [
        ("192.0.2.1:1000", 200),
        ("192.0.2.1:2000", 429),
        ("192.0.2.2:1000", 200),
        ("[::ffff:192.0.2.2]:1000", 429),
        ("[2001:db8::1]:1000", 200),
        ("[2001:db8::2]:1000", 429),
    ] {
        assert_eq!(service.send(from(peer)).await.status, status, "{peer}");
    }
}
