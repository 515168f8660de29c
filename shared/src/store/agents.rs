//! `agents`.

use std::collections::BTreeMap;

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Precondition, Query},
};
use crate::{
    ids::{AgentId, OrgId},
    models::{Agent, Presence, Timestamp},
};

impl Store {
    /// The organization's agent; another organization's does not exist.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_agent(
        &self,
        org_id: &OrgId,
        id: &AgentId,
    ) -> Result<Option<Versioned<Agent>>, Error> {
        let agent: Option<Versioned<Agent>> = self.load(&path(id)).await?;
        Ok(agent.filter(|agent| agent.value.org_id == *org_id))
    }

    /// The organization's agents by id.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_agents(&self, org_id: &OrgId, page: &Page) -> Result<Listing<Agent>, Error> {
        let query = Query::new("agents", page.limit);
        let query = query.filter("orgId", Comparison::Equal, org_id.as_str());
        self.page_by_id(query, page).await
    }

    /// The organization's agents by id, with their versions.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_versioned_agents(
        &self,
        org_id: &OrgId,
        page: &Page,
    ) -> Result<Listing<Versioned<Agent>>, Error> {
        let query = Query::new("agents", page.limit);
        let query = query.filter("orgId", Comparison::Equal, org_id.as_str());
        self.versioned_page_by_id(query, page).await
    }

    /// The organization's agents that are in training, at most `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_agents_in_training(
        &self,
        org_id: &OrgId,
        limit: u32,
    ) -> Result<Vec<Agent>, Error> {
        let query = Query::new("agents", limit)
            .filter("orgId", Comparison::Equal, org_id.as_str())
            .filter("status", Comparison::Equal, "training");
        self.list_readable(&query).await
    }
}

/// Creates the agent.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(agent: &Agent) -> Result<Write, Error> {
    super::create(path(&agent.id), agent)
}

/// Replaces the agent, if nobody changed it meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace(agent: &Versioned<Agent>) -> Result<Write, Error> {
    super::replace(path(&agent.value.id), agent)
}

/// Keeps that the agent was alive `now`. It takes no part in races: whoever changes the agent at
/// the same time reads again.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn beat(id: &AgentId, now: Timestamp) -> Result<Write, Error> {
    let presence = BTreeMap::from([("presence", Presence::at(now))]);
    super::merge(path(id), &presence, Precondition::Exists)
}

/// Changes nothing, but has the commit fail when the agent is not there any more.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn require(id: &AgentId, org_id: &OrgId) -> Result<Write, Error> {
    let field = BTreeMap::from([("orgId", org_id)]);
    super::merge(path(id), &field, Precondition::Exists)
}

/// Deletes the agent, if nobody changed it meanwhile.
#[must_use]
pub fn delete(agent: &Versioned<Agent>) -> Write {
    super::delete(path(&agent.value.id), Precondition::Version(agent.version))
}

fn path(id: &AgentId) -> DocumentPath {
    DocumentPath::new("agents", id.as_str())
}
