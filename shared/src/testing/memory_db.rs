//! The document database in memory, as Firestore behaves: the suite
//! `emulator-tests/tests/it/document_db.rs` runs against both.

mod documents;
mod faults;
mod matching;
mod nearness;
mod ordering;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;

use self::{documents::Documents, faults::Faults};
use super::{lock, take_time};
use crate::{
    models::Timestamp,
    store::{
        Store, Write,
        document_db::{Document, DocumentDb, DocumentPath, Error, Query},
    },
};

/// A document database in memory.
#[derive(Debug, Default)]
pub struct MemoryDb {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    documents: Documents,
    commits: Vec<Vec<Write>>,
    faults: Faults,
}

/// A store on an empty database, and the database to look into.
#[must_use]
pub fn memory_store() -> (Store, Arc<MemoryDb>) {
    let db = Arc::new(MemoryDb::new());
    (db.store(), db)
}

impl MemoryDb {
    /// An empty database.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A store on this database.
    #[must_use]
    pub fn store(self: &Arc<Self>) -> Store {
        Store::new(Arc::clone(self) as Arc<dyn DocumentDb>)
    }

    /// Has the next `count` commits report an unavailable database. With `applied` they take
    /// effect all the same, as when only the answer is lost.
    pub fn fail_next_commits(&self, count: usize, applied: bool) {
        lock(&self.state).faults.fail_commits(0, count, applied);
    }

    /// The same for one commit, after `spared` others.
    pub fn fail_commit_after(&self, spared: usize, applied: bool) {
        lock(&self.state).faults.fail_commits(spared, 1, applied);
    }

    /// Has every call report an unavailable database, until it is switched off.
    pub fn fail_all(&self, unavailable: bool) {
        lock(&self.state).faults.fail_all(unavailable);
    }

    /// Has every call take so long, from now on.
    pub fn delay_all(&self, delay: Duration) {
        lock(&self.state).faults.delay_all(delay);
    }

    /// Has every read of a document by its path report an unavailable database, from now on.
    pub fn fail_reads_of(&self, path: &DocumentPath) {
        lock(&self.state).faults.fail_reads_of(path);
    }

    /// The documents whose path begins with `prefix`, by path.
    #[must_use]
    pub fn documents(&self, prefix: &str) -> Vec<Document> {
        let state = lock(&self.state);
        let found = state
            .documents
            .iter()
            .filter(|document| document.path.as_str().starts_with(prefix));
        found.cloned().collect()
    }

    /// How many documents a collection has, those below them not counted.
    #[must_use]
    pub fn count(&self, collection: &str) -> usize {
        let state = lock(&self.state);
        state.documents.in_collection(collection).count()
    }

    /// The writes of each commit that took effect, oldest first.
    #[must_use]
    pub fn commits(&self) -> Vec<Vec<Write>> {
        lock(&self.state).commits.clone()
    }

    async fn answer(&self) {
        let delay = lock(&self.state).faults.delay();
        take_time(delay).await;
    }
}

impl State {
    fn select(&self, query: &Query) -> Result<Vec<&Document>, Error> {
        if query.is_group {
            let candidates = self.documents.in_group(&query.collection);
            return matching::select(candidates, query);
        }
        let candidates = self.documents.in_collection(&query.collection);
        matching::select(candidates, query)
    }
}

/// Every call first lets other tasks run, as a network call would: otherwise parallel tasks would
/// never come between another's read and its write.
#[async_trait]
impl DocumentDb for MemoryDb {
    async fn get(&self, path: &DocumentPath) -> Result<Option<Document>, Error> {
        self.answer().await;
        let state = lock(&self.state);
        state.faults.check_read()?;
        state.faults.check_read_of(path)?;
        Ok(state.documents.get(path).cloned())
    }

    async fn query(&self, query: &Query) -> Result<Vec<Document>, Error> {
        self.answer().await;
        let state = lock(&self.state);
        state.faults.check_read()?;
        let selected = state.select(query)?;
        Ok(selected.into_iter().cloned().collect())
    }

    /// Documents with vectors are large: none is copied.
    async fn count(&self, query: &Query) -> Result<usize, Error> {
        self.answer().await;
        let state = lock(&self.state);
        state.faults.check_read()?;
        Ok(state.select(query)?.len())
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Timestamp, Error> {
        self.answer().await;
        let mut state = lock(&self.state);
        let fault = state.faults.next_commit();
        if fault.is_some_and(|fault| !fault.applied) {
            return Err(faults::unavailable());
        }
        let outcome = state.documents.commit(&writes);
        if outcome.is_ok() {
            state.commits.push(writes);
        }
        match fault {
            Some(_) => Err(faults::unavailable()),
            None => outcome,
        }
    }
}

#[cfg(test)]
mod tests;
