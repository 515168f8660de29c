//! `triggers`.

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Precondition, Query},
};
use crate::{
    ids::{OrgId, TriggerId, Uid},
    models::{SystemPrincipal, Trigger},
};

impl Store {
    /// The organization's trigger; another organization's does not exist.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_trigger(
        &self,
        org_id: &OrgId,
        id: &TriggerId,
    ) -> Result<Option<Trigger>, Error> {
        let trigger: Option<Versioned<Trigger>> = self.load(&path(id)).await?;
        Ok(trigger
            .map(|trigger| trigger.value)
            .filter(|trigger| trigger.org_id == *org_id))
    }

    /// Triggers of all organizations that the user has fired, by id.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_triggers_by_user(
        &self,
        _caller: &SystemPrincipal,
        uid: &Uid,
        page: &Page,
    ) -> Result<Listing<Trigger>, Error> {
        let query = Query::new("triggers", page.limit);
        let query = query.filter("source.uid", Comparison::Equal, uid.as_str());
        self.page_by_id(query, page).await
    }
}

/// Creates the trigger; its write starts the workflow.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(trigger: &Trigger) -> Result<Write, Error> {
    super::create(path(&trigger.id), trigger)
}

/// Replaces a trigger that was handled; the write starts nothing.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace(trigger: &Trigger) -> Result<Write, Error> {
    super::write(path(&trigger.id), trigger, Precondition::Exists)
}

/// Deletes the trigger; the write starts nothing.
#[must_use]
pub fn delete(id: &TriggerId) -> Write {
    super::delete(path(id), Precondition::None)
}

fn path(id: &TriggerId) -> DocumentPath {
    DocumentPath::new("triggers", id.as_str())
}
