//! Rules and indexes: what the repository says and what is in force.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    ports::{Deployed, Error},
    report::SettingsReport,
};

/// What this build was made with.
pub const RULES: &str = include_str!("../../../firestore.rules");
const INDEXES: &str = include_str!("../../../firestore.indexes.json");

/// An index, by the names of the file and of the Admin API, which are the same.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    #[serde(default)]
    pub(crate) collection_group: String,
    query_scope: String,
    #[serde(default)]
    fields: Vec<Field>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Field {
    field_path: String,
    order: Option<String>,
    array_config: Option<String>,
    vector_config: Option<Value>,
}

/// A field whose indexes are not the automatic ones.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FieldOverride {
    pub(crate) collection_group: String,
    pub(crate) field_path: String,
    #[serde(default)]
    pub(crate) ttl: bool,
    pub(crate) indexes: Vec<FieldIndex>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FieldIndex {
    pub(crate) query_scope: String,
    pub(crate) order: Option<String>,
    pub(crate) array_config: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    indexes: Vec<Index>,
    field_overrides: Vec<FieldOverride>,
}

/// The indexes of `firestore.indexes.json`, a line each.
///
/// # Errors
/// Returns why the file, which is part of this build, cannot be read.
pub fn described() -> serde_json::Result<BTreeSet<String>> {
    let file: File = serde_json::from_str(INDEXES)?;
    let indexes = file.indexes.iter().map(Index::describe);
    let fields = file.field_overrides.iter().map(FieldOverride::describe);
    Ok(indexes.chain(fields).collect())
}

/// What differs.
///
/// # Errors
/// Returns why it cannot be told.
pub(crate) async fn compare(deployed: &dyn Deployed) -> Result<SettingsReport, Error> {
    let wanted = described().map_err(|error| Error::Refused(error.to_string()))?;
    let found = deployed.indexes().await?;
    Ok(SettingsReport {
        rules_differ: lines(&deployed.rules().await?) != lines(RULES),
        missing_indexes: wanted.difference(&found).cloned().collect(),
        unknown_indexes: found.difference(&wanted).cloned().collect(),
    })
}

/// The end of a line is not part of the rules.
fn lines(rules: &str) -> Vec<&str> {
    rules.trim_end().lines().map(str::trim_end).collect()
}

impl Index {
    /// Firestore adds `__name__` to what was asked for.
    pub(crate) fn describe(&self) -> String {
        let fields = self.fields.iter();
        let fields = fields.filter(|field| field.field_path != "__name__");
        let fields: Vec<String> = fields.map(Field::describe).collect();
        let (collection, scope) = (&self.collection_group, &self.query_scope);
        format!("index of {collection} ({scope}): {}", fields.join(", "))
    }
}

impl Field {
    fn describe(&self) -> String {
        let vector = self.vector_config.as_ref().map(|config| {
            let dimension = config["dimension"].as_u64().unwrap_or_default();
            format!("VECTOR {dimension}")
        });
        let kind = self.order.as_ref().or(self.array_config.as_ref());
        let kind = vector.or_else(|| kind.cloned()).unwrap_or_default();
        format!("{} {kind}", self.field_path)
    }
}

impl FieldOverride {
    pub(crate) fn describe(&self) -> String {
        let kinds = self.indexes.iter().map(|index| {
            let kind = index.order.as_ref().or(index.array_config.as_ref());
            let kind = kind.cloned().unwrap_or_default();
            format!("{kind} ({})", index.query_scope)
        });
        let mut kinds: Vec<String> = kinds.collect();
        kinds.sort_unstable();
        let ttl = if self.ttl { ", time to live" } else { "" };
        let (collection, field) = (&self.collection_group, &self.field_path);
        format!("field {collection}.{field}: [{}]{ttl}", kinds.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_of_the_file_has_a_line_of_its_own() {
        let file: File = serde_json::from_str(INDEXES).unwrap();
        let entries = file.indexes.len() + file.field_overrides.len();
        assert!(entries > 30);
        assert_eq!(described().unwrap().len(), entries);
    }
}
