//! What chunks say of who may find them, held against the integrations that they came through:
//! whoever stops sharing, or disconnects, is obeyed before any sync has changed the chunks.

use std::collections::{HashMap, HashSet};

use futures::future::try_join_all;

use super::Scope;
use crate::{
    ids::IntegrationId,
    models::{Integration, KnowledgeChunk, ORGANIZATION, user_principal},
    store::{Error, Store},
};

/// Integrations that are read at most; what came through others is not found.
pub(super) const MAX_READS: usize = 20;

/// For whom what came through each integration is.
pub(super) struct Grants(HashMap<IntegrationId, Integration>);

impl Grants {
    /// Those of the first integrations of these chunks.
    pub(super) async fn of(
        store: &Store,
        scope: &Scope<'_>,
        chunks: impl Iterator<Item = &KnowledgeChunk>,
    ) -> Result<Self, Error> {
        let mut seen = HashSet::new();
        let ids = chunks.map(|chunk| &chunk.integration_id);
        let ids = ids.filter(|id| seen.insert(*id)).take(MAX_READS);
        let found = ids.map(|id| store.find_integration(scope.org_id, id));
        let found = try_join_all(found).await?.into_iter().flatten();
        let by_id = found.map(|found| (found.value.id.clone(), found.value));
        Ok(Self(by_id.collect()))
    }

    /// Whether the chunk is still for whom the search is.
    pub(super) fn hold(&self, scope: &Scope<'_>, chunk: &KnowledgeChunk) -> bool {
        let found = self.0.get(&chunk.integration_id);
        let Some(integration) = found.filter(|found| !found.is_disconnecting()) else {
            return false;
        };
        let owner = user_principal(&integration.owner_uid);
        let is_granted = |principal: &&String| match principal.as_str() {
            ORGANIZATION => integration.shares_knowledge,
            principal => principal == owner,
        };
        let mut own = scope.principals.iter();
        own.any(|principal| chunk.principals.contains(principal) && is_granted(&principal))
    }
}
