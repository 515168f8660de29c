use serde::{Deserialize, Serialize};

use super::{Lease, Timestamp, Vector};
use crate::ids::{IntegrationId, OrgId, RecordId, Uid};

/// Who may find a chunk: everybody in the organization.
pub const ORGANIZATION: &str = "organization";

/// What knowledge is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnowledgeKind {
    /// A message of Gmail.
    Gmail,
    /// A file of Drive.
    Drive,
}

/// Where a text comes from, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeSource {
    /// What it is.
    pub kind: KnowledgeKind,
    /// The message's or file's id at the provider.
    pub id: String,
    /// Subject or file name.
    pub title: String,
    /// A link for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// When the message was received, or the file last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Timestamp>,
}

/// `organizations/{id}/knowledge/{chunkId}`: a piece of text with its vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeChunk {
    /// Derived from the document, its text, the ordinal and the embedding model; equal to the
    /// document id.
    pub id: RecordId,
    /// The document that it is a piece of.
    pub document_id: RecordId,
    /// Which piece it is, from 0.
    pub ordinal: u32,
    /// Where the text comes from.
    pub source: KnowledgeSource,
    /// The integration it was synced through.
    pub integration_id: IntegrationId,
    /// The user that connected it.
    pub owner_uid: Uid,
    /// The text.
    pub text: String,
    /// What it is found by, for each of its principals: see `knowledge::keyed_terms`.
    pub terms: Vec<String>,
    /// Where the text is in the space of `embedding_model`.
    pub embedding: Vector,
    /// The model that made the vector; those of other models cannot be compared with it.
    pub embedding_model: String,
    /// Length of the vector.
    pub dimension: u32,
    /// Revision of the source.
    pub revision: String,
    /// SHA-256 of the text.
    pub content_hash: String,
    /// Who may find it: [`ORGANIZATION`], or [`user_principal`].
    pub principals: Vec<String>,
}

/// `organizations/{id}/knowledge_documents/{documentId}`: a mail or file whose text can be found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeDocument {
    /// Derived from integration, kind and the provider's id; equal to the document id.
    pub id: RecordId,
    /// The integration it was synced through.
    pub integration_id: IntegrationId,
    /// The user that connected it.
    pub owner_uid: Uid,
    /// Where the text comes from.
    pub source: KnowledgeSource,
    /// Revision of the source: the text is not fetched again while it is the same.
    pub revision: String,
    /// SHA-256 of the text: it is not embedded again while it is the same.
    pub content_hash: String,
    /// The pieces that the text was cut into.
    pub chunks: u32,
    /// Length of the text in bytes, which counts against the plan.
    pub bytes: i64,
    /// The model that made the vectors when the text was last written.
    pub embedding_model: String,
    /// Who may find it.
    pub principals: Vec<String>,
    /// Whether it is being written or removed in several commits, so that some of its pieces may be
    /// missing and others left over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_partial: bool,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// `organizations/{id}/quota/knowledge`: what an organization keeps in its index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeUse {
    /// Mails and files.
    pub documents: i64,
    /// Bytes of their texts.
    pub bytes: i64,
    /// The model whose vectors are searched; none before the first text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding_model: Option<String>,
    /// The model that all texts are being embedded with anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_model: Option<String>,
    /// The last document that has vectors of `next_model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reindexed_to: Option<String>,
    /// The model whose vectors are to be removed, since nobody searches them any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_model: Option<String>,
    /// The worker that carries out the change of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reindexer: Option<String>,
    /// Until when it has that to itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reindexing_until: Option<Timestamp>,
}

/// `integrations/{id}/sync/{gmail|drive}`: how far a sync has come, and who is at it.
///
/// Every commit of a sync replaces it under its version: a worker that has lost the lease changes
/// nothing any more, and the cursor advances in the commit that holds the texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncState {
    /// The organization that connected the integration.
    pub org_id: OrgId,
    /// Who is at it.
    #[serde(default)]
    pub lease: Lease,
    /// Gmail `historyId` or Drive page token; opaque. None before the first full look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// When it was first begun: what comes later is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun_at: Option<Timestamp>,
    /// When the cursor was last known to be current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_at: Option<Timestamp>,
    /// What has been done.
    #[serde(default)]
    pub counts: SyncCounts,
    /// How often in a row it has failed.
    #[serde(default)]
    pub failures: u32,
    /// Not before this time again, after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// Why it failed: a code such as `rate_limited`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_cause: Option<String>,
    /// Whether something was left out because the organization's index is full: all is looked at
    /// again when there is room.
    #[serde(default)]
    pub is_incomplete: bool,
    /// When all is looked at again because a mail or file was passed over that failed each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_again_at: Option<Timestamp>,
    /// Mails that came since then may have been passed over before they started anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed_over_since: Option<Timestamp>,
    /// What is being read, until what came of it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
    /// What was being read when a process ended. Each is read alone, until one of them was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspects: Vec<String>,
    /// What has ended two processes, the last of them alone: nobody reads it any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given_up: Vec<String>,
    /// Who may find its documents, all of which were written so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Which mailbox the provider tells changes of: a keyed hash of its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_hash: Option<String>,
    /// Until when the provider tells of changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched_until: Option<Timestamp>,
}

/// What a process reads whose end may end the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// Which process: whoever finds its own knows that it has not ended.
    pub process: String,
    /// The mails, or files at their revisions.
    pub keys: Vec<String>,
}

/// What a sync has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncCounts {
    /// Mails or files that are in the index.
    pub documents: i64,
    /// Texts written since the integration was connected.
    pub written: i64,
    /// Texts removed.
    pub removed: i64,
    /// What was left out: not readable, or over a limit.
    pub skipped: i64,
    /// Of the full look under way, so many are still to be looked at.
    pub pending: i64,
}

/// How far a sync has come, for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncProgress {
    /// What has been done.
    pub counts: SyncCounts,
    /// Up to when everything was looked at.
    #[serde(default)]
    pub synced_at: Option<Timestamp>,
    /// Why it goes on no further: a code such as `rate_limited`.
    #[serde(default)]
    pub error_cause: Option<String>,
}

/// The same for each kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SyncProgresses {
    /// Of mail; none before it has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gmail: Option<SyncProgress>,
    /// Of files; none before it has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drive: Option<SyncProgress>,
}

impl From<&SyncState> for SyncProgress {
    fn from(state: &SyncState) -> Self {
        Self {
            counts: state.counts,
            synced_at: state.synced_at,
            error_cause: state.error_cause.clone(),
        }
    }
}

impl SyncState {
    /// A sync that has not begun.
    #[must_use]
    pub fn new(org_id: OrgId) -> Self {
        Self {
            org_id,
            lease: Lease::default(),
            cursor: None,
            begun_at: None,
            synced_at: None,
            counts: SyncCounts::default(),
            failures: 0,
            retry_at: None,
            error_cause: None,
            is_incomplete: false,
            look_again_at: None,
            passed_over_since: None,
            reading: None,
            suspects: Vec::new(),
            given_up: Vec::new(),
            principal: None,
            address_hash: None,
            watched_until: None,
        }
    }
}

impl KnowledgeKind {
    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gmail => "gmail",
            Self::Drive => "drive",
        }
    }
}

impl KnowledgeDocument {
    /// The id of a message or file.
    #[must_use]
    pub fn id_of(integration_id: &IntegrationId, kind: KnowledgeKind, source_id: &str) -> RecordId {
        RecordId::derive(&[
            "knowledge",
            integration_id.as_str(),
            kind.as_str(),
            source_id,
        ])
    }

    /// The id of one of its pieces: the same text under the same model has the same.
    #[must_use]
    pub fn chunk_id(&self, ordinal: u32) -> RecordId {
        self.chunk_id_under(&self.embedding_model, ordinal)
    }

    /// The same under another model.
    #[must_use]
    pub fn chunk_id_under(&self, embedding_model: &str, ordinal: u32) -> RecordId {
        let ordinal = ordinal.to_string();
        RecordId::derive(&[
            self.id.as_str(),
            &self.content_hash,
            &ordinal,
            embedding_model,
        ])
    }
}

/// Who may find a chunk: one user.
#[must_use]
pub fn user_principal(uid: &Uid) -> String {
    format!("user:{}", uid.as_str())
}
