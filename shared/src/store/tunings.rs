//! `agents/{id}/tunings` and `organizations/{id}/tuned_models`.

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Order, Precondition, Query},
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

    /// The organization's model of this name; another organization's does not exist.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_tuned_model(
        &self,
        org_id: &OrgId,
        name: &str,
    ) -> Result<Option<Versioned<TunedModel>>, Error> {
        self.load(&model_path(org_id, &TunedModel::id_of(name)))
            .await
    }

    /// The writes that delete tunings with the organization's agent that have ended, among `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_tuning_removals(
        &self,
        org_id: &OrgId,
        agent_id: &AgentId,
        limit: u32,
    ) -> Result<Vec<Write>, Error> {
        let page = Page::first(limit);
        let listing = self.list_tunings(org_id, agent_id, &page).await?;
        let ended = listing.items.iter().filter(|one| one.state.is_final());
        let delete = |one: &Tuning| super::delete(path(agent_id, &one.id), Precondition::None);
        Ok(ended.map(delete).collect())
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
    super::create(model_path(&model.org_id, &model.id), model)
}

/// Deletes the tuning, if nobody changed it meanwhile.
#[must_use]
pub fn delete(tuning: &Versioned<Tuning>) -> Write {
    let path = path(&tuning.value.agent_id, &tuning.value.id);
    super::delete(path, Precondition::Version(tuning.version))
}

/// Has a model be known no more, if nobody changed it meanwhile.
#[must_use]
pub fn unregister(model: &Versioned<TunedModel>) -> Write {
    let path = model_path(&model.value.org_id, &model.value.id);
    super::delete(path, Precondition::Version(model.version))
}

fn model_path(org_id: &OrgId, id: &RecordId) -> DocumentPath {
    let organization = DocumentPath::new("organizations", org_id.as_str());
    organization.child("tuned_models", id.as_str())
}

fn path(agent_id: &AgentId, id: &RecordId) -> DocumentPath {
    DocumentPath::new("agents", agent_id.as_str()).child("tunings", id.as_str())
}
