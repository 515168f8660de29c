//! `executions/{id}/drafts`.

use super::{
    DocumentPath, Error, Store, Write,
    document_db::{Comparison, Precondition, Query},
    executions::path,
};
use crate::{
    ids::{ExecutionId, OrgId},
    models::{Draft, Step},
};

impl Store {
    /// The answers that models are giving in the organization's execution.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_drafts(
        &self,
        org_id: &OrgId,
        id: &ExecutionId,
        limit: u32,
    ) -> Result<Vec<Draft>, Error> {
        self.list_readable(&drafts_of(org_id, id, limit)).await
    }

    /// The writes that delete at most `limit` answers under way; none when all are gone.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_draft_removals(
        &self,
        org_id: &OrgId,
        id: &ExecutionId,
        limit: u32,
    ) -> Result<Vec<Write>, Error> {
        self.list_removals(&drafts_of(org_id, id, limit)).await
    }
}

/// Keeps what a model has said so far.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set(id: &ExecutionId, draft: &Draft) -> Result<Write, Error> {
    let path = draft_path(id, &draft.node_id, &draft.iteration);
    super::write(path, draft, Precondition::None)
}

/// Deletes what a model has said so far: the journal has its whole answer, or will have another.
#[must_use]
pub fn delete(id: &ExecutionId, node_id: &str, iteration: &str) -> Write {
    super::delete(draft_path(id, node_id, iteration), Precondition::None)
}

fn drafts_of(org_id: &OrgId, id: &ExecutionId, limit: u32) -> Query {
    let query = Query::new(path(id).collection("drafts"), limit);
    query.filter("orgId", Comparison::Equal, org_id.as_str())
}

fn draft_path(id: &ExecutionId, node_id: &str, iteration: &str) -> DocumentPath {
    path(id).child("drafts", &Step::name_of(node_id, iteration))
}
