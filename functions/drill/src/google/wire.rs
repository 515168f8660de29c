//! What Google's APIs answer, read.

use jiff::{civil::DateTime, tz::TimeZone};
use serde_json::{Value, json};

use crate::{
    ports::{Error, Export},
    settings::{FieldOverride, Index},
};

/// How the job `backup` names exports: by their moment.
const FOLDER: &str = "%Y-%m-%dT%H%M%SZ";

/// How the types of events begin that tell of documents.
const DOCUMENTS: &str = "google.cloud.firestore.document.";

/// Whether an operation is done. One that has failed is not begun again here, whatever the cause.
pub(super) fn is_done(operation: &Value) -> Result<bool, Error> {
    match operation["error"]["code"].as_i64() {
        Some(code) => Err(Error::Refused(format!(
            "the operation ended with code {code}"
        ))),
        None => Ok(operation["done"] == true),
    }
}

/// Whether a trigger is told of documents of this database: it names it, or none.
pub(super) fn acts_on(trigger: &Value, database: &str) -> bool {
    let filter = |attribute: &str| {
        let mut filters = trigger["eventFilters"].as_array().into_iter().flatten();
        filters.find(|filter| filter["attribute"] == attribute)
    };
    let value = |attribute| filter(attribute).and_then(|filter| filter["value"].as_str());
    let is_of_documents = value("type").is_some_and(|kind| kind.starts_with(DOCUMENTS));
    is_of_documents && value("database").is_none_or(|named| named == database)
}

/// The export whose last object this is: `2026-11-27T020000Z/2026-11-27T020000Z.overall_…`. Exports
/// that were made by hand have other names and are passed over.
pub(super) fn export(bucket: &str, object: &str) -> Option<Export> {
    let (folder, _) = object.split_once('/')?;
    let moment = DateTime::strptime(FOLDER, folder).ok()?;
    let moment = moment.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(Export {
        url: format!("gs://{bucket}/{folder}"),
        moment: moment.into(),
    })
}

/// An index as the file would have it.
pub(super) fn describe_index(index: &Value) -> Result<String, Error> {
    let mut read: Index = serde_json::from_value(index.clone()).map_err(unreadable)?;
    read.collection_group = segment(index, "collectionGroups");
    Ok(read.describe())
}

/// A field with indexes of its own, or with a time to live.
pub(super) fn describe_field(field: &Value) -> Result<String, Error> {
    let indexes = field["indexConfig"]["indexes"].as_array();
    let indexes = indexes.into_iter().flatten().map(|index| {
        let kind = &index["fields"][0];
        json!({
            "queryScope": index["queryScope"],
            "order": kind["order"],
            "arrayConfig": kind["arrayConfig"],
        })
    });
    let entry = json!({
        "collectionGroup": segment(field, "collectionGroups"),
        "fieldPath": segment(field, "fields"),
        "ttl": field["ttlConfig"].is_object(),
        "indexes": indexes.collect::<Vec<_>>(),
    });
    let entry: FieldOverride = serde_json::from_value(entry).map_err(unreadable)?;
    Ok(entry.describe())
}

/// The id below a collection of a resource's name.
fn segment(resource: &Value, collection: &str) -> String {
    let name = resource["name"].as_str().unwrap_or_default();
    let mut segments = name.split('/').skip_while(|segment| *segment != collection);
    segments.nth(1).unwrap_or_default().to_owned()
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::Unavailable(Box::new(error))
}
