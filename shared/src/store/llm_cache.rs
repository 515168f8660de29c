//! `organizations/{id}/llm_cache`.

use super::{DocumentPath, Error, Store, Versioned, Write, document_db::Precondition};
use crate::{
    ids::{OrgId, RecordId},
    models::CachedAnswer,
};

impl Store {
    /// The answer that the organization keeps under an id, whether or not it has expired.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_cached_answer(
        &self,
        org_id: &OrgId,
        id: &RecordId,
    ) -> Result<Option<CachedAnswer>, Error> {
        let found: Option<Versioned<CachedAnswer>> = self.load(&path(org_id, id)).await?;
        Ok(found.map(|found| found.value))
    }
}

/// Keeps the answer, in the place of an earlier one.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set(answer: &CachedAnswer) -> Result<Write, Error> {
    super::write(path(&answer.org_id, &answer.id), answer, Precondition::None)
}

fn path(org_id: &OrgId, id: &RecordId) -> DocumentPath {
    DocumentPath::new("organizations", org_id.as_str()).child("llm_cache", id.as_str())
}
