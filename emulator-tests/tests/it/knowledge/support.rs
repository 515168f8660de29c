use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use shared::{
    ids::{IntegrationId, OrgId, RecordId, Uid},
    knowledge::{self, Hit, Search, keyed_terms, principals_of},
    models::{KnowledgeChunk, Timestamp, Vector},
    store::{
        Store, Write,
        document_db::{Document, DocumentDb, DocumentPath, Error, Query},
    },
    testing::{bag_of_words, keep_chunks},
};

use crate::models::samples;

pub(super) const MODEL: &str = "text-embedding-3-small";

/// Texts that share words are near to each other.
pub(super) fn vector(text: &str) -> Vector {
    bag_of_words(text, Vector::INDEXED_DIMENSION as usize).into()
}

pub(super) fn org(id: &str) -> OrgId {
    OrgId::parse(id).unwrap()
}

/// A chunk that is known by its text.
pub(super) fn chunk(principal: &str, text: &str) -> KnowledgeChunk {
    let principals = vec![principal.to_owned()];
    KnowledgeChunk {
        id: RecordId::derive(&[principal, text]),
        document_id: RecordId::derive(&["document", principal, text]),
        text: text.to_owned(),
        integration_id: integration_of(principal),
        terms: keyed_terms(&principals, text),
        embedding: vector(text),
        embedding_model: MODEL.to_owned(),
        dimension: Vector::INDEXED_DIMENSION,
        principals,
        ..samples::knowledge_chunk()
    }
}

/// Keeps these chunks for organization `o1`.
pub(super) async fn keep(store: &Store, chunks: impl IntoIterator<Item = KnowledgeChunk>) {
    keep_for(store, "o1", chunks).await;
}

pub(super) async fn keep_for(
    store: &Store,
    id: &str,
    chunks: impl IntoIterator<Item = KnowledgeChunk>,
) {
    let own = |chunk: KnowledgeChunk| KnowledgeChunk {
        integration_id: match id {
            "o1" => chunk.integration_id,
            _ => IntegrationId::derive(&[id, chunk.integration_id.as_str()]),
        },
        ..chunk
    };
    let chunks: Vec<_> = chunks.into_iter().map(own).collect();
    keep_chunks(store, &org(id), &chunks).await;
}

/// The integration of `o1` that brings what the principal may find.
pub(super) fn integration_of(principal: &str) -> IntegrationId {
    IntegrationId::derive(&[principal])
}

/// What a member of `o1` looks for, or nobody in particular.
pub(super) fn search(uid: Option<&str>, query: &str) -> Search {
    let uid = uid.map(|uid| Uid::parse(uid).unwrap());
    Search {
        principals: principals_of(uid.as_ref()),
        query: query.to_owned(),
        limit: 10,
        integration_id: None,
    }
}

pub(super) async fn hits(store: &Store, search: &Search) -> Vec<Hit> {
    let query = vector(&search.query);
    let found = knowledge::find(store, &org("o1"), search, MODEL, query).await;
    found.unwrap()
}

pub(super) async fn texts(store: &Store, search: &Search) -> Vec<String> {
    let hits = hits(store, search).await.into_iter();
    hits.map(|hit| hit.text).collect()
}

/// Counts the documents that are read, a count as one.
pub(super) struct CountedReads {
    db: Arc<dyn DocumentDb>,
    reads: AtomicUsize,
}

impl CountedReads {
    pub(super) fn new(db: Arc<dyn DocumentDb>) -> Self {
        let reads = AtomicUsize::default();
        Self { db, reads }
    }

    pub(super) fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    fn add(&self, reads: usize) {
        self.reads.fetch_add(reads, Ordering::Relaxed);
    }
}

#[async_trait]
impl DocumentDb for CountedReads {
    async fn get(&self, path: &DocumentPath) -> Result<Option<Document>, Error> {
        self.add(1);
        self.db.get(path).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Document>, Error> {
        let found = self.db.query(query).await?;
        self.add(found.len());
        Ok(found)
    }

    async fn count(&self, query: &Query) -> Result<usize, Error> {
        self.add(1);
        self.db.count(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Timestamp, Error> {
        self.db.commit(writes).await
    }
}
