//! The clock that is set by the database.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use shared::{
    clock::{Clock, SharedClock},
    models::Timestamp,
    store::{
        DatabaseClock, Store, Write,
        document_db::{Document, DocumentDb, DocumentPath, Error, Query},
    },
    testing::{FixedClock, MemoryDb},
};

/// A database with a clock of its own.
struct Timed {
    db: MemoryDb,
    clock: SharedClock,
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
        Ok(self.clock.now().into())
    }
}

#[tokio::test]
async fn machines_that_disagree_by_minutes_agree_on_the_time() {
    let database = FixedClock::at("2026-11-26T12:00:00Z");
    let clock = database.shared();
    let db = Arc::new(Timed {
        db: MemoryDb::new(),
        clock,
    });
    for local in ["2026-11-26T12:02:00Z", "2026-11-26T11:58:00Z"] {
        let local = FixedClock::at(local);
        let clock = Arc::new(DatabaseClock::new(db.clone(), local.shared()));
        assert_eq!(clock.now(), local.shared().now(), "nothing is known yet");
        clock.calibrate().await.unwrap();
        assert_eq!(clock.now(), database.shared().now());
        local.advance(Duration::from_secs(5));
        let late = database.shared().now() + Duration::from_secs(5);
        assert_eq!(clock.now(), late);
    }
}

#[tokio::test]
async fn every_commit_sets_the_clock_again() {
    let database = FixedClock::at("2026-11-26T12:00:00Z");
    let clock = database.shared();
    let db = Arc::new(Timed {
        db: MemoryDb::new(),
        clock,
    });
    let local = FixedClock::at("2026-11-26T12:02:00Z");
    let clock = Arc::new(DatabaseClock::new(db, local.shared()));
    clock.calibrate().await.unwrap();
    // The machine's clock is put right, by two minutes back.
    database.advance(Duration::from_secs(60));
    Store::new(clock.clone()).commit(Vec::new()).await.unwrap();
    assert_eq!(clock.now(), database.shared().now());
}
