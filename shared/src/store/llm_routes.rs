//! `organizations/{id}/llm_routes`.

use super::{
    DocumentPath, Error, Store, Versioned, Write,
    document_db::{Precondition, Query},
};
use crate::{
    ids::{OrgId, RouteAlias},
    models::{LlmRoute, Timestamp},
};

const COLLECTION: &str = "llm_routes";

impl Store {
    /// The organization's route of an alias.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_llm_route(
        &self,
        org_id: &OrgId,
        alias: &RouteAlias,
    ) -> Result<Option<Versioned<LlmRoute>>, Error> {
        self.load(&path(org_id, alias)).await
    }

    /// The organization's routes that can be read, at most `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_llm_routes(
        &self,
        org_id: &OrgId,
        limit: u32,
    ) -> Result<Vec<LlmRoute>, Error> {
        self.list_readable(&Query::new(collection(org_id), limit))
            .await
    }
}

/// Sets the route, if nobody changed it since `version`.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set(route: &LlmRoute, version: Option<Timestamp>) -> Result<Write, Error> {
    let precondition = version.map_or(Precondition::Absent, Precondition::Version);
    super::write(path(&route.org_id, &route.alias), route, precondition)
}

/// Deletes the route, if nobody changed it since it was read.
#[must_use]
pub fn delete(route: &Versioned<LlmRoute>) -> Write {
    let path = path(&route.value.org_id, &route.value.alias);
    super::delete(path, Precondition::Version(route.version))
}

fn collection(org_id: &OrgId) -> String {
    DocumentPath::new("organizations", org_id.as_str()).collection(COLLECTION)
}

fn path(org_id: &OrgId, alias: &RouteAlias) -> DocumentPath {
    DocumentPath::new("organizations", org_id.as_str()).child(COLLECTION, alias.as_str())
}
