use serde::{Deserialize, Serialize};

use super::Vector;
use crate::ids::{IntegrationId, RecordId, Uid};

/// Where a chunk's text comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeSource {
    /// `gmail` or `drive`.
    pub kind: String,
    /// The message's or file's id at the provider.
    pub id: String,
    /// Subject or file name.
    pub title: String,
    /// A link for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// `organizations/{id}/knowledge/{chunkId}`: a piece of text with its vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeChunk {
    /// Hash of source, revision and ordinal, equal to the document id.
    pub id: RecordId,
    /// Where the text comes from.
    pub source: KnowledgeSource,
    /// The integration it was synced through.
    pub integration_id: IntegrationId,
    /// The user that connected it.
    pub owner_uid: Uid,
    /// The text.
    pub text: String,
    /// The vector.
    pub embedding: Vector,
    /// The model that made the vector.
    pub embedding_model: String,
    /// Revision of the source.
    pub revision: String,
    /// SHA-256 of the text.
    pub content_hash: String,
    /// Who may find it.
    pub principals: Vec<String>,
}
