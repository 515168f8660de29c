//! Redis is killed, hangs, is slow, or answers nonsense: reads go on within the limit, all else is
//! refused and told when to come again, and nothing is answered 5xx.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    routing::get,
};
use futures::future::join_all;
use http::{HeaderMap, Method, Request};
use serde_json::Value;
use shared::{
    clock::SystemClock,
    http::{ClientLimit, EdgeConfig, edge},
    rate_limit::{Decision, Key, Limit, RateLimiter, RateLimits, Rule, Unavailable},
    testing::RedisServer,
};
use tower::ServiceExt;

use super::{adapter::PATIENCE, config, slow_line::SlowLine};

/// The limit of these tests; their window is longer than any of them.
const LIMIT: usize = 20;

fn service(limits: &RateLimits) -> Router {
    let rule = Rule::shared("test", limits.config().client);
    let routes = Router::new().route("/", get(async || "ok").post(async || "done"));
    let config = EdgeConfig {
        client_limit: Some(ClientLimit::new(limits, rule)),
        ..EdgeConfig::default()
    };
    edge(routes, &config)
}

fn on(server: &RedisServer) -> Router {
    at(&server.socket())
}

fn at(socket: &Path) -> Router {
    let config = config(&[
        ("REDIS_URL", &format!("redis+unix://{}", socket.display())),
        ("RATE_LIMIT_CLIENT", "20"),
        ("RATE_LIMIT_WINDOW_SECS", "3600"),
    ]);
    service(&RateLimits::new(config, Arc::new(SystemClock)).unwrap())
}

async fn call(service: &Router, method: Method) -> (u16, HeaderMap, Value) {
    let request = Request::builder().method(method).uri("/");
    let request = request.body(Body::empty()).unwrap();
    let response = service.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 10_000).await.unwrap();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    (parts.status.as_u16(), parts.headers, body)
}

/// The stated behaviour while requests cannot be counted.
async fn assert_outage(service: &Router) {
    let began = Instant::now();
    for number in 0..2 * LIMIT {
        let (status, headers, body) = call(service, Method::POST).await;
        assert_eq!(status, 429, "{number} {body}");
        let error = &body["error"];
        assert_eq!(error["code"], "resource_exhausted");
        assert_eq!(error["details"]["reason"], "rate_limit_unavailable");
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains("cannot be counted")
        );
        assert_eq!(headers["retry-after"], "1");
    }
    let mut admitted = 0;
    for method in [Method::GET, Method::HEAD]
        .into_iter()
        .cycle()
        .take(2 * LIMIT)
    {
        let (status, headers, body) = call(service, method).await;
        assert!(status == 200 || status == 429, "{status} {body}");
        assert_eq!(headers["ratelimit-limit"], "20");
        admitted += usize::from(status == 200);
    }
    assert_eq!(admitted, LIMIT, "this instance's own bucket");
    // Each of 80 waiting 50 ms would take 4 s.
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

/// The instance may take a second to notice, and a busy machine may miss the time.
async fn assert_recovery(service: &Router) {
    let look = async {
        let mut interval = tokio::time::interval(Duration::from_millis(20));
        loop {
            interval.tick().await;
            let (status, _, body) = call(service, Method::POST).await;
            if body["error"]["details"]["reason"] != "rate_limit_unavailable" {
                assert!(status == 200 || status == 429, "{status}");
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap();
}

#[tokio::test]
async fn redis_that_is_killed_stops_what_costs_and_not_reads() {
    let mut server = RedisServer::start().unwrap();
    let service = on(&server);
    assert_recovery(&service).await;
    server.kill().unwrap();
    assert_outage(&service).await;
    server.restart().unwrap();
    assert_recovery(&service).await;
}

#[tokio::test]
async fn redis_that_is_not_there_at_the_start_is_found_later() {
    let mut server = RedisServer::start().unwrap();
    server.kill().unwrap();
    let service = on(&server);
    assert_outage(&service).await;
    server.restart().unwrap();
    assert_recovery(&service).await;
}

#[tokio::test]
async fn redis_that_hangs_stops_what_costs_and_not_reads() {
    let server = RedisServer::start().unwrap();
    let service = on(&server);
    assert_recovery(&service).await;
    server.freeze().unwrap();
    assert_outage(&service).await;
    server.thaw().unwrap();
    assert_recovery(&service).await;
}

#[tokio::test]
async fn redis_that_is_slow_stops_what_costs_and_not_reads() {
    let server = RedisServer::start().unwrap();
    let slow = SlowLine::to(server.socket());
    let service = at(&slow.socket());
    assert_recovery(&service).await;
    slow.delay(Duration::from_millis(200));
    assert_outage(&service).await;
    slow.delay(Duration::ZERO);
    assert_recovery(&service).await;
}

#[tokio::test]
async fn a_key_of_another_kind_is_an_outage_and_no_5xx() {
    let server = RedisServer::start().unwrap();
    let service = on(&server);
    assert_recovery(&service).await;
    let key = server.ask(&["KEYS", "*"]).unwrap();
    server.ask(&["SET", &key, "text"]).unwrap();
    assert_outage(&service).await;
    server.ask(&["DEL", &key]).unwrap();
    assert_recovery(&service).await;
}

/// Never answers, and counts who asks.
#[derive(Default)]
struct Silent(AtomicUsize);

#[async_trait]
impl RateLimiter for Silent {
    async fn take(&self, _: &Key, _: Limit) -> Result<Decision, Unavailable> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(Unavailable::new("silent"))
    }
}

#[tokio::test(start_paused = true)]
async fn during_an_outage_one_request_a_second_asks() {
    let silent = Arc::new(Silent::default());
    let clock = Arc::new(SystemClock);
    let limits = RateLimits::with_limiter(config(&[]), Some(silent.clone()), clock);
    let service = service(&limits);
    for asked in 3..8 {
        for _ in 0..10 {
            assert_eq!(call(&service, Method::POST).await.0, 429);
        }
        assert_eq!(silent.0.load(Ordering::Relaxed), asked);
        tokio::time::advance(Duration::from_secs(1)).await;
    }
}

/// Takes longer than there is time for, now and then.
#[derive(Default)]
struct Stumbling(AtomicUsize);

#[async_trait]
impl RateLimiter for Stumbling {
    async fn take(&self, _: &Key, limit: Limit) -> Result<Decision, Unavailable> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        // Others begin before this one fails.
        tokio::task::yield_now().await;
        if (number / 20).is_multiple_of(2) {
            return Err(Unavailable::new("late"));
        }
        Ok(Decision {
            is_admitted: true,
            limit: limit.requests.get(),
            remaining: 1,
            reset_after: Duration::ZERO,
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_moment_in_which_redis_is_slow_is_no_outage_for_who_comes_later() {
    let clock = Arc::new(SystemClock);
    let stumbling = Arc::new(Stumbling::default());
    let service = service(&RateLimits::with_limiter(
        config(&[]),
        Some(stumbling),
        clock,
    ));
    for _ in 0..10 {
        let together = (0..20).map(|_| call(&service, Method::POST));
        for (status, _, body) in join_all(together).await {
            let reason = &body["error"]["details"]["reason"];
            assert_eq!((status, reason), (429, &"rate_limit_unavailable".into()));
        }
        for _ in 0..20 {
            assert_eq!(call(&service, Method::POST).await.0, 200);
        }
    }
}

#[tokio::test]
async fn the_first_call_after_a_lost_connection_has_time_to_make_a_new_one() {
    let mut server = RedisServer::start().unwrap();
    let slow = SlowLine::to(server.socket());
    let service = at(&slow.socket());
    assert_recovery(&service).await;
    server.kill().unwrap();
    server.restart().unwrap();
    // Longer than a call may take that has a connection.
    slow.delay(Duration::from_millis(30));
    assert_eq!(call(&service, Method::POST).await.0, 200);
}
