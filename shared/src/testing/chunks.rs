use std::collections::BTreeMap;

use super::{bag_of_words, integration};
use crate::{
    ids::{IntegrationId, OrgId, RecordId},
    knowledge::keyed_terms,
    models::{
        Integration, IntegrationService, KnowledgeChunk, KnowledgeKind, KnowledgeSource,
        ORGANIZATION, Vector,
    },
    store::{Store, integrations, knowledge},
};

/// When the mail of a chunk was received.
const RECEIVED_AT: &str = "2026-11-23T12:00:00Z";

/// A piece of a mail called `title`, for whom `principal` tells, to be changed. Texts that share words
/// are near to each other.
///
/// # Panics
/// Never.
#[must_use]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
pub fn chunk(principal: &str, title: &str, text: &str) -> KnowledgeChunk {
    let principals = vec![principal.to_owned()];
    let received_at: jiff::Timestamp = RECEIVED_AT.parse().unwrap();
    KnowledgeChunk {
        id: RecordId::derive(&[principal, title, text]),
        document_id: RecordId::derive(&[principal, title]),
        ordinal: 0,
        source: KnowledgeSource {
            kind: KnowledgeKind::Gmail,
            id: "m1".to_owned(),
            title: title.to_owned(),
            link: Some("https://mail.example.com/m1".to_owned()),
            date: Some(received_at.into()),
        },
        integration_id: IntegrationId::derive(&[principal]),
        owner_uid: "u1".parse().unwrap(),
        text: text.to_owned(),
        terms: keyed_terms(&principals, text),
        embedding: bag_of_words(text, Vector::INDEXED_DIMENSION as usize).into(),
        embedding_model: "text-embedding-3-small".to_owned(),
        dimension: Vector::INDEXED_DIMENSION,
        revision: "1".to_owned(),
        content_hash: "00".to_owned(),
        principals,
    }
}

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
    for found in new.values() {
        writes.extend(integrations::create(found).unwrap());
    }
    store.commit(writes).await.unwrap();
}

fn integration_of(org_id: &OrgId, chunk: &KnowledgeChunk) -> Integration {
    let principal = chunk.principals.first().map_or("", String::as_str);
    let owner_uid = principal.strip_prefix("user:");
    let owner_uid = owner_uid.unwrap_or(chunk.owner_uid.as_str());
    Integration {
        org_id: org_id.clone(),
        shares_knowledge: principal == ORGANIZATION,
        ..integration(
            chunk.integration_id.as_str(),
            owner_uid,
            IntegrationService::Google,
        )
    }
}
