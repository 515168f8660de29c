use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use super::document_db::{
    Document, DocumentDb, DocumentPath, Error, Operation, Precondition, Query, Write,
};
use crate::{
    clock::{Clock, SharedClock},
    models::Timestamp,
};

/// How much a reading loses of its worth: no machine's clock drifts faster than a millisecond in a
/// second.
const DRIFT_PER_SECOND: Duration = Duration::from_millis(1);

/// The database's own clock, as far as this process can tell: the time of a commit, and what has
/// passed since by the machine's monotonic clock. Machines may disagree by minutes, and be put right
/// at any moment; on leases they must agree.
pub struct DatabaseClock {
    db: Arc<dyn DocumentDb>,
    local: SharedClock,
    reading: Mutex<Option<Reading>>,
}

/// What a commit has told.
#[derive(Clone, Copy)]
struct Reading {
    /// The database's time at some moment of the commit.
    committed_at: Timestamp,
    /// When the answer had come.
    received: Instant,
    /// How long the commit took: the database may be so far ahead.
    latency: Duration,
}

impl Reading {
    /// How far the clock may be off by now.
    fn doubt(&self, now: Instant) -> Duration {
        let age = now.saturating_duration_since(self.received).as_secs();
        self.latency + DRIFT_PER_SECOND.saturating_mul(u32::try_from(age).unwrap_or(u32::MAX))
    }
}

impl DatabaseClock {
    /// A clock that is read off the commits that go through it to `db`; the `local` one until there
    /// is any.
    #[must_use]
    pub fn new(db: Arc<dyn DocumentDb>, local: SharedClock) -> Self {
        Self {
            db,
            local,
            reading: Mutex::default(),
        }
    }

    /// Makes sure that the database's time is known.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn calibrate(&self) -> Result<(), Error> {
        if self.reading().is_some() {
            return Ok(());
        }
        let write = Write {
            path: DocumentPath::new("clocks", "commit"),
            operation: Operation::Merge {
                fields: Default::default(),
                increments: vec![("readings", 1)],
            },
            precondition: Precondition::None,
        };
        self.commit(vec![write]).await.map(|_| ())
    }

    fn reading(&self) -> Option<Reading> {
        *self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a reading, if it is better than the one there is.
    fn observe(&self, new: Reading) {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if reading.is_none_or(|old| new.latency <= old.doubt(new.received)) {
            *reading = Some(new);
        }
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> jiff::Timestamp {
        let Some(reading) = self.reading() else {
            return self.local.now();
        };
        let passed = reading.received.elapsed();
        reading.committed_at.plus(passed).instant()
    }
}

#[async_trait]
impl DocumentDb for DatabaseClock {
    async fn get(&self, path: &DocumentPath) -> Result<Option<Document>, Error> {
        self.db.get(path).await
    }

    async fn exists(&self, path: &DocumentPath) -> Result<bool, Error> {
        self.db.exists(path).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Document>, Error> {
        self.db.query(query).await
    }

    async fn count(&self, query: &Query) -> Result<usize, Error> {
        self.db.count(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Timestamp, Error> {
        let sent = Instant::now();
        let committed_at = self.db.commit(writes).await?;
        let received = Instant::now();
        self.observe(Reading {
            committed_at,
            received,
            latency: received - sent,
        });
        Ok(committed_at)
    }
}
