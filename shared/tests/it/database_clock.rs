//! The clock that is set by the database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use shared::{
    clock::Clock,
    models::Timestamp,
    store::{
        DatabaseClock, Store, Write,
        document_db::{Document, DocumentDb, DocumentPath, Error, Query},
    },
    testing::{FixedClock, MemoryDb},
};

/// A database with a clock of its own, which is as quick as it is told.
struct Timed {
    db: MemoryDb,
    clock: FixedClock,
    latency: AtomicU64,
}

#[async_trait]
impl DocumentDb for Timed {
    async fn get(&self, path: &DocumentPath) -> Result<Option<Document>, Error> {
        self.db.get(path).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Document>, Error> {
        self.db.query(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Timestamp, Error> {
        self.db.commit(writes).await?;
        let committed_at = self.clock.shared().now();
        self.pass(self.latency.load(Ordering::Relaxed)).await;
        Ok(committed_at.into())
    }
}

impl Timed {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            db: MemoryDb::new(),
            clock: FixedClock::at("2026-11-26T12:00:00Z"),
            latency: AtomicU64::new(0),
        })
    }

    /// Lets time pass for everybody.
    async fn pass(&self, seconds: u64) {
        let duration = Duration::from_secs(seconds);
        self.clock.advance(duration);
        tokio::time::advance(duration).await;
    }

    fn now(&self) -> jiff::Timestamp {
        self.clock.shared().now()
    }
}

#[tokio::test(start_paused = true)]
async fn machines_that_disagree_by_minutes_agree_on_the_time() {
    let db = Timed::new();
    for local in ["2026-11-26T12:02:00Z", "2026-11-26T11:58:00Z"] {
        let local = FixedClock::at(local);
        let clock = DatabaseClock::new(db.clone(), local.shared());
        assert_eq!(clock.now(), local.shared().now(), "nothing is known yet");
        clock.calibrate().await.unwrap();
        assert_eq!(clock.now(), db.now());
        db.pass(5).await;
        assert_eq!(clock.now(), db.now());
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_whose_clock_is_put_right_changes_nothing() {
    let db = Timed::new();
    let local = FixedClock::at("2026-11-26T12:02:00Z");
    let clock = DatabaseClock::new(db.clone(), local.shared());
    clock.calibrate().await.unwrap();
    local.advance(Duration::from_secs(3_600));
    assert_eq!(clock.now(), db.now());
}

#[tokio::test(start_paused = true)]
async fn a_slow_commit_does_not_make_the_clock_slow() {
    let db = Timed::new();
    let clock = Arc::new(DatabaseClock::new(db.clone(), db.clock.shared()));
    clock.calibrate().await.unwrap();
    db.latency.store(50, Ordering::Relaxed);
    Store::new(clock.clone()).commit(Vec::new()).await.unwrap();
    assert_eq!(clock.now(), db.now());
}
