use base64::{Engine, engine::general_purpose::STANDARD};
use gcloud_sdk::google::firestore::v1::DocumentMask;
pub use gcloud_sdk::google::firestore::v1::{Document, Value};
use prost::Message;

use super::{CloudEvent, Error};
use crate::models::Timestamp;

/// The type of the event for any change of a document
/// (<https://cloud.google.com/firestore/docs/eventarc>).
pub const DOCUMENT_WRITTEN: &str = "google.cloud.firestore.document.v1.written";

const KIND_PREFIX: &str = "google.cloud.firestore.document.v1.";

/// Events that say who made the change have it as suffix of their type.
const KIND_SUFFIX: &str = ".withAuthContext";

/// A document was created, updated or deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentEvent {
    /// The document below the database's root: `triggers/t1`.
    pub path: String,
    /// The document as it is now; none when it was deleted.
    pub value: Option<Document>,
    /// The document as it was; none when it was created.
    pub old_value: Option<Document>,
    /// When the document was written, if it still exists.
    pub update_time: Option<Timestamp>,
}

impl DocumentEvent {
    /// Reads the change from an event of type `google.cloud.firestore.document.v1.*`.
    ///
    /// # Errors
    /// Names the attribute or the field of the message that is not as it must be.
    pub fn parse(event: &CloudEvent) -> Result<Self, Error> {
        if !is_document_event(&event.kind) {
            return Err(Error::invalid("type", "a change of a Firestore document"));
        }
        let EventData {
            value, old_value, ..
        } = decode(&event.data)?;
        let name = [&value, &old_value].into_iter().flatten().next();
        let name = name.ok_or_else(|| Error::Missing("data.value".to_owned()))?;
        let path = document_path(name)?;
        if [&value, &old_value]
            .into_iter()
            .flatten()
            .any(|other| other.name != name.name)
        {
            return Err(Error::invalid(
                "data.old_value.name",
                "the name of the new value",
            ));
        }
        let update_time = value.as_ref().and_then(update_time);
        Ok(Self {
            path,
            value,
            old_value,
            update_time,
        })
    }
}

/// The body of an event of type [`DOCUMENT_WRITTEN`], for those who deliver events on a
/// developer's machine.
#[must_use]
pub fn encode_written(value: Option<Document>, old_value: Option<Document>) -> Vec<u8> {
    let data = EventData {
        value,
        old_value,
        update_mask: None,
    };
    data.encode_to_vec()
}

/// `DocumentEventData`
/// (<https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/firestore/v1/data.proto>).
/// Its `Document` has the field numbers of the one in `google.firestore.v1`.
#[derive(Clone, PartialEq, Message)]
struct EventData {
    #[prost(message, optional, tag = "1")]
    value: Option<Document>,
    #[prost(message, optional, tag = "2")]
    old_value: Option<Document>,
    #[prost(message, optional, tag = "3")]
    update_mask: Option<DocumentMask>,
}

fn is_document_event(kind: &str) -> bool {
    let Some(change) = kind.strip_prefix(KIND_PREFIX) else {
        return false;
    };
    let change = change.strip_suffix(KIND_SUFFIX).unwrap_or(change);
    matches!(change, "created" | "updated" | "deleted" | "written")
}

/// The emulators send base64 text where production sends the message itself. Such text may pass
/// for a message of unknown fields, but never for one with a document.
fn decode(data: &[u8]) -> Result<EventData, Error> {
    let error = match EventData::decode(data) {
        Ok(decoded) if decoded.has_document() => return Ok(decoded),
        Ok(_) => Error::Missing("data.value".to_owned()),
        Err(error) => Error::Protobuf(error),
    };
    let from_text = STANDARD.decode(data.trim_ascii()).ok();
    let decoded = from_text.and_then(|bytes| EventData::decode(bytes.as_slice()).ok());
    decoded.filter(EventData::has_document).ok_or(error)
}

impl EventData {
    fn has_document(&self) -> bool {
        self.value.is_some() || self.old_value.is_some()
    }
}

fn document_path(document: &Document) -> Result<String, Error> {
    let path = document.name.split_once("/documents/");
    path.map(|(_, path)| path.to_owned())
        .filter(|path| !path.is_empty())
        .ok_or_else(|| Error::invalid("data.value.name", "the resource name of a document"))
}

fn update_time(document: &Document) -> Option<Timestamp> {
    let wire = document.update_time.as_ref()?;
    let instant = jiff::Timestamp::new(wire.seconds, wire.nanos).ok()?;
    Some(instant.into())
}

#[cfg(test)]
mod tests;
