use serde::{Deserialize, Serialize};

use super::{Timestamp, Vector};
use crate::ids::{AgentId, ExecutionId, OrgId, RecordId, Uid};

/// `agents/{id}/memories/{id}`: something an agent remembers for long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Equal to the document id.
    pub id: RecordId,
    /// The organization of the agent.
    pub org_id: OrgId,
    /// The agent that remembers.
    pub agent_id: AgentId,
    /// The user with whom alone the agent remembers it; empty text in the document when anybody
    /// may be told, because Firestore does not find what is absent.
    #[serde(default, with = "subject")]
    pub subject_uid: Option<Uid>,
    /// What is remembered.
    pub text: String,
    /// The run in which it was learnt, if it was in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ExecutionId>,
    /// Where the text is in the space of `embedding_model`.
    pub embedding: Vector,
    /// The model that made the vector; those of other models cannot be compared with it.
    pub embedding_model: String,
    /// Length of the vector.
    pub dimension: u32,
    /// When it was learnt.
    pub created_at: Timestamp,
}

mod subject {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::ids::Uid;

    pub(super) fn serialize<S: Serializer>(
        uid: &Option<Uid>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(uid.as_ref().map_or("", Uid::as_str))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Uid>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let uid = (!text.is_empty()).then(|| Uid::parse(text));
        uid.transpose().map_err(D::Error::custom)
    }
}
