//! `idempotency`: answers to requests and events that were handled.

use super::{DocumentPath, Error, Store, Versioned, Write};
use crate::{
    ids::OrgId,
    models::{IdempotencyRecord, ProcessedEvent, SystemPrincipal},
};

impl Store {
    /// The answer kept for a request of the organization.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_idempotency_record(
        &self,
        org_id: &OrgId,
        key: &str,
    ) -> Result<Option<IdempotencyRecord>, Error> {
        let record: Option<Versioned<IdempotencyRecord>> = self.load(&path(key)).await?;
        Ok(record
            .map(|record| record.value)
            .filter(|record| record.org_id == *org_id))
    }

    /// Whether an event was handled.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_processed_event(
        &self,
        _caller: &SystemPrincipal,
        key: &str,
    ) -> Result<Option<ProcessedEvent>, Error> {
        let event: Option<Versioned<ProcessedEvent>> = self.load(&path(key)).await?;
        Ok(event.map(|event| event.value))
    }

    /// Keeps that an event can never be handled, unless a repeat of it has.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn keep_failed_event(
        &self,
        _caller: &SystemPrincipal,
        key: &str,
        event: &ProcessedEvent,
    ) -> Result<(), Error> {
        match self.commit(vec![create_processed_event(key, event)?]).await {
            Ok(_) | Err(Error::AlreadyExists) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Keeps the answer to a request, in the commit of its effect.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create_record(key: &str, record: &IdempotencyRecord) -> Result<Write, Error> {
    super::create(path(key), record)
}

/// Keeps that an event was handled, in the commit of its effect.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create_processed_event(key: &str, event: &ProcessedEvent) -> Result<Write, Error> {
    super::create(path(key), event)
}

fn path(key: &str) -> DocumentPath {
    DocumentPath::new("idempotency", key)
}
