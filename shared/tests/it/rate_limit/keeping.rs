//! What is kept of a client, how much and for how long.

use std::{sync::Arc, time::Duration};

use shared::{
    clock::SystemClock,
    rate_limit::{Key, MemoryRateLimiter, RateLimiter, RedisRateLimiter},
    testing::RedisServer,
};

use super::{
    adapter::{PATIENCE, TestClock},
    limit,
};

fn limiter(server: &RedisServer) -> RedisRateLimiter {
    let limiter = RedisRateLimiter::new(&server.url().into()).unwrap();
    limiter.with_budget(PATIENCE)
}

/// By the server's own clock. The window is longer than the test.
#[tokio::test]
async fn four_clients_of_one_redis_admit_the_limit_together() {
    let server = RedisServer::start().unwrap();
    let limiters: Vec<_> = (0..4).map(|_| limiter(&server)).collect();
    let key = Key::new("test", b"a");
    let takes = (0..400).map(|number| limiters[number % 4].take(&key, limit(100, 3_600)));
    let decisions = futures::future::join_all(takes).await;
    let admitted = decisions.iter().filter(|decision| {
        let decision = decision.as_ref().unwrap();
        assert!(decision.reset_after <= Duration::from_secs(3_600));
        decision.is_admitted
    });
    assert_eq!(admitted.count(), 100);
}

#[tokio::test]
async fn redis_keeps_as_many_times_as_the_limit_for_as_long_as_the_window() {
    let server = RedisServer::start().unwrap();
    let limiter = limiter(&server);
    let key = Key::new("test", b"203.0.113.7");
    for _ in 0..50 {
        limiter.take(&key, limit(10, 3_600)).await.unwrap();
    }
    let name = key.to_string();
    assert_eq!(server.ask(&["KEYS", "*"]).unwrap(), name);
    assert_eq!(server.ask(&["LLEN", &name]).unwrap(), "10");
    let left: u64 = server.ask(&["PTTL", &name]).unwrap().parse().unwrap();
    assert!((3_000_000..=3_600_001).contains(&left), "{left} ms");
    assert!(!name.contains("203.0.113.7"), "{name}");
}

/// A real second: the server's clock is what ends a key.
#[tokio::test]
async fn redis_forgets_who_does_not_come_again() {
    let server = RedisServer::start().unwrap();
    let limiter = limiter(&server);
    let key = Key::new("test", b"a");
    limiter.take(&key, limit(10, 1)).await.unwrap();
    let look = async {
        let mut interval = tokio::time::interval(Duration::from_millis(10));
        while server.ask(&["DBSIZE"]).unwrap() != "0" {
            interval.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap();
}

#[tokio::test]
async fn a_script_that_redis_has_forgotten_is_told_again() {
    let server = RedisServer::start().unwrap();
    let limiter = limiter(&server);
    let key = Key::new("test", b"a");
    assert_eq!(
        limiter.take(&key, limit(5, 3_600)).await.unwrap().remaining,
        4
    );
    server.ask(&["SCRIPT", "FLUSH"]).unwrap();
    assert_eq!(
        limiter.take(&key, limit(5, 3_600)).await.unwrap().remaining,
        3
    );
}

#[tokio::test]
async fn a_connection_that_broke_meanwhile_is_made_anew_unnoticed() {
    let server = RedisServer::start().unwrap();
    let limiter = limiter(&server);
    let key = Key::new("test", b"a");
    limiter.take(&key, limit(5, 3_600)).await.unwrap();
    server.ask(&["CLIENT", "KILL", "TYPE", "NORMAL"]).unwrap();
    assert!(limiter.take(&key, limit(5, 3_600)).await.is_ok());
}

#[test]
fn memory_is_bounded_and_keeps_those_who_come() {
    let limiter = MemoryRateLimiter::new(TestClock::at_noon().shared()).with_max_keys(100);
    let busy = Key::new("test", b"busy");
    assert!(limiter.is_empty());
    for number in 0..10_000_u32 {
        limiter.count(&Key::new("test", &number.to_be_bytes()), limit(5, 60));
        let decision = limiter.count(&busy, limit(5, 60));
        assert_eq!(decision.is_admitted, number < 5, "{number}");
        assert!(limiter.len() <= 100);
    }
}

#[test]
fn the_address_of_redis_is_checked_and_shown_to_nobody() {
    let config = super::config(&[("REDIS_URL", "http://:s3cret@redis")]);
    assert!(!format!("{config:?}").contains("s3cret"));
    let limits = shared::rate_limit::RateLimits::new(config, Arc::new(SystemClock));
    let error = limits.err().unwrap().to_string();
    assert!(
        error.contains("`REDIS_URL`") && !error.contains("s3cret"),
        "{error}"
    );
}
