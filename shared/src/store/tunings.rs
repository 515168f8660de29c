//! `agents/{id}/tunings` and `organizations/{id}/tuned_models`.

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Order, Query},
};
use crate::{
    ids::{AgentId, OrgId, RecordId},
    models::{SystemPrincipal, Timestamp, TunedModel, Tuning},
};

impl Store {
    /// The tuning with the organization's agent; another organization's does not exist.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_tuning(
        &self,
        org_id: &OrgId,
        agent_id: &AgentId,
        id: &RecordId,
    ) -> Result<Option<Versioned<Tuning>>, Error> {
        let tuning: Option<Versioned<Tuning>> = self.load(&path(agent_id, id)).await?;
        Ok(tuning.filter(|tuning| tuning.value.org_id == *org_id))
    }

    /// The tunings with the organization's agent, by id.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_tunings(
        &self,
        org_id: &OrgId,
        agent_id: &AgentId,
        page: &Page,
    ) -> Result<Listing<Tuning>, Error> {
        let agent = DocumentPath::new("agents", agent_id.as_str());
        let query = Query::new(agent.collection("tunings"), page.limit);
        let query = query.filter("orgId", Comparison::Equal, org_id.as_str());
        self.page_by_id(query, page).await
    }

    /// Tunings of all organizations that something is to be done about, longest due first.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_due_tunings(
        &self,
        _caller: &SystemPrincipal,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Tuning>, Error> {
        let query = Query::group("tunings", limit)
            .filter("dueAt", Comparison::LessOrEqual, now)
            .order(Order::Ascending("dueAt"));
        self.list_readable(&query).await
    }

    /// The models that only this organization can ask for, at most `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_tuned_models(
        &self,
        org_id: &OrgId,
        limit: u32,
    ) -> Result<Vec<TunedModel>, Error> {
        let organization = DocumentPath::new("organizations", org_id.as_str());
        let query = Query::new(organization.collection("tuned_models"), limit);
        self.list_readable(&query).await
    }
}

/// Creates the tuning.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(tuning: &Tuning) -> Result<Write, Error> {
    super::create(path(&tuning.agent_id, &tuning.id), tuning)
}

/// Replaces the tuning, if nobody changed it meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace(tuning: &Versioned<Tuning>) -> Result<Write, Error> {
    super::replace(path(&tuning.value.agent_id, &tuning.value.id), tuning)
}

/// Registers a model for its organization, once.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn register(model: &TunedModel) -> Result<Write, Error> {
    let organization = DocumentPath::new("organizations", model.org_id.as_str());
    super::create(organization.child("tuned_models", model.id.as_str()), model)
}

fn path(agent_id: &AgentId, id: &RecordId) -> DocumentPath {
    DocumentPath::new("agents", agent_id.as_str()).child("tunings", id.as_str())
}
