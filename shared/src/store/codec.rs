//! Documents to models and back, by Firestore's value types.

use firestore::FirestoreDb;
use gcloud_sdk::google::firestore::v1 as wire;
use serde::{Serialize, de::DeserializeOwned};

use super::document_db::{
    Document, DocumentPath, Error, Fields, Value, ValueType, from_wire_time, to_wire_time,
};

/// The fields of a model.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn encode<T: Serialize>(path: &DocumentPath, model: &T) -> Result<Fields, Error> {
    let document = FirestoreDb::serialize_to_doc("", model).map_err(|error| Error::Malformed {
        path: path.to_string(),
        source: Box::new(error),
    })?;
    Ok(document.fields)
}

/// The model in a document.
///
/// # Errors
/// Returns [`Error::Malformed`] when the document has another shape.
pub fn decode<T: DeserializeOwned>(document: &Document) -> Result<T, Error> {
    let mut fields = document.fields.clone();
    fields.values_mut().for_each(clamp_instants);
    let wire = wire::Document {
        fields,
        ..Default::default()
    };
    let path = || document.path.to_string();
    FirestoreDb::deserialize_doc_to(&wire).map_err(|error| Error::Malformed {
        path: path(),
        source: Box::new(error),
    })
}

/// A document as Firestore and its events send it; none without a name and a version.
#[must_use]
pub fn document_from_wire(document: wire::Document) -> Option<Document> {
    Some(Document {
        path: DocumentPath::from_resource_name(&document.name)?,
        version: from_wire_time(&document.update_time?),
        fields: document.fields,
    })
}

/// Firestore's timestamps end a day after the last one of `jiff`, and a client may write such a
/// one: its document must stay readable.
fn clamp_instants(field: &mut Value) {
    match &mut field.value_type {
        Some(ValueType::TimestampValue(time))
            if jiff::Timestamp::new(time.seconds, time.nanos).is_err() =>
        {
            *time = to_wire_time(jiff::Timestamp::MAX.into());
        }
        Some(ValueType::ArrayValue(array)) => array.values.iter_mut().for_each(clamp_instants),
        Some(ValueType::MapValue(map)) => map.fields.values_mut().for_each(clamp_instants),
        _ => {}
    }
}
