//! `workflow_states`: what the runs of a workflow have to share.

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Precondition, Query},
};
use crate::{
    ids::{OrgId, WorkflowId},
    models::{SystemPrincipal, Timestamp, WorkflowState},
};

impl Store {
    /// What the runs of the organization's workflow share, if they share anything.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_workflow_state(
        &self,
        org_id: &OrgId,
        id: &WorkflowId,
    ) -> Result<Option<Versioned<WorkflowState>>, Error> {
        let state: Option<Versioned<WorkflowState>> = self.load(&path(id)).await?;
        Ok(state.filter(|state| state.value.org_id == *org_id))
    }

    /// States of workflows of all organizations of which runs wait for another to end, by id.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_queueing_workflows(
        &self,
        _caller: &SystemPrincipal,
        page: &Page,
    ) -> Result<Listing<Versioned<WorkflowState>>, Error> {
        let query = Query::new("workflow_states", page.limit);
        let query = query.filter("hasQueue", Comparison::Equal, true);
        self.versioned_page_by_id(query, page).await
    }
}

/// Writes the state, if nobody changed it meanwhile; creates it without a version.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set(state: &WorkflowState, version: Option<Timestamp>) -> Result<Write, Error> {
    let precondition = version.map_or(Precondition::Absent, Precondition::Version);
    super::write(path(&state.workflow_id), state, precondition)
}

fn path(id: &WorkflowId) -> DocumentPath {
    DocumentPath::new("workflow_states", id.as_str())
}
