//! `firestore.indexes.json` has the indexes that queries need, and no others: no emulator tells.

use std::{collections::BTreeSet, fs, path::Path, sync::Mutex};

use async_trait::async_trait;
use serde::Deserialize;
use shared::{
    ids::{OrgId, WorkflowId},
    models::{SystemPrincipal, Timestamp},
    store::{
        Page, Store, Write,
        document_db::{Comparison, Document, DocumentDb, DocumentPath, Error, Order, Query},
        executions::ExecutionFilter,
    },
};

use crate::models::samples;

/// Queries of clients, which `DESIGN.md` section 3 lists, as [`IndexFile::composites`] tells them.
const CLIENT_INDEXES: [&str; 4] = [
    "agents: orgId ASCENDING, status ASCENDING",
    "audit_logs: orgId ASCENDING, timestamp DESCENDING",
    "executions: workflowId ASCENDING, startedAt DESCENDING",
    "knowledge: principals CONTAINS, embedding vector of 768",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IndexFile {
    indexes: Vec<Index>,
    field_overrides: Vec<FieldOverride>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Index {
    collection_group: String,
    query_scope: String,
    fields: Vec<IndexField>,
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FieldOverride {
    collection_group: String,
    field_path: String,
    #[serde(default)]
    ttl: bool,
    indexes: Vec<serde_json::Value>,
}

impl IndexFile {
    fn load() -> Self {
        serde_json::from_str(include_str!("../../../firestore.indexes.json")).unwrap()
    }

    fn composites(&self) -> BTreeSet<String> {
        self.indexes.iter().map(Index::describe).collect()
    }
}

impl Index {
    fn describe(&self) -> String {
        let fields: Vec<String> = self.fields.iter().map(IndexField::describe).collect();
        format!("{}: {}", self.collection_group, fields.join(", "))
    }
}

impl IndexField {
    fn describe(&self) -> String {
        let name = &self.field_path;
        match (&self.order, &self.array_config, &self.vector_config) {
            (Some(kind), None, None) | (None, Some(kind), None) => format!("{name} {kind}"),
            (None, None, Some(vector)) => format!("{name} vector of {}", vector.dimension),
            _ => panic!("`{name}` needs one of order, arrayConfig and vectorConfig"),
        }
    }
}

/// Keeps the queries and finds nothing.
#[derive(Default)]
struct QueryRecorder(Mutex<Vec<Query>>);

#[async_trait]
impl DocumentDb for QueryRecorder {
    async fn get(&self, _path: &DocumentPath) -> Result<Option<Document>, Error> {
        Ok(None)
    }

    async fn query(&self, query: &Query) -> Result<Vec<Document>, Error> {
        self.0.lock().unwrap().push(query.clone());
        Ok(Vec::new())
    }

    async fn commit(&self, _writes: Vec<Write>) -> Result<Timestamp, Error> {
        Ok(samples::time())
    }
}

/// How many queries [`ask_everything`] knows.
const STORE_QUERIES: usize = 17;

async fn ask_everything(store: &Store) -> Result<(), Error> {
    let caller = SystemPrincipal { function: "test" };
    let org_id = OrgId::derive(&["o"]);
    let page = Page {
        limit: 10,
        after: None,
    };
    let execution_id = samples::execution().id;
    let any = ExecutionFilter::default();
    let of_workflow = ExecutionFilter {
        workflow_id: Some(WorkflowId::derive(&["w"])),
    };
    store.list_agents(&org_id, &page).await?;
    store.list_workflows(&org_id, &page).await?;
    store.list_active_workflows(&caller, &page).await?;
    store.list_executions(&org_id, &any, &page).await?;
    store.list_executions(&org_id, &of_workflow, &page).await?;
    store
        .list_due_executions(&caller, samples::time(), 10)
        .await?;
    store.list_steps(&org_id, &execution_id).await?;
    store.list_log_lines(&org_id, &execution_id, 0, 10).await?;
    store
        .list_due_outbox_rows(&caller, samples::time(), 10)
        .await?;
    store
        .each_usage_entry(&org_id, "2026-11-01", "2026-11-30", |_| ())
        .await?;
    store
        .list_active_google_integrations(&caller, &page)
        .await?;
    ask_about_members(store, &org_id, &page).await?;
    let customer = store.find_organization_by_stripe_customer(&caller, "cus_1");
    customer.await.map(|_| ())
}

async fn ask_about_members(store: &Store, org_id: &OrgId, page: &Page) -> Result<(), Error> {
    let caller = SystemPrincipal { function: "test" };
    store.list_members(org_id, page).await?;
    store.has_member_with_email(org_id, "a@b.example").await?;
    store.list_invitations(org_id, page).await?;
    store.all_invitations(org_id, 10).await?;
    store
        .list_invitations_of_address(&caller, "a@b.example", 10)
        .await?;
    store.has_workflow(org_id).await?;
    store.has_integration(org_id).await.map(|_| ())
}

/// Equal fields alone are served by merging the automatic indexes of single fields
/// (<https://firebase.google.com/docs/firestore/query-data/index-overview>).
fn needed_index(query: &Query) -> Option<String> {
    let (field, direction) = match query.order {
        Order::ById => return None,
        Order::Ascending(field) => (field, "ASCENDING"),
        Order::Descending(field) => (field, "DESCENDING"),
    };
    let equal = query
        .filters
        .iter()
        .filter(|filter| filter.comparison == Comparison::Equal);
    let equal: Vec<String> = equal
        .map(|filter| format!("{} ASCENDING", filter.field))
        .collect();
    let collection = query.collection.rsplit('/').next().unwrap_or_default();
    let fields = equal.join(", ");
    (!equal.is_empty()).then(|| format!("{collection}: {fields}, {field} {direction}"))
}

#[tokio::test]
async fn the_file_has_just_the_indexes_that_queries_need() {
    let recorder = std::sync::Arc::new(QueryRecorder::default());
    let db: std::sync::Arc<dyn DocumentDb> = recorder.clone();
    ask_everything(&Store::new(db)).await.unwrap();
    let queries = recorder.0.lock().unwrap();
    let mut needed: BTreeSet<String> = queries.iter().filter_map(needed_index).collect();
    needed.extend(CLIENT_INDEXES.map(str::to_owned));
    assert_eq!(IndexFile::load().composites(), needed);
}

#[test]
fn every_query_of_the_store_is_asked() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/src/store");
    let queries: usize = fs::read_dir(store)
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap_or_default())
        .map(|text| text.matches("Query::new(").count())
        .sum();
    assert_eq!(
        queries, STORE_QUERIES,
        "add the new query to `ask_everything`"
    );
}

#[test]
fn composite_indexes_are_ones_that_firestore_accepts() {
    for index in IndexFile::load().indexes {
        assert!(index.fields.len() > 1, "{}", index.describe());
        assert_eq!(index.query_scope, "COLLECTION", "{}", index.describe());
        let vectors = index
            .fields
            .iter()
            .filter(|field| field.vector_config.is_some());
        assert!(vectors.count() <= 1, "{}", index.describe());
    }
}

/// An index on a time to live would only make a hot spot.
#[test]
fn bookkeeping_that_may_go_has_a_time_to_live() {
    let overrides = IndexFile::load().field_overrides;
    let expiring: BTreeSet<String> = overrides
        .iter()
        .filter(|entry| entry.ttl && entry.indexes.is_empty())
        .map(|entry| format!("{}.{}", entry.collection_group, entry.field_path))
        .collect();
    let expected = [
        "idempotency.expiresAt",
        "invitations.expiresAt",
        "oauth_states.expiresAt",
    ];
    assert_eq!(expiring, expected.map(str::to_owned).into());
}

/// An automatic index has the scope of one collection, so a query of a group needs another.
#[tokio::test]
async fn a_query_of_a_group_has_an_index_of_that_scope() {
    let recorder = std::sync::Arc::new(QueryRecorder::default());
    let db: std::sync::Arc<dyn DocumentDb> = recorder.clone();
    ask_everything(&Store::new(db)).await.unwrap();
    let queries = recorder.0.lock().unwrap();
    let filters = queries.iter().filter(|query| query.is_group);
    let needed: BTreeSet<String> = filters
        .flat_map(|query| query.filters.iter().map(|it| (&query.collection, it.field)))
        .map(|(collection, field)| format!("{collection}.{field}"))
        .collect();
    let overrides = IndexFile::load().field_overrides;
    let is_of_group = |index: &serde_json::Value| {
        *index == serde_json::json!({ "order": "ASCENDING", "queryScope": "COLLECTION_GROUP" })
    };
    let declared: BTreeSet<String> = overrides
        .iter()
        .filter(|entry| entry.indexes.iter().any(is_of_group))
        .map(|entry| format!("{}.{}", entry.collection_group, entry.field_path))
        .collect();
    assert_eq!(declared, needed);
    assert_eq!(needed.len(), 1);
}
