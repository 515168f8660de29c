//! `agent_services`: what is to be done about the Cloud Run services of agents.

use super::{
    DocumentPath, Error, Store, Versioned, Write,
    document_db::{Comparison, Order, Precondition, Query},
};
use crate::{
    ids::{AgentId, OrgId},
    models::{AgentService, SystemPrincipal, Timestamp},
};

impl Store {
    /// The service of the organization's agent, if it has one or had one a moment ago.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_agent_service(
        &self,
        org_id: &OrgId,
        id: &AgentId,
    ) -> Result<Option<Versioned<AgentService>>, Error> {
        let service: Option<Versioned<AgentService>> = self.load(&path(id)).await?;
        Ok(service.filter(|service| service.value.org_id == *org_id))
    }

    /// Services of all organizations that something is to be done about.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_due_agent_services(
        &self,
        _caller: &SystemPrincipal,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<AgentService>, Error> {
        let query = Query::new("agent_services", limit)
            .filter("dueAt", Comparison::LessOrEqual, now)
            .order(Order::Ascending("dueAt"));
        self.list_readable(&query).await
    }

    /// The write that has the service of an agent deleted, if it has one: for the commit by which
    /// the agent needs it no more.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn agent_service_removal(
        &self,
        org_id: &OrgId,
        id: &AgentId,
        now: Timestamp,
    ) -> Result<Option<Write>, Error> {
        let Some(mut service) = self.find_agent_service(org_id, id).await? else {
            return Ok(None);
        };
        service.value.remove(now);
        replace(&service).map(Some)
    }
}

/// Keeps the service of an agent that has none.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn create(service: &AgentService) -> Result<Write, Error> {
    super::create(path(&service.id), service)
}

/// Replaces it, if nobody changed it meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn replace(service: &Versioned<AgentService>) -> Result<Write, Error> {
    super::replace(path(&service.value.id), service)
}

/// Forgets it, if nobody changed it meanwhile.
#[must_use]
pub fn delete(service: &Versioned<AgentService>) -> Write {
    super::delete(
        path(&service.value.id),
        Precondition::Version(service.version),
    )
}

fn path(id: &AgentId) -> DocumentPath {
    DocumentPath::new("agent_services", id.as_str())
}
