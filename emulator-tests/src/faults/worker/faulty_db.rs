use std::{fmt, str::FromStr, sync::Arc};

use async_trait::async_trait;
use shared::{
    models::Timestamp,
    store::document_db::{Document, DocumentDb, DocumentPath, Error, Query, Write},
};

use crate::faults::chance::Chance;

/// How many of 1,000 calls of a database or a sink fail, by kind: `lost,unavailable,aborted`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// It is done, but reported as not answered.
    pub lost: u32,
    /// It is not done: overloaded or not reachable.
    pub unavailable: u32,
    /// It is not done: the database's own contention.
    pub aborted: u32,
}

/// Rates that cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected three numbers out of 1,000: `lost,unavailable,aborted`")]
pub struct InvalidRates;

impl FromStr for FaultRates {
    type Err = InvalidRates;

    fn from_str(text: &str) -> Result<Self, InvalidRates> {
        let numbers: Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
        match numbers.map_err(|_| InvalidRates)?.as_slice() {
            [lost, unavailable, aborted] => Ok(Self {
                lost: *lost,
                unavailable: *unavailable,
                aborted: *aborted,
            }),
            _ => Err(InvalidRates),
        }
    }
}

impl fmt::Display for FaultRates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.lost, self.unavailable, self.aborted)
    }
}

/// What a fault tells in its error.
#[derive(Debug, thiserror::Error)]
#[error("a fault of the test: {0}")]
struct Injected(&'static str);

/// A database that fails now and then, as Temporal's fault injection has it
/// (`common/persistence/faultinjection` in its source).
pub struct FaultyDb {
    db: Arc<dyn DocumentDb>,
    rates: FaultRates,
    chance: Chance,
}

impl FaultyDb {
    /// `db`, with faults.
    #[must_use]
    pub fn new(db: Arc<dyn DocumentDb>, rates: FaultRates, chance: Chance) -> Self {
        Self { db, rates, chance }
    }

    fn fail_before(&self) -> Result<(), Error> {
        if self.chance.happens(self.rates.unavailable) {
            return Err(unavailable("not done"));
        }
        Ok(())
    }

    fn fail_after<T>(&self, done: T) -> Result<T, Error> {
        if self.chance.happens(self.rates.lost) {
            return Err(unavailable("done, but not answered"));
        }
        Ok(done)
    }
}

#[async_trait]
impl DocumentDb for FaultyDb {
    async fn get(&self, path: &DocumentPath) -> Result<Option<Document>, Error> {
        self.fail_before()?;
        let document = self.db.get(path).await?;
        self.fail_after(document)
    }

    async fn query(&self, query: &Query) -> Result<Vec<Document>, Error> {
        self.fail_before()?;
        let documents = self.db.query(query).await?;
        self.fail_after(documents)
    }

    /// Firestore aborts a commit under contention, whatever its preconditions
    /// (<https://cloud.google.com/firestore/docs/understand-error-codes>).
    async fn commit(&self, writes: Vec<Write>) -> Result<Timestamp, Error> {
        self.fail_before()?;
        if self.chance.happens(self.rates.aborted) {
            return Err(Error::Conflict);
        }
        let version = self.db.commit(writes).await?;
        self.fail_after(version)
    }
}

fn unavailable(what: &'static str) -> Error {
    Error::Unavailable(Box::new(Injected(what)))
}

#[cfg(test)]
mod tests {
    use shared::store::document_db::{Operation, Precondition};
    use shared::testing::MemoryDb;

    use super::*;

    fn write() -> Write {
        Write {
            path: DocumentPath::new("agents", "a1"),
            operation: Operation::Replace(Default::default()),
            precondition: Precondition::Absent,
        }
    }

    async fn commit_with(rates: FaultRates) -> (Result<Timestamp, Error>, usize) {
        let memory = Arc::new(MemoryDb::new());
        let db = FaultyDb::new(memory.clone(), rates, Chance::new(1, "store"));
        let result = db.commit(vec![write()]).await;
        (result, memory.documents("agents/").len())
    }

    #[tokio::test]
    async fn a_lost_answer_is_that_of_a_commit_that_happened() {
        let rates = FaultRates {
            lost: 1_000,
            ..FaultRates::default()
        };
        let (result, written) = commit_with(rates).await;
        assert!(matches!(result, Err(Error::Unavailable(_))));
        assert_eq!(written, 1);
    }

    #[tokio::test]
    async fn other_faults_happen_before_the_commit() {
        for rates in ["0,1000,0", "0,0,1000"] {
            let (result, written) = commit_with(rates.parse().unwrap()).await;
            assert!(result.is_err(), "{rates}");
            assert_eq!(written, 0, "{rates}");
        }
    }

    #[test]
    fn rates_read_as_they_are_written() {
        let rates: FaultRates = "50,70,10".parse().unwrap();
        assert_eq!(rates.to_string(), "50,70,10");
        assert_eq!("50,70".parse::<FaultRates>(), Err(InvalidRates));
    }
}
