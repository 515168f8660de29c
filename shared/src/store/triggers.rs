//! `triggers`.

use std::collections::BTreeMap;

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Precondition, Query},
};
use crate::{
    ids::{OrgId, TriggerId, Uid},
    models::{SystemPrincipal, Trigger, TriggerSource},
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
    /// Returns the database's error, also for one that cannot be read.
    pub async fn list_triggers_by_user(
        &self,
        _caller: &SystemPrincipal,
        uid: &Uid,
        page: &Page,
    ) -> Result<Listing<Versioned<Trigger>>, Error> {
        let query = Query::new("triggers", page.limit);
        let query = query.filter("source.uid", Comparison::Equal, uid.as_str());
        self.strict_page_by_id(query, page).await
    }
}

/// Creates the trigger; its write starts the workflow.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(trigger: &Trigger) -> Result<Write, Error> {
    super::create(path(&trigger.id), trigger)
}

/// Takes out of a trigger that is there who has fired it; the write starts nothing.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn forget_user(trigger: &Trigger) -> Result<Write, Error> {
    let source = TriggerSource {
        uid: None,
        ..trigger.source.clone()
    };
    let field = BTreeMap::from([("source", source)]);
    super::merge(path(&trigger.id), &field, Precondition::Exists)
}

/// Changes nothing, but has the commit fail when the trigger is not there any more.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn require(trigger: &Trigger) -> Result<Write, Error> {
    let field = BTreeMap::from([("dedupeKey", &trigger.dedupe_key)]);
    super::merge(path(&trigger.id), &field, Precondition::Exists)
}

/// Deletes the trigger; the write starts nothing.
#[must_use]
pub fn delete(id: &TriggerId) -> Write {
    super::delete(path(id), Precondition::None)
}

fn path(id: &TriggerId) -> DocumentPath {
    DocumentPath::new("triggers", id.as_str())
}
