//! `stripe_events`.

use super::{DocumentPath, Error, Store, Versioned, Write};
use crate::{
    ids::RecordId,
    models::{StripeEvent, SystemPrincipal},
};

impl Store {
    /// A webhook event that was acted on.
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
}

/// Keeps the event, in the commit of its effect.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(event: &StripeEvent) -> Result<Write, Error> {
    super::create(path(&event.id), event)
}

fn path(id: &RecordId) -> DocumentPath {
    DocumentPath::new("stripe_events", id.as_str())
}
