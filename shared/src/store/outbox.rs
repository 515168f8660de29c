//! `outbox`.

use super::{
    DocumentPath, Error, Store, Versioned, Write,
    document_db::{Comparison, Order, Precondition, Query},
};
use crate::{
    ids::RecordId,
    models::{OutboxRow, SystemPrincipal, Timestamp},
};

impl Store {
    /// A row of the outbox.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_outbox_row(
        &self,
        _caller: &SystemPrincipal,
        id: &RecordId,
    ) -> Result<Option<Versioned<OutboxRow>>, Error> {
        self.load(&path(id)).await
    }

    /// Rows of all organizations that are to be sent by now, or whose sender has gone.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_due_outbox_rows(
        &self,
        _caller: &SystemPrincipal,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Versioned<OutboxRow>>, Error> {
        let mut rows = Vec::new();
        for state in ["pending", "sending"] {
            let query = Query::new("outbox", limit)
                .filter("state", Comparison::Equal, state)
                .filter("dueAt", Comparison::LessOrEqual, now)
                .order(Order::Ascending("dueAt"));
            rows.extend(self.list(&query).await?);
        }
        rows.truncate(limit as usize);
        Ok(rows)
    }
}

/// Adds a row, in the commit of what causes it.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(row: &OutboxRow) -> Result<Write, Error> {
    super::create(path(&row.id), row)
}

/// Replaces the row, if nobody changed it meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace(row: &Versioned<OutboxRow>) -> Result<Write, Error> {
    super::replace(path(&row.value.id), row)
}

/// Deletes the row, whatever has become of it.
#[must_use]
pub fn delete(id: &RecordId) -> Write {
    super::delete(path(id), Precondition::None)
}

fn path(id: &RecordId) -> DocumentPath {
    DocumentPath::new("outbox", id.as_str())
}
