use std::collections::BTreeMap;

use crate::{
    models::Timestamp,
    store::{
        Write,
        document_db::{
            Document, DocumentPath, Error, Fields, Operation, Precondition, ValueType, set_field,
            value,
        },
    },
};

/// Versions count microseconds from here: 2026-11-23T12:00:00Z.
const FIRST_VERSION_MICROS: i64 = 1_795_435_200_000_000;

/// The documents that exist.
#[derive(Debug, Default)]
pub(super) struct Documents {
    by_path: BTreeMap<DocumentPath, Document>,
    commits: i64,
}

impl Documents {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Document> {
        self.by_path.values()
    }

    pub(super) fn get(&self, path: &DocumentPath) -> Option<&Document> {
        self.by_path.get(path)
    }

    pub(super) fn in_collection(&self, collection: &str) -> impl Iterator<Item = &Document> {
        let parent = format!("{collection}/");
        self.iter().filter(move |document| {
            let id = document.path.as_str().strip_prefix(&parent);
            id.is_some_and(|id| !id.contains('/'))
        })
    }

    pub(super) fn in_group(&self, name: &str) -> impl Iterator<Item = &Document> {
        self.iter().filter(move |document| {
            let collection = document.path.as_str().rsplit('/').nth(1);
            collection == Some(name)
        })
    }

    /// Applies all writes, or none. A later write sees what an earlier one does.
    pub(super) fn commit(&mut self, writes: &[Write]) -> Result<Timestamp, Error> {
        let mut staged: BTreeMap<&DocumentPath, Option<Fields>> = BTreeMap::new();
        for write in writes {
            let stored = self.by_path.get(&write.path);
            let fields = staged
                .remove(&write.path)
                .unwrap_or_else(|| stored.map(|document| document.fields.clone()));
            let version = stored.map(|document| document.version);
            check(write.precondition, fields.is_some(), version)?;
            staged.insert(&write.path, apply(&write.operation, fields));
        }
        let version = self.next_version();
        for (path, fields) in staged {
            self.settle(path, fields, version);
        }
        Ok(version)
    }

    fn next_version(&mut self) -> Timestamp {
        self.commits += 1;
        let instant = jiff::Timestamp::from_microsecond(FIRST_VERSION_MICROS + self.commits);
        instant.unwrap_or(jiff::Timestamp::MAX).into()
    }

    /// A write that changes nothing leaves the version as it is
    /// (<https://firebase.google.com/docs/firestore/reference/rest/v1/WriteResult>).
    fn settle(&mut self, path: &DocumentPath, fields: Option<Fields>, version: Timestamp) {
        let Some(fields) = fields else {
            self.by_path.remove(path);
            return;
        };
        let stored = self.by_path.get(path);
        if stored.is_some_and(|document| document.fields == fields) {
            return;
        }
        let document = Document {
            path: path.clone(),
            fields,
            version,
        };
        self.by_path.insert(path.clone(), document);
    }
}

fn check(
    precondition: Precondition,
    exists: bool,
    version: Option<Timestamp>,
) -> Result<(), Error> {
    match precondition {
        Precondition::Exists if !exists => Err(Error::NotFound),
        Precondition::Absent if exists => Err(Error::AlreadyExists),
        Precondition::Version(expected) if version != Some(expected) => Err(Error::Conflict),
        _ => Ok(()),
    }
}

fn apply(operation: &Operation, fields: Option<Fields>) -> Option<Fields> {
    match operation {
        Operation::Delete => None,
        Operation::Replace(fields) => Some(fields.clone()),
        Operation::Merge {
            fields: changed,
            increments,
        } => {
            let mut fields = fields.unwrap_or_default();
            for (name, field) in changed {
                set_field(&mut fields, name, field.clone());
            }
            for (field, amount) in increments {
                increment(&mut fields, field, *amount);
            }
            Some(fields)
        }
    }
}

/// What is no number counts as absent, and the sum stays in range
/// (<https://firebase.google.com/docs/firestore/reference/rest/v1/Write#FieldTransform>).
fn increment(fields: &mut Fields, field: &str, amount: i64) {
    if let Some((parent, rest)) = field.split_once('.') {
        let parent = fields
            .entry(parent.to_owned())
            .or_insert_with(|| value(ValueType::MapValue(Default::default())));
        if let Some(ValueType::MapValue(map)) = &mut parent.value_type {
            increment(&mut map.fields, rest, amount);
        }
        return;
    }
    let current = fields.get(field).and_then(|value| value.value_type.clone());
    let sum = match current {
        Some(ValueType::IntegerValue(current)) => {
            ValueType::IntegerValue(current.saturating_add(amount))
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "Firestore adds to a double as a double"
        )]
        Some(ValueType::DoubleValue(current)) => ValueType::DoubleValue(current + amount as f64),
        _ => ValueType::IntegerValue(amount),
    };
    fields.insert(field.to_owned(), value(sum));
}
