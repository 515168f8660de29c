use std::collections::HashMap;

use emulator_tests::emulators::firestore::{EmbeddedFirestore, FirestoreOptions};
use shared::{
    config::{Env, ServiceConfig},
    models::Timestamp,
    store::{
        Write,
        document_db::{
            ArrayValue, Document, DocumentDb, DocumentPath, Fields, Operation, Precondition, Query,
            Value, ValueType, to_wire_time, value,
        },
        firestore::Firestore,
    },
};

pub(crate) const PROJECT_ID: &str = "demo-infinity-x";

/// An empty Firestore with the rules that are deployed.
pub(crate) async fn start_firestore() -> EmbeddedFirestore {
    let options = FirestoreOptions {
        port: 0,
        project_id: PROJECT_ID.to_owned(),
        rules_source: include_str!("../../../../firestore.rules").to_owned(),
        data_dir: None,
    };
    EmbeddedFirestore::start(options).await.unwrap()
}

/// The adapter that the functions use.
pub(crate) fn connect(server: &EmbeddedFirestore) -> Firestore {
    connect_to(server.host())
}

pub(crate) fn connect_to(host: String) -> Firestore {
    let env = Env::from_pairs([
        ("GOOGLE_CLOUD_PROJECT", PROJECT_ID.to_owned()),
        ("FIRESTORE_EMULATOR_HOST", host),
    ]);
    Firestore::new(&ServiceConfig::load(&env).unwrap())
}

pub(super) fn path(id: &str) -> DocumentPath {
    DocumentPath::new("things", id)
}

pub(super) fn int(number: i64) -> Value {
    value(ValueType::IntegerValue(number))
}

pub(super) fn double(number: f64) -> Value {
    value(ValueType::DoubleValue(number))
}

pub(super) fn text(text: &str) -> Value {
    value(ValueType::StringValue(text.to_owned()))
}

pub(super) fn texts(texts: Vec<&str>) -> Value {
    let values = texts.into_iter().map(text).collect();
    value(ValueType::ArrayValue(ArrayValue { values }))
}

pub(super) fn time(micros: i64) -> Value {
    let instant = jiff::Timestamp::from_microsecond(micros).unwrap();
    value(ValueType::TimestampValue(to_wire_time(instant.into())))
}

pub(super) fn fields<const N: usize>(entries: [(&str, Value); N]) -> Fields {
    HashMap::from(entries.map(|(name, value)| (name.to_owned(), value)))
}

pub(super) fn replace<const N: usize>(
    path: DocumentPath,
    entries: [(&str, Value); N],
    precondition: Precondition,
) -> Write {
    let operation = Operation::Replace(fields(entries));
    Write {
        path,
        operation,
        precondition,
    }
}

pub(super) fn set<const N: usize>(id: &str, entries: [(&str, Value); N]) -> Write {
    replace(path(id), entries, Precondition::None)
}

pub(super) fn merge<const N: usize>(
    id: &str,
    entries: [(&str, Value); N],
    increments: &[(&'static str, i64)],
) -> Write {
    let operation = Operation::Merge {
        fields: fields(entries),
        increments: increments.to_vec(),
    };
    Write {
        path: path(id),
        operation,
        precondition: Precondition::None,
    }
}

pub(super) fn delete(id: &str, precondition: Precondition) -> Write {
    Write {
        path: path(id),
        operation: Operation::Delete,
        precondition,
    }
}

pub(super) async fn read(db: &dyn DocumentDb, id: &str) -> Document {
    db.get(&path(id)).await.unwrap().unwrap()
}

pub(super) async fn put<const N: usize>(
    db: &dyn DocumentDb,
    id: &str,
    entries: [(&str, Value); N],
) -> Timestamp {
    db.commit(vec![set(id, entries)]).await.unwrap()
}

pub(super) async fn ids(db: &dyn DocumentDb, query: &Query) -> Vec<String> {
    let found = db.query(query).await.unwrap();
    found
        .iter()
        .map(|document| document.path.id().to_owned())
        .collect()
}
