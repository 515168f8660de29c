//! `firestore.indexes.json` has the indexes that queries need, and no others: no emulator tells.

mod file;
mod listing;

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use shared::{
    ids::{IntegrationId, OrgId, Uid, WorkflowId},
    models::{
        AuditAction, ExecutionStatus, ORGANIZATION, SystemPrincipal, Timestamp, TriggerType, Vector,
    },
    store::{
        Page, Store, Write,
        audit_logs::{AuditFilter, Naming},
        document_db::{Document, DocumentDb, DocumentPath, Error, Query},
        executions::ExecutionFilter,
        knowledge::ChunkSearch,
        memories::MemorySearch,
    },
};

use self::{
    file::{FieldOverride, IndexFile},
    listing::{Listing, Need},
};
use crate::models::samples;

/// Indexes that the specification asks for, though no query needs them yet: R244 and R246 name the
/// first two.
fn demanded() -> [Need; 3] {
    let need = |collection: &str, fields: &[(&str, &str)]| Need {
        collection: collection.to_owned(),
        is_group: false,
        fields: fields
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned()))
            .collect(),
    };
    let (ascending, descending) = ("ASCENDING", "DESCENDING");
    [
        need("agents", &[("orgId", ascending), ("status", ascending)]),
        need(
            "executions",
            &[("workflowId", ascending), ("startedAt", descending)],
        ),
        // R247: an index of one field is automatic, but an override could take it away.
        need("users", &[("email", ascending)]),
    ]
}

/// An index on a time to live would only make a hot spot.
const EXPIRING: [&str; 5] = [
    "deleted_users.expiresAt",
    "idempotency.expiresAt",
    "invitations.expiresAt",
    "llm_cache.expiresAt",
    "oauth_states.expiresAt",
];

/// Fields that grow with use and are never asked for: their index entries would only cost.
const UNASKED: [&str; 7] = [
    "audit_logs.mac",
    "audit_logs.metadata",
    "audit_logs.prevMac",
    "llm_cache.answer",
    "quota.alerts",
    "quota.leases",
    "quota.open",
];

fn exempt() -> BTreeSet<String> {
    let fields = EXPIRING.iter().chain(&UNASKED);
    fields.map(|field| (*field).to_owned()).collect()
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
const STORE_QUERIES: usize = 78;

async fn ask_everything(store: &Store) -> Result<(), Error> {
    let caller = SystemPrincipal { function: "test" };
    let org_id = OrgId::derive(&["o"]);
    let page = Page::first(10);
    let execution_id = samples::execution().id;
    store.list_agents(&org_id, &page).await?;
    store.list_agents_in_training(&org_id, 10).await?;
    store
        .list_due_agent_services(&caller, samples::time(), 10)
        .await?;
    store.list_workflows(&org_id, &page).await?;
    store.list_active_workflows(&caller, &page).await?;
    ask_for_executions(store, &org_id, &page).await?;
    store
        .list_due_executions(&caller, samples::time(), 10)
        .await?;
    store.list_steps(&org_id, &execution_id).await?;
    store.page_steps(&org_id, &execution_id, &page).await?;
    store.list_log_lines(&org_id, &execution_id, 0, 10).await?;
    store
        .list_due_outbox_rows(&caller, samples::time(), 10)
        .await?;
    store
        .each_usage_entry(&org_id, "2026-11-01", "2026-11-30", |_| ())
        .await?;
    store
        .list_usage_entries_of_lease(&org_id, "lease", &page)
        .await?;
    store
        .list_due_token_quotas(&caller, samples::time(), 10)
        .await?;
    ask_about_metering(store, &caller, &org_id, &page).await?;
    ask_about_training(store, &caller, &org_id, &page).await?;
    ask_for_integrations(store, &caller, &org_id, &page).await?;
    ask_about_waits(store, &caller, &org_id, &page).await?;
    ask_for_audit_records(store, &caller, &org_id, &page).await?;
    ask_for_a_user(store, &caller, &page).await?;
    ask_about_members(store, &caller, &org_id, &page).await?;
    ask_about_conversations(store, &caller, &org_id, &page).await?;
    ask_for_memories(store, &caller, &org_id, &page).await?;
    ask_about_subscriptions(store, &caller, &org_id, &page).await
}

async fn ask_about_subscriptions(
    store: &Store,
    caller: &SystemPrincipal,
    org_id: &OrgId,
    page: &Page,
) -> Result<(), Error> {
    let now = samples::time();
    store
        .find_organization_by_stripe_customer(caller, "cus_1")
        .await?;
    for after in [None, samples::tier_reconcile().after.as_ref()] {
        store.list_paying_organizations(caller, after, 10).await?;
    }
    store.list_due_stripe_events(caller, now, 10).await?;
    store.list_versioned_agents(org_id, page).await?;
    let limits = store.list_due_agent_limits(caller, now, 10).await;
    limits.map(|_| ())
}

async fn ask_about_metering(
    store: &Store,
    caller: &SystemPrincipal,
    org_id: &OrgId,
    page: &Page,
) -> Result<(), Error> {
    let now = samples::time();
    store.list_organizations_to_meter(caller, page).await?;
    store.list_usage_entries_to_meter(org_id, page).await?;
    store.list_reserved_usage_entries(org_id, page).await?;
    let days = ("2026-11-01", "2026-11-23");
    store.count_usage_entries(org_id, days, 10).await?;
    store.list_due_meter_rows(caller, now, None, 10).await?;
    store.list_unsettled_meter_rows(org_id, "cus_1", 10).await?;
    store
        .list_meter_rows_of_minute(caller, "cus_1", now, page)
        .await?;
    let rows = store
        .list_meter_rows_of_day(caller, "2026-11-23", None, 10)
        .await;
    rows.map(|_| ())
}

async fn ask_about_training(
    store: &Store,
    caller: &SystemPrincipal,
    org_id: &OrgId,
    page: &Page,
) -> Result<(), Error> {
    let agent_id = samples::agent().id;
    store.list_approved_sessions(org_id, &agent_id, 10).await?;
    store.list_tunings(org_id, &agent_id, page).await?;
    store.list_due_tunings(caller, samples::time(), 10).await?;
    store.list_tuned_models(org_id, 10).await.map(|_| ())
}

async fn ask_for_integrations(
    store: &Store,
    caller: &SystemPrincipal,
    org_id: &OrgId,
    page: &Page,
) -> Result<(), Error> {
    let id = samples::integration().id;
    let service = samples::integration().service;
    store.list_active_google_integrations(caller, page).await?;
    store.list_all_integrations(caller, None, 10).await?;
    store
        .list_integrations_of_service(org_id, service, 10)
        .await?;
    store.list_integration_statuses(org_id, page).await?;
    store.list_sync_cursor_removals(&id, 10).await?;
    ask_for_knowledge(store, org_id, &id).await?;
    let document = samples::knowledge_document();
    store.list_knowledge_removals(org_id, &id, 10).await?;
    store
        .list_chunks_of_document(org_id, &document.id, page)
        .await?;
    store.list_documents_of_integration(org_id, &id, 10).await?;
    store
        .list_integrations_of_mailbox(caller, "00ff", 10)
        .await?;
    store.list_disconnecting_integrations(caller, page).await?;
    store.list_active_workflows_of(org_id, page).await?;
    store.list_all_knowledge_documents(org_id, page).await?;
    store.list_removals_of_model(org_id, "model", 10).await?;
    let kind = document.source.kind;
    let documents = store
        .list_knowledge_documents(org_id, &id, kind, page)
        .await;
    documents.map(|_| ())
}

async fn ask_for_knowledge(store: &Store, org_id: &OrgId, id: &IntegrationId) -> Result<(), Error> {
    let vector = vec![0.0; Vector::INDEXED_DIMENSION as usize].into();
    for integration_id in [None, Some(id)] {
        let search = ChunkSearch {
            principal: ORGANIZATION,
            embedding_model: "m",
            integration_id,
            vector: &vector,
            max_distance: 1.0,
        };
        store.find_nearest_chunks(org_id, &search, 8).await?;
    }
    store.count_chunks(org_id, ORGANIZATION, 10).await?;
    store.count_chunks_with_term(org_id, "term", 10).await?;
    let chunks = store.list_chunks_with_term(org_id, "term", 10).await;
    chunks.map(|_| ())
}

async fn ask_for_executions(store: &Store, org_id: &OrgId, page: &Page) -> Result<(), Error> {
    let workflow_id = Some(WorkflowId::derive(&["w"]));
    let statuses = vec![ExecutionStatus::Failed, ExecutionStatus::Cancelled];
    for (workflow_id, statuses, trigger_type) in [
        (None, Vec::new(), None),
        (workflow_id.clone(), Vec::new(), None),
        (None, statuses.clone(), None),
        (workflow_id, statuses, None),
        (None, Vec::new(), Some(TriggerType::Schedule)),
    ] {
        let filter = ExecutionFilter {
            workflow_id,
            statuses,
            trigger_type,
            from: Some(samples::time()),
            to: Some(samples::time()),
        };
        store.list_executions(org_id, &filter, page).await?;
    }
    Ok(())
}

/// What runs wait for: people, each other, and their turn.
async fn ask_about_waits(
    store: &Store,
    caller: &SystemPrincipal,
    org_id: &OrgId,
    page: &Page,
) -> Result<(), Error> {
    let execution_id = samples::execution().id;
    store.list_pending_approvals(org_id, page).await?;
    store.list_approvals_of(org_id, &execution_id).await?;
    store
        .list_child_executions(org_id, &execution_id, page)
        .await?;
    store
        .list_missed_wakeups(caller, samples::time(), 10)
        .await?;
    let workflow_id = WorkflowId::derive(&["w"]);
    store
        .list_queued_executions(org_id, &workflow_id, 10)
        .await?;
    store
        .list_queueing_workflows(caller, page)
        .await
        .map(|_| ())
}

async fn ask_for_audit_records(
    store: &Store,
    caller: &SystemPrincipal,
    org_id: &OrgId,
    page: &Page,
) -> Result<(), Error> {
    let actor_id = Some("u1".to_owned());
    let action = Some(AuditAction::AgentDeploy);
    for (actor_id, action) in [
        (None, None),
        (actor_id.clone(), None),
        (None, action),
        (actor_id, action),
    ] {
        let filter = AuditFilter {
            actor_id,
            action,
            from: Some(samples::time()),
            to: Some(samples::time()),
        };
        store.list_audit_records(org_id, &filter, page).await?;
    }
    store.list_audit_chain(org_id, None).await?;
    store.list_audit_heads(caller, None).await.map(|_| ())
}

/// What is looked for when an account is exported or deleted.
async fn ask_for_a_user(store: &Store, caller: &SystemPrincipal, page: &Page) -> Result<(), Error> {
    let uid = Uid::parse("u1").unwrap();
    for naming in [Naming::Actor, Naming::Subject] {
        store
            .list_audit_records_naming(caller, naming, &uid, page)
            .await?;
        store
            .find_audit_records_naming(caller, naming, &uid)
            .await?;
    }
    store.list_triggers_by_user(caller, &uid, page).await?;
    store.list_usage_entries_by_user(caller, &uid, page).await?;
    store.list_integrations_by_user(caller, &uid, page).await?;
    store.list_organization_ids(caller, None).await?;
    store.list_invitations_by_user(caller, &uid, page).await?;
    let due = store.list_due_erasures(caller, samples::time(), 10).await;
    due.map(|_| ())
}

async fn ask_about_conversations(
    store: &Store,
    caller: &SystemPrincipal,
    org_id: &OrgId,
    page: &Page,
) -> Result<(), Error> {
    let (session, uid) = (samples::session(), Uid::parse("u1").unwrap());
    let agent_id = &session.agent_id;
    store.list_sessions(org_id, agent_id, &uid, page).await?;
    store.list_messages(&session, 1, 10).await?;
    store.list_message_removals(&session, 10).await?;
    let execution_id = samples::execution().id;
    store.list_drafts(org_id, &execution_id, 10).await?;
    store.list_draft_removals(org_id, &execution_id, 10).await?;
    store.list_llm_routes(org_id, 10).await?;
    store.list_session_removals(org_id, agent_id, 10).await?;
    let removals = store.list_session_removals_of_user(caller, &uid, 10).await;
    removals.map(|_| ())
}

async fn ask_for_memories(
    store: &Store,
    caller: &SystemPrincipal,
    org_id: &OrgId,
    page: &Page,
) -> Result<(), Error> {
    let (memory, uid) = (samples::memory(), Uid::parse("u1").unwrap());
    let agent_id = &memory.agent_id;
    let search = MemorySearch {
        subject_uid: Some(uid.clone()),
        embedding_model: memory.embedding_model.clone(),
        vector: vec![0.0; Vector::INDEXED_DIMENSION as usize].into(),
        max_distance: 1.0,
    };
    store.list_memories(org_id, agent_id, page).await?;
    store
        .find_nearest_memories(org_id, agent_id, &search, 8)
        .await?;
    store
        .list_oldest_memory_removals(org_id, agent_id, 0)
        .await?;
    store.list_memory_removals(org_id, agent_id, 10).await?;
    store.list_memories_of_user(caller, &uid, page).await?;
    let removals = store.list_memory_removals_of_user(caller, &uid, 10).await;
    removals.map(|_| ())
}

async fn ask_about_members(
    store: &Store,
    caller: &SystemPrincipal,
    org_id: &OrgId,
    page: &Page,
) -> Result<(), Error> {
    store.list_members(org_id, page).await?;
    store.has_member_with_email(org_id, "a@b.example").await?;
    store.list_invitations(org_id, page).await?;
    store.list_all_invitations(org_id, 10).await?;
    store
        .list_invitations_of_address(caller, "a@b.example", 10)
        .await?;
    store.has_workflow(org_id).await?;
    store.has_integration(org_id).await.map(|_| ())
}

/// Whatever the store, clients and the specification need.
async fn needs() -> Vec<Need> {
    let recorder = Arc::new(QueryRecorder::default());
    let db: Arc<dyn DocumentDb> = recorder.clone();
    ask_everything(&Store::new(db)).await.unwrap();
    let queries = recorder.0.lock().unwrap();
    let of_store = queries.iter().map(Listing::of_store);
    let listings = of_store.chain(listing::of_clients());
    let needs = listings.flat_map(|listing| listing.needs());
    needs.chain(demanded()).collect()
}

#[tokio::test]
async fn the_file_has_just_the_indexes_that_queries_need() {
    let differences = IndexFile::load().differences(&needs().await, &exempt());
    assert!(differences.is_empty(), "{differences:#?}");
}

#[tokio::test]
async fn an_index_that_is_missing_or_needless_is_noticed() {
    let needs = needs().await;
    let mut file = IndexFile::load();
    let first = file.indexes.remove(0).need();
    let without = file.differences(&needs, &exempt());
    assert_eq!(without, [format!("missing: {first}")]);

    let others: Vec<Need> = needs.into_iter().filter(|need| *need != first).collect();
    let with = IndexFile::load().differences(&others, &exempt());
    assert_eq!(with, [format!("needless: {first}")]);
}

#[test]
fn overrides_are_compared_both_ways() {
    let planted = |indexes: &str| -> IndexFile {
        let text = format!(
            r#"{{ "indexes": [], "fieldOverrides": [
                {{ "collectionGroup": "things", "fieldPath": "x", "indexes": {indexes} }}
            ] }}"#
        );
        serde_json::from_str(&text).unwrap()
    };
    let need = |is_group| Need {
        collection: "things".to_owned(),
        is_group,
        fields: vec![("x".to_owned(), "ASCENDING".to_owned())],
    };
    let none = BTreeSet::new();
    let exempt = BTreeSet::from(["things.x".to_owned()]);
    let of_group = planted(r#"[{ "order": "ASCENDING", "queryScope": "COLLECTION_GROUP" }]"#);
    let of_both = planted(
        r#"[{ "order": "ASCENDING", "queryScope": "COLLECTION" },
            { "order": "ASCENDING", "queryScope": "COLLECTION_GROUP" }]"#,
    );
    let no_index = planted("[]");
    let index = "things (group): x ASCENDING";

    assert_eq!(of_group.differences(&[need(true)], &none), [""; 0]);
    assert_eq!(
        of_both.differences(&[need(true), need(false)], &none),
        [""; 0]
    );
    assert_eq!(no_index.differences(&[], &exempt), [""; 0]);
    assert_eq!(
        of_group.differences(&[], &none),
        [format!("needless: {index}")]
    );
    assert_eq!(
        of_group.differences(&[need(true), need(false)], &none),
        ["overridden: things: x ASCENDING"]
    );
    assert_eq!(
        no_index.differences(&[need(true)], &exempt),
        [format!("missing: {index}")]
    );
    assert_eq!(
        no_index.differences(&[need(false)], &none),
        ["exempt or not: things.x", "overridden: things: x ASCENDING"]
    );
}

#[test]
fn every_query_of_the_store_is_asked() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/src/store");
    let queries: usize = fs::read_dir(store)
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap_or_default())
        .map(|text| text.matches("Query::new(").count() + text.matches("Query::group(").count())
        .sum();
    assert_eq!(
        queries, STORE_QUERIES,
        "add the new query to `ask_everything`"
    );
}

#[test]
fn composite_indexes_are_ones_that_firestore_accepts() {
    for index in IndexFile::load().indexes {
        let need = index.need();
        assert!(need.fields.len() > 1, "{need}");
        let fields = need.fields.iter();
        let vectors = fields.filter(|(_, kind)| kind.starts_with("vector"));
        assert!(vectors.count() <= 1, "{need}");
    }
}

#[test]
fn bookkeeping_that_may_go_has_a_time_to_live() {
    let overrides = IndexFile::load().field_overrides;
    let expiring = overrides.iter().filter(|entry| entry.ttl);
    let expiring: BTreeSet<String> = expiring.map(FieldOverride::field).collect();
    assert_eq!(expiring, EXPIRING.map(str::to_owned).into());
}
