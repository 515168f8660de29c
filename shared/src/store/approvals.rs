//! `approvals`.

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Query},
};
use crate::{
    ids::{ExecutionId, OrgId, RecordId},
    models::Approval,
};

/// Approvals that one execution can wait for at most: one for each of its steps.
const MAX_OF_EXECUTION: u32 = 1_000;

impl Store {
    /// The organization's approval; another organization's does not exist.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_approval(
        &self,
        org_id: &OrgId,
        id: &RecordId,
    ) -> Result<Option<Versioned<Approval>>, Error> {
        let approval: Option<Versioned<Approval>> = self.load(&path(id)).await?;
        Ok(approval.filter(|approval| approval.value.org_id == *org_id))
    }

    /// The organization's approvals that nobody has decided, by id.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_pending_approvals(
        &self,
        org_id: &OrgId,
        page: &Page,
    ) -> Result<Listing<Approval>, Error> {
        let query = Query::new("approvals", page.limit)
            .filter("orgId", Comparison::Equal, org_id.as_str())
            .filter("status", Comparison::Equal, "pending");
        self.page_by_id(query, page).await
    }

    /// All approvals that an execution has asked for.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_approvals_of(
        &self,
        org_id: &OrgId,
        execution_id: &ExecutionId,
    ) -> Result<Vec<Versioned<Approval>>, Error> {
        let query = Query::new("approvals", MAX_OF_EXECUTION)
            .filter("orgId", Comparison::Equal, org_id.as_str())
            .filter("executionId", Comparison::Equal, execution_id.as_str());
        self.list(&query).await
    }
}

/// Creates the approval.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(approval: &Approval) -> Result<Write, Error> {
    super::create(path(&approval.id), approval)
}

/// Replaces the approval, if nobody changed it meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace(approval: &Versioned<Approval>) -> Result<Write, Error> {
    super::replace(path(&approval.value.id), approval)
}

/// Deletes the approval.
#[must_use]
pub fn delete(id: &RecordId) -> Write {
    super::delete(path(id), super::Precondition::None)
}

fn path(id: &RecordId) -> DocumentPath {
    DocumentPath::new("approvals", id.as_str())
}
