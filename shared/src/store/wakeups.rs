//! `wakeups`: their creation is an event, by which a waiting execution goes on.

use super::{
    DocumentPath, Error, Store, Write,
    document_db::{Comparison, Order, Precondition, Query},
};
use crate::{
    ids::RecordId,
    models::{SystemPrincipal, Timestamp, Wakeup},
};

impl Store {
    /// Wakeups of all organizations that nobody has handled since `before`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_missed_wakeups(
        &self,
        _caller: &SystemPrincipal,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<Wakeup>, Error> {
        let query = Query::new("wakeups", limit)
            .filter("createdAt", Comparison::LessOrEqual, before)
            .order(Order::Ascending("createdAt"));
        self.list_readable(&query).await
    }
}

/// Wakes an execution up; the same thing that happened wakes it once.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set(wakeup: &Wakeup) -> Result<Write, Error> {
    super::write(path(&wakeup.id), wakeup, Precondition::None)
}

/// Deletes the wakeup.
#[must_use]
pub fn delete(id: &RecordId) -> Write {
    super::delete(path(id), Precondition::None)
}

fn path(id: &RecordId) -> DocumentPath {
    DocumentPath::new("wakeups", id.as_str())
}
