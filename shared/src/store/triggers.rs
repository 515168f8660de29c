//! `triggers`.

use super::{DocumentPath, Error, Store, Versioned, Write, document_db::Precondition};
use crate::{
    ids::{OrgId, TriggerId},
    models::Trigger,
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
}

/// Creates the trigger; its write starts the workflow.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(trigger: &Trigger) -> Result<Write, Error> {
    super::create(path(&trigger.id), trigger)
}

/// Deletes the trigger; the write starts nothing.
#[must_use]
pub fn delete(id: &TriggerId) -> Write {
    super::delete(path(id), Precondition::None)
}

fn path(id: &TriggerId) -> DocumentPath {
    DocumentPath::new("triggers", id.as_str())
}
