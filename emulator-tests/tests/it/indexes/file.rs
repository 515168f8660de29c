use std::collections::BTreeSet;

use serde::Deserialize;

use super::listing::Need;

/// `firestore.indexes.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct IndexFile {
    pub(super) indexes: Vec<Index>,
    pub(super) field_overrides: Vec<FieldOverride>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Index {
    collection_group: String,
    query_scope: Scope,
    fields: Vec<IndexField>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Scope {
    Collection,
    CollectionGroup,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IndexField {
    field_path: String,
    order: Option<String>,
    array_config: Option<String>,
    vector_config: Option<VectorConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VectorConfig {
    dimension: u32,
    #[serde(rename = "flat")]
    _flat: serde_json::Map<String, serde_json::Value>,
}

/// What one field has in place of the automatic indexes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FieldOverride {
    collection_group: String,
    field_path: String,
    #[serde(default)]
    pub(super) ttl: bool,
    indexes: Vec<FieldIndex>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FieldIndex {
    query_scope: Scope,
    order: Option<String>,
    array_config: Option<String>,
}

impl IndexFile {
    pub(super) fn load() -> Self {
        serde_json::from_str(include_str!("../../../../firestore.indexes.json")).unwrap()
    }

    /// What is missing and what is there for nothing. Fields in `exempt` have no index.
    pub(super) fn differences(&self, needs: &[Need], exempt: &BTreeSet<String>) -> Vec<String> {
        let needed: BTreeSet<&Need> = needs.iter().filter(|need| Self::is_listed(need)).collect();
        let overrides = self.field_overrides.iter();
        let in_groups: Vec<Need> = overrides.flat_map(FieldOverride::of_groups).collect();
        let composites: Vec<Need> = self.indexes.iter().map(Index::need).collect();
        let listed: Vec<&Need> = composites.iter().chain(&in_groups).collect();
        let unique: BTreeSet<&Need> = listed.iter().copied().collect();
        let exempted: BTreeSet<String> = self.exempted().collect();

        let missing = needed.difference(&unique);
        let missing = missing.map(|need| format!("missing: {need}"));
        let needless = unique.difference(&needed);
        let needless = needless.map(|need| format!("needless: {need}"));
        let twice = listed.len() - unique.len();
        let twice = (twice > 0).then(|| format!("{twice} indexes twice"));
        let exemptions = exempt.symmetric_difference(&exempted);
        let exemptions = exemptions.map(|field| format!("exempt or not: {field}"));
        let refused = needs.iter().filter(|need| self.is_refused(need));
        let refused = refused.map(|need| format!("overridden: {need}"));
        let differences = missing.chain(needless).chain(twice);
        differences.chain(exemptions).chain(refused).collect()
    }

    /// Whether the file has to have it: indexes of one field are automatic outside of groups.
    fn is_listed(need: &Need) -> bool {
        need.is_group || need.fields.len() > 1
    }

    /// Whether an override has taken away an index that would have been automatic.
    fn is_refused(&self, need: &Need) -> bool {
        let [(field, kind)] = need.fields.as_slice() else {
            return false;
        };
        let overrides = self.field_overrides.iter();
        let mut overrides = overrides.filter(|entry| {
            entry.collection_group == need.collection && entry.field_path == *field
        });
        !need.is_group && overrides.any(|entry| !entry.keeps(kind))
    }

    fn exempted(&self) -> impl Iterator<Item = String> {
        let overrides = self.field_overrides.iter();
        let exempted = overrides.filter(|entry| entry.indexes.is_empty());
        exempted.map(FieldOverride::field)
    }
}

impl Index {
    pub(super) fn need(&self) -> Need {
        Need {
            collection: self.collection_group.clone(),
            is_group: self.query_scope == Scope::CollectionGroup,
            fields: self.fields.iter().map(IndexField::describe).collect(),
        }
    }
}

impl IndexField {
    fn describe(&self) -> (String, String) {
        let name = &self.field_path;
        let kind = match (&self.order, &self.array_config, &self.vector_config) {
            (Some(kind), None, None) | (None, Some(kind), None) => kind.clone(),
            (None, None, Some(vector)) => format!("vector of {}", vector.dimension),
            _ => panic!("`{name}` needs one of order, arrayConfig and vectorConfig"),
        };
        (name.clone(), kind)
    }
}

impl FieldOverride {
    /// The collection and the field: `users.email`.
    pub(super) fn field(&self) -> String {
        format!("{}.{}", self.collection_group, self.field_path)
    }

    fn of_groups(&self) -> Vec<Need> {
        let indexes = self.indexes.iter();
        let indexes = indexes.filter(|index| index.query_scope == Scope::CollectionGroup);
        let needs = indexes.map(|index| Need {
            collection: self.collection_group.clone(),
            is_group: true,
            fields: vec![(self.field_path.clone(), index.kind().to_owned())],
        });
        needs.collect()
    }

    fn keeps(&self, kind: &str) -> bool {
        let mut indexes = self.indexes.iter();
        indexes.any(|index| index.query_scope == Scope::Collection && index.kind() == kind)
    }
}

impl FieldIndex {
    fn kind(&self) -> &str {
        match (&self.order, &self.array_config) {
            (Some(kind), None) | (None, Some(kind)) => kind,
            _ => panic!("an override needs one of order and arrayConfig"),
        }
    }
}
