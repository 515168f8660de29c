//! `organizations/{id}/knowledge`, `knowledge_documents`, and what is counted of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    DocumentPath, Error, Listing, Page, Store, Versioned, Write,
    document_db::{Comparison, Nearest, Precondition, Query},
};
use crate::{
    ids::{IntegrationId, OrgId, RecordId},
    models::{
        KnowledgeChunk, KnowledgeDocument, KnowledgeKind, KnowledgeSource, KnowledgeUse, Timestamp,
        Vector,
    },
};

/// What of a chunk changes when its document is renamed or shared: not the text, nor its vector.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChunkLabels<'a> {
    /// Where the text comes from.
    pub source: &'a KnowledgeSource,
    /// Revision of the source.
    pub revision: &'a str,
    /// What it is found by, where that is not as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<&'a [String]>,
}

/// What chunks are to be near to, and for whom.
pub struct ChunkSearch<'a> {
    /// Who may find them.
    pub principal: &'a str,
    /// The model that made the vector.
    pub embedding_model: &'a str,
    /// Only what was synced through this integration.
    pub integration_id: Option<&'a IntegrationId>,
    /// What they are to be near to.
    pub vector: &'a Vector,
    /// One minus the cosine, from 0 to 2.
    pub max_distance: f64,
}

impl Store {
    /// How many chunks of the organization the principal may find, counted up to `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn count_chunks(
        &self,
        org_id: &OrgId,
        principal: &str,
        limit: u32,
    ) -> Result<u32, Error> {
        let query = Query::new(chunks(org_id), limit);
        let query = query.filter("principals", Comparison::ArrayContains, principal);
        self.count(&query).await
    }

    /// How many chunks of the organization have a term for a principal, which
    /// `knowledge::keyed_terms` makes one text of, counted up to `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn count_chunks_with_term(
        &self,
        org_id: &OrgId,
        keyed_term: &str,
        limit: u32,
    ) -> Result<u32, Error> {
        self.count(&with_term(org_id, keyed_term, limit)).await
    }

    /// Chunks of the organization that have a term for a principal, at most `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_chunks_with_term(
        &self,
        org_id: &OrgId,
        keyed_term: &str,
        limit: u32,
    ) -> Result<Vec<KnowledgeChunk>, Error> {
        self.list_readable(&with_term(org_id, keyed_term, limit))
            .await
    }

    /// The chunks of the organization that are nearest to what is looked for, nearest first.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_nearest_chunks(
        &self,
        org_id: &OrgId,
        search: &ChunkSearch<'_>,
        limit: u32,
    ) -> Result<Vec<KnowledgeChunk>, Error> {
        let mut query = Query::new(chunks(org_id), limit).filter(
            "embeddingModel",
            Comparison::Equal,
            search.embedding_model,
        );
        if let Some(id) = search.integration_id {
            query = query.filter("integrationId", Comparison::Equal, id.as_str());
        }
        let query = query
            .filter("principals", Comparison::ArrayContains, search.principal)
            .nearest(Nearest {
                field: "embedding",
                vector: search.vector.clone(),
                max_distance: search.max_distance,
            });
        self.list_readable(&query).await
    }

    /// The document with this id in the organization's index.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_knowledge_document(
        &self,
        org_id: &OrgId,
        id: &RecordId,
    ) -> Result<Option<Versioned<KnowledgeDocument>>, Error> {
        self.load(&document_path(org_id, id)).await
    }

    /// What of one kind was synced through the organization's integration, by id.
    ///
    /// # Errors
    /// Returns the database's error, also for one that cannot be read.
    pub async fn list_knowledge_documents(
        &self,
        org_id: &OrgId,
        integration_id: &IntegrationId,
        kind: KnowledgeKind,
        page: &Page,
    ) -> Result<Listing<Versioned<KnowledgeDocument>>, Error> {
        let query = Query::new(documents(org_id), page.limit)
            .filter("integrationId", Comparison::Equal, integration_id.as_str())
            .filter("source.kind", Comparison::Equal, kind.as_str());
        self.strict_page_by_id(query, page).await
    }

    /// All documents of the organization's index, by id.
    ///
    /// # Errors
    /// Returns the database's error, also for one that cannot be read.
    pub async fn list_all_knowledge_documents(
        &self,
        org_id: &OrgId,
        page: &Page,
    ) -> Result<Listing<Versioned<KnowledgeDocument>>, Error> {
        let query = Query::new(documents(org_id), page.limit);
        self.strict_page_by_id(query, page).await
    }

    /// The writes that delete the organization's chunks with vectors of a model, at most `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_removals_of_model(
        &self,
        org_id: &OrgId,
        embedding_model: &str,
        limit: u32,
    ) -> Result<Vec<Write>, Error> {
        let query = Query::new(chunks(org_id), limit);
        let query = query.filter("embeddingModel", Comparison::Equal, embedding_model);
        self.list_removals(&query).await
    }

    /// What was synced through the organization's integration, at most `limit`.
    ///
    /// # Errors
    /// Returns the database's error, also for one that cannot be read.
    pub async fn list_documents_of_integration(
        &self,
        org_id: &OrgId,
        integration_id: &IntegrationId,
        limit: u32,
    ) -> Result<Vec<Versioned<KnowledgeDocument>>, Error> {
        let query = Query::new(documents(org_id), limit);
        let id = integration_id.as_str();
        let query = query.filter("integrationId", Comparison::Equal, id);
        self.list(&query).await
    }

    /// All chunks of a document, by id, those of other texts and models as well.
    ///
    /// # Errors
    /// Returns the database's error, also for one that cannot be read.
    pub async fn list_chunks_of_document(
        &self,
        org_id: &OrgId,
        document_id: &RecordId,
        page: &Page,
    ) -> Result<Listing<Versioned<KnowledgeChunk>>, Error> {
        let query = Query::new(chunks(org_id), page.limit);
        let query = query.filter("documentId", Comparison::Equal, document_id.as_str());
        self.strict_page_by_id(query, page).await
    }

    /// The writes that delete what was synced through the organization's integration, at most
    /// `limit`.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn list_knowledge_removals(
        &self,
        org_id: &OrgId,
        integration_id: &IntegrationId,
        limit: u32,
    ) -> Result<Vec<Write>, Error> {
        let query = Query::new(chunks(org_id), limit);
        let id = integration_id.as_str();
        let query = query.filter("integrationId", Comparison::Equal, id);
        self.list_removals(&query).await
    }

    /// What the organization keeps in its index; none before the first text.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_knowledge_use(
        &self,
        org_id: &OrgId,
    ) -> Result<Option<Versioned<KnowledgeUse>>, Error> {
        self.load(&use_path(org_id)).await
    }
}

/// Writes a chunk; its id tells its text, so that a repeat changes nothing.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_chunk(org_id: &OrgId, chunk: &KnowledgeChunk) -> Result<Write, Error> {
    super::write(chunk_path(org_id, &chunk.id), chunk, Precondition::None)
}

/// Deletes a chunk, if there is one.
#[must_use]
pub fn delete_chunk(org_id: &OrgId, id: &RecordId) -> Write {
    super::delete(chunk_path(org_id, id), Precondition::None)
}

/// Changes who may find a chunk.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn share_chunk(
    org_id: &OrgId,
    chunk: &Versioned<KnowledgeChunk>,
    principals: &[String],
    terms: &[String],
) -> Result<Write, Error> {
    let fields = BTreeMap::from([("principals", principals), ("terms", terms)]);
    let unchanged = Precondition::Version(chunk.version);
    super::merge(chunk_path(org_id, &chunk.value.id), &fields, unchanged)
}

/// Changes what is told of a chunk's source.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn relabel_chunk(
    org_id: &OrgId,
    id: &RecordId,
    labels: &ChunkLabels<'_>,
) -> Result<Write, Error> {
    super::merge(chunk_path(org_id, id), labels, Precondition::Exists)
}

/// Sets a document, if nobody changed it since `version`.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_document(
    org_id: &OrgId,
    document: &KnowledgeDocument,
    version: Option<Timestamp>,
) -> Result<Write, Error> {
    let precondition = version.map_or(Precondition::Absent, Precondition::Version);
    super::write(document_path(org_id, &document.id), document, precondition)
}

/// Changes nothing, but has the commit fail when the document was changed meanwhile.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn require_document(
    org_id: &OrgId,
    document: &Versioned<KnowledgeDocument>,
) -> Result<Write, Error> {
    let id = &document.value.id;
    let unchanged = Precondition::Version(document.version);
    super::merge(
        document_path(org_id, id),
        &BTreeMap::from([("id", id)]),
        unchanged,
    )
}

/// Has a document be changed at this time, if nobody changed it meanwhile: whoever else has read it
/// loses the race.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn touch_document(
    org_id: &OrgId,
    document: &Versioned<KnowledgeDocument>,
    now: Timestamp,
) -> Result<Write, Error> {
    let fields = BTreeMap::from([("updatedAt", now)]);
    let unchanged = Precondition::Version(document.version);
    super::merge(
        document_path(org_id, &document.value.id),
        &fields,
        unchanged,
    )
}

/// Deletes a document, if nobody changed it meanwhile.
#[must_use]
pub fn delete_document(org_id: &OrgId, document: &Versioned<KnowledgeDocument>) -> Write {
    let path = document_path(org_id, &document.value.id);
    super::delete(path, Precondition::Version(document.version))
}

/// Sets what the organization keeps, if nobody changed it since `version`.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set_use(
    org_id: &OrgId,
    used: &KnowledgeUse,
    version: Option<Timestamp>,
) -> Result<Write, Error> {
    let precondition = version.map_or(Precondition::Absent, Precondition::Version);
    super::write(use_path(org_id), used, precondition)
}

/// Whether this is where an organization's index is counted.
pub(super) fn is_use(path: &DocumentPath) -> bool {
    path.as_str().ends_with("/quota/knowledge")
}

fn with_term(org_id: &OrgId, keyed_term: &str, limit: u32) -> Query {
    let query = Query::new(chunks(org_id), limit);
    query.filter("terms", Comparison::ArrayContains, keyed_term)
}

fn chunks(org_id: &OrgId) -> String {
    organization(org_id).collection("knowledge")
}

fn documents(org_id: &OrgId) -> String {
    organization(org_id).collection("knowledge_documents")
}

fn chunk_path(org_id: &OrgId, id: &RecordId) -> DocumentPath {
    organization(org_id).child("knowledge", id.as_str())
}

fn document_path(org_id: &OrgId, id: &RecordId) -> DocumentPath {
    organization(org_id).child("knowledge_documents", id.as_str())
}

fn use_path(org_id: &OrgId) -> DocumentPath {
    organization(org_id).child("quota", "knowledge")
}

fn organization(org_id: &OrgId) -> DocumentPath {
    DocumentPath::new("organizations", org_id.as_str())
}
