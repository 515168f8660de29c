use std::sync::{
    Mutex as StdMutex,
    atomic::{AtomicI64, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use futures::{FutureExt, future::join_all};

use super::*;
use crate::clock::Clock;

/// A clock that the test moves.
#[derive(Default)]
struct ManualClock(AtomicI64);

impl ManualClock {
    fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// A source that counts, and answers what the test puts there.
#[derive(Default)]
struct CountingSource {
    fetches: AtomicUsize,
    answer: StdMutex<Option<FetchedKeys>>,
}

impl CountingSource {
    fn answer(&self, jwks: &str, max_age_secs: u64) {
        *self.answer.lock().unwrap() = Some(FetchedKeys {
            keys: KeySet::from_jwks(jwks).unwrap(),
            max_age: Duration::from_secs(max_age_secs),
        });
    }

    fn fail(&self) {
        *self.answer.lock().unwrap() = None;
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl KeySource for CountingSource {
    async fn fetch(&self) -> Result<FetchedKeys, Error> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let answer = self.answer.lock().unwrap().clone();
        answer.ok_or_else(|| unavailable("scripted"))
    }
}

struct Fixture {
    source: Arc<CountingSource>,
    clock: Arc<ManualClock>,
    cache: KeyCache,
}

impl Fixture {
    /// A cache before a source that has the key `k1` for an hour.
    fn new() -> Self {
        let source = Arc::new(CountingSource::default());
        source.answer(&jwks("k1"), 3600);
        let clock = Arc::new(ManualClock::default());
        let cache = KeyCache::new(source.clone(), clock.clone());
        Self {
            source,
            clock,
            cache,
        }
    }

    async fn has(&self, key_id: &str) -> bool {
        self.cache.keys_for(key_id).await.unwrap().contains(key_id)
    }
}

/// No signature is checked here, so the key need not be a good one.
fn jwks(key_id: &str) -> String {
    format!(r#"{{"keys":[{{"kty":"RSA","kid":"{key_id}","n":"AQAB","e":"AQAB"}}]}}"#)
}

#[tokio::test]
async fn keys_are_fetched_once_and_kept_for_their_age() {
    let fixture = Fixture::new();
    assert!(fixture.has("k1").await);
    fixture.clock.advance(3599);
    assert!(fixture.has("k1").await);
    assert_eq!(fixture.source.fetches(), 1);
    fixture.clock.advance(1);
    assert!(fixture.has("k1").await);
    assert_eq!(fixture.source.fetches(), 2);
}

#[tokio::test]
async fn keys_are_kept_for_a_day_at_most() {
    let fixture = Fixture::new();
    fixture.source.answer(&jwks("k1"), u64::MAX);
    assert!(fixture.has("k1").await);
    fixture.clock.advance(24 * 60 * 60 - 1);
    assert!(fixture.has("k1").await);
    assert_eq!(fixture.source.fetches(), 1);
    fixture.clock.advance(1);
    assert!(fixture.has("k1").await);
    assert_eq!(fixture.source.fetches(), 2);
}

#[tokio::test]
async fn keys_without_age_serve_the_request_that_fetched_them() {
    let fixture = Fixture::new();
    fixture.source.answer(&jwks("k1"), 0);
    assert!(fixture.has("k1").await);
    assert!(fixture.has("k1").await);
    assert_eq!(fixture.source.fetches(), 2);
}

#[tokio::test]
async fn a_hundred_requests_make_one_fetch() {
    let fixture = Fixture::new();
    let requests = (0..100).map(|_| fixture.has("k1"));
    assert!(join_all(requests).await.into_iter().all(|has| has));
    assert_eq!(fixture.source.fetches(), 1);
}

#[tokio::test]
async fn a_hundred_requests_share_one_failure() {
    let fixture = Fixture::new();
    fixture.source.fail();
    let requests = (0..100).map(|_| fixture.cache.keys_for("k1"));
    let answers = join_all(requests).await;
    assert!(answers.iter().all(Result::is_err));
    assert_eq!(fixture.source.fetches(), 1);
}

#[tokio::test]
async fn a_new_key_is_found_at_once() {
    let fixture = Fixture::new();
    assert!(fixture.has("k1").await);
    fixture.source.answer(&jwks("k2"), 3600);
    assert!(fixture.has("k2").await);
    assert_eq!(fixture.source.fetches(), 2);
}

#[tokio::test]
async fn unknown_keys_make_one_fetch_a_minute() {
    let fixture = Fixture::new();
    assert!(fixture.has("k1").await);
    for forged in ["a", "b", "c"] {
        assert!(!fixture.has(forged).await);
    }
    assert_eq!(fixture.source.fetches(), 2);
    fixture.clock.advance(59);
    assert!(!fixture.has("d").await);
    assert_eq!(fixture.source.fetches(), 2);
    fixture.clock.advance(1);
    assert!(!fixture.has("e").await);
    assert_eq!(fixture.source.fetches(), 3);
}

#[tokio::test]
async fn an_unknown_key_at_the_start_counts_its_fetch() {
    let fixture = Fixture::new();
    assert!(!fixture.has("a").await);
    assert!(!fixture.has("b").await);
    assert_eq!(fixture.source.fetches(), 1);
}

#[tokio::test]
async fn a_hundred_unknown_keys_at_once_make_one_fetch() {
    let fixture = Fixture::new();
    assert!(fixture.has("k1").await);
    let names: Vec<_> = (0..100).map(|n| format!("forged{n}")).collect();
    join_all(names.iter().map(|name| fixture.has(name))).await;
    assert_eq!(fixture.source.fetches(), 2);
}

#[tokio::test]
async fn a_failed_fetch_for_an_unknown_key_counts_too() {
    let fixture = Fixture::new();
    assert!(fixture.has("k1").await);
    fixture.source.fail();
    assert!(!fixture.has("a").await);
    assert!(!fixture.has("b").await);
    assert_eq!(fixture.source.fetches(), 2);
}

#[tokio::test]
async fn known_keys_are_served_when_a_refresh_fails() {
    let fixture = Fixture::new();
    assert!(fixture.has("k1").await);
    fixture.source.fail();
    assert!(!fixture.has("k2").await);
    assert!(fixture.has("k1").await);
    assert_eq!(fixture.source.fetches(), 2);
}

#[tokio::test]
async fn known_keys_do_not_wait_for_a_refresh() {
    let fixture = Fixture::new();
    assert!(fixture.has("k1").await);
    let refresh_under_way = fixture.cache.attempts.lock().await;
    assert_eq!(fixture.has("k1").now_or_never(), Some(true));
    drop(refresh_under_way);
}

#[tokio::test]
async fn expired_keys_are_not_served_when_a_refresh_fails() {
    let fixture = Fixture::new();
    assert!(fixture.has("k1").await);
    fixture.clock.advance(3600);
    fixture.source.fail();
    let answer = fixture.cache.keys_for("k1").await;
    assert!(matches!(answer, Err(Error::KeysUnavailable(_))));
}

#[tokio::test]
async fn a_failed_source_is_asked_again_after_a_pause() {
    let fixture = Fixture::new();
    fixture.source.fail();
    assert!(fixture.cache.keys_for("k1").await.is_err());
    fixture.source.answer(&jwks("k1"), 3600);
    fixture.clock.advance(4);
    assert!(fixture.cache.keys_for("k1").await.is_err());
    fixture.clock.advance(1);
    assert!(fixture.has("k1").await);
    assert_eq!(fixture.source.fetches(), 2);
}

#[tokio::test]
async fn withdrawn_keys_are_forgotten_at_the_next_fetch() {
    let fixture = Fixture::new();
    assert!(fixture.has("k1").await);
    fixture.source.answer(&jwks("k2"), 3600);
    fixture.clock.advance(3600);
    assert!(!fixture.has("k1").await);
}
