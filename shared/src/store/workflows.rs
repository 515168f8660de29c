//! `workflows` and their versions.

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Precondition, Query},
};
use crate::{
    ids::{OrgId, WorkflowId},
    models::{SystemPrincipal, Workflow, WorkflowVersion},
};

impl Store {
    /// The organization's workflow; another organization's does not exist.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_workflow(
        &self,
        org_id: &OrgId,
        id: &WorkflowId,
    ) -> Result<Option<Versioned<Workflow>>, Error> {
        let workflow: Option<Versioned<Workflow>> = self.load(&path(id)).await?;
        Ok(workflow.filter(|workflow| workflow.value.org_id == *org_id))
    }

    /// The workflow of whatever organization, for a caller who has no other proof than what the
    /// workflow itself makes.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_workflow_of_any(
        &self,
        _caller: &SystemPrincipal,
        id: &WorkflowId,
    ) -> Result<Option<Workflow>, Error> {
        let workflow: Option<Versioned<Workflow>> = self.load(&path(id)).await?;
        Ok(workflow.map(|workflow| workflow.value))
    }

    /// The organization's workflows by id.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_workflows(
        &self,
        org_id: &OrgId,
        page: &Page,
    ) -> Result<Listing<Workflow>, Error> {
        let query = Query::new("workflows", page.limit);
        let query = query.filter("orgId", Comparison::Equal, org_id.as_str());
        self.page_by_id(query, page).await
    }

    /// Whether the organization has any workflow, active or not.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn has_workflow(&self, org_id: &OrgId) -> Result<bool, Error> {
        let query = Query::new("workflows", 1).filter("orgId", Comparison::Equal, org_id.as_str());
        Ok(!self.db.query(&query).await?.is_empty())
    }

    /// The organization's active workflows by id.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_active_workflows_of(
        &self,
        org_id: &OrgId,
        page: &Page,
    ) -> Result<Listing<Workflow>, Error> {
        let query = Query::new("workflows", page.limit)
            .filter("orgId", Comparison::Equal, org_id.as_str())
            .filter("active", Comparison::Equal, true);
        self.page_by_id(query, page).await
    }

    /// Active workflows of all organizations by id, for the scheduler.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_active_workflows(
        &self,
        _caller: &SystemPrincipal,
        page: &Page,
    ) -> Result<Listing<Workflow>, Error> {
        let query = Query::new("workflows", page.limit).filter("active", Comparison::Equal, true);
        self.page_by_id(query, page).await
    }

    /// A version of the organization's workflow.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_workflow_version(
        &self,
        org_id: &OrgId,
        id: &WorkflowId,
        hash: &str,
    ) -> Result<Option<WorkflowVersion>, Error> {
        let version: Option<Versioned<WorkflowVersion>> =
            self.load(&version_path(id, hash)).await?;
        Ok(version
            .map(|version| version.value)
            .filter(|version| version.org_id == *org_id))
    }

    /// The write that keeps a version; none when it is kept already. Another may keep it first: the
    /// commit then loses the race, and there is nothing to write any more.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn keep_version(&self, version: &WorkflowVersion) -> Result<Option<Write>, Error> {
        let path = version_path(&version.workflow_id, &version.hash);
        if self.db.exists(&path).await? {
            return Ok(None);
        }
        create_version(version).map(Some)
    }
}

/// Creates the workflow.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(workflow: &Workflow) -> Result<Write, Error> {
    super::create(path(&workflow.id), workflow)
}

/// Replaces the workflow, if nobody changed it meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace(workflow: &Versioned<Workflow>) -> Result<Write, Error> {
    super::replace(path(&workflow.value.id), workflow)
}

/// Deletes the workflow, if nobody changed it meanwhile.
#[must_use]
pub fn delete(workflow: &Versioned<Workflow>) -> Write {
    super::delete(
        path(&workflow.value.id),
        Precondition::Version(workflow.version),
    )
}

/// Creates a version. The same hash means the same content: there is none that replaces it.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create_version(version: &WorkflowVersion) -> Result<Write, Error> {
    super::create(version_path(&version.workflow_id, &version.hash), version)
}

fn path(id: &WorkflowId) -> DocumentPath {
    DocumentPath::new("workflows", id.as_str())
}

fn version_path(id: &WorkflowId, hash: &str) -> DocumentPath {
    path(id).child("versions", hash)
}
