//! `stripe_events`.

use super::{
    DocumentPath, Error, Store, Versioned, Write,
    document_db::{Comparison, Order, Query},
};
use crate::{
    ids::RecordId,
    models::{StripeEvent, SystemPrincipal, Timestamp},
};

impl Store {
    /// A webhook event that was received.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_stripe_event(
        &self,
        _caller: &SystemPrincipal,
        id: &RecordId,
    ) -> Result<Option<Versioned<StripeEvent>>, Error> {
        self.load(&path(id)).await
    }

    /// Pending events that are to be handed in again by now, longest due first.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_due_stripe_events(
        &self,
        _caller: &SystemPrincipal,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<StripeEvent>, Error> {
        let query = Query::new("stripe_events", limit)
            .filter("sweepAt", Comparison::LessOrEqual, now)
            .order(Order::Ascending("sweepAt"));
        self.list_readable(&query).await
    }
}

/// Keeps an event that was received for the first time.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(event: &StripeEvent) -> Result<Write, Error> {
    super::create(path(&event.id), event)
}

/// Replaces the event, if nobody changed it meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace(event: &Versioned<StripeEvent>) -> Result<Write, Error> {
    super::replace(path(&event.value.id), event)
}

fn path(id: &RecordId) -> DocumentPath {
    DocumentPath::new("stripe_events", id.as_str())
}
