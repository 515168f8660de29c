use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use jiff::SignedDuration;

use super::document_db::{
    Document, DocumentDb, DocumentPath, Error, Operation, Precondition, Query, Write,
};
use crate::{
    clock::{Clock, SharedClock},
    models::Timestamp,
};

/// No clock is so far off, in microseconds: stands for an offset that is not known.
const UNKNOWN: i64 = i64::MAX;

/// The database's own clock, as far as this process can tell: that of this machine, corrected by
/// what the last commit has shown. Machines may disagree by minutes; on leases they must agree.
pub struct DatabaseClock {
    db: Arc<dyn DocumentDb>,
    local: SharedClock,
    offset_micros: AtomicI64,
}

impl DatabaseClock {
    /// A clock that is read off the commits that go through it to `db`.
    #[must_use]
    pub fn new(db: Arc<dyn DocumentDb>, local: SharedClock) -> Self {
        Self {
            db,
            local,
            offset_micros: AtomicI64::new(UNKNOWN),
        }
    }

    /// Makes sure that the database's time is known.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn calibrate(&self) -> Result<(), Error> {
        if self.offset_micros.load(Ordering::Relaxed) != UNKNOWN {
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

    fn observe(&self, committed_at: Timestamp) {
        let ahead = committed_at.instant().duration_since(self.local.now());
        let micros = i64::try_from(ahead.as_micros()).unwrap_or_default();
        self.offset_micros.store(micros, Ordering::Relaxed);
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> jiff::Timestamp {
        let local = self.local.now();
        match self.offset_micros.load(Ordering::Relaxed) {
            UNKNOWN => local,
            micros => local
                .checked_add(SignedDuration::from_micros(micros))
                .unwrap_or(local),
        }
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

    async fn commit(&self, writes: Vec<Write>) -> Result<Timestamp, Error> {
        let committed_at = self.db.commit(writes).await?;
        self.observe(committed_at);
        Ok(committed_at)
    }
}
