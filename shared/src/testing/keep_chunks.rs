use std::collections::BTreeMap;

use crate::{
    ids::{IntegrationId, OrgId, Uid},
    models::{
        Integration, IntegrationService, IntegrationStatus, KnowledgeChunk, ORGANIZATION,
        RenewalLease,
    },
    store::{Store, integrations, knowledge},
};

/// Keeps chunks of an organization's index, and the integrations that they came through, unless
/// those are there: each is shared if its chunks are, and is of the user who may find them.
///
/// # Panics
/// Panics when the database fails.
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
pub async fn keep_chunks(store: &Store, org_id: &OrgId, chunks: &[KnowledgeChunk]) {
    let mut writes = Vec::new();
    let mut new: BTreeMap<&IntegrationId, Integration> = BTreeMap::new();
    for chunk in chunks {
        writes.push(knowledge::set_chunk(org_id, chunk).unwrap());
        let id = &chunk.integration_id;
        if store.find_integration(org_id, id).await.unwrap().is_none() {
            new.insert(id, integration_of(org_id, chunk));
        }
    }
    for integration in new.values() {
        writes.extend(integrations::create(integration).unwrap());
    }
    store.commit(writes).await.unwrap();
}

fn integration_of(org_id: &OrgId, chunk: &KnowledgeChunk) -> Integration {
    let principal = chunk.principals.first().map_or("", String::as_str);
    let owner = principal.strip_prefix("user:").map(Uid::parse);
    Integration {
        id: chunk.integration_id.clone(),
        org_id: org_id.clone(),
        owner_uid: owner
            .and_then(Result::ok)
            .unwrap_or_else(|| chunk.owner_uid.clone()),
        service: IntegrationService::Google,
        account_label: "a…@example.com".to_owned(),
        is_of_key: false,
        credentials: "sealed".into(),
        status: IntegrationStatus::Connected,
        error_cause: None,
        last_sync: None,
        granted_scopes: Vec::new(),
        renewal: RenewalLease::default(),
        shares_knowledge: principal == ORGANIZATION,
        allows_triggers: false,
    }
}
