//! Every document comes back from Firestore as it went in.

pub(crate) mod samples;

use std::{collections::BTreeSet, fmt::Debug, fs, path::Path};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use shared::{
    models::{Agent, Industry, Timestamp, User, Workflow},
    store::{
        DocumentPath, Write, decode,
        document_db::{Document, DocumentDb, Fields, Operation, Precondition, Value, ValueType},
        encode,
        firestore::Firestore,
    },
};

use crate::document_db::{connect, start_firestore};

async fn write_and_read(db: &Firestore, path: &DocumentPath, fields: Fields) -> Document {
    let write = Write {
        path: path.clone(),
        operation: Operation::Replace(fields),
        precondition: Precondition::Absent,
    };
    db.commit(vec![write]).await.unwrap();
    db.get(path).await.unwrap().unwrap()
}

async fn assert_round_trip<T>(db: &Firestore, path: &str, model: T)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let (path, fields) = document(path, &model);
    let mut document = write_and_read(db, &path, fields).await;
    assert_eq!(decode::<T>(&document).unwrap(), model, "{path}");

    // What a newer version has added.
    let later = json!({ "later": { "x": [1, null] }, "another": null });
    document.fields.extend(encode(&path, &later).unwrap());
    assert_eq!(decode::<T>(&document).unwrap(), model, "{path}");
}

fn document<T: Serialize>(path: &str, model: &T) -> (DocumentPath, Fields) {
    let (collection, id) = path.rsplit_once('/').unwrap();
    let path = DocumentPath::new(collection, id);
    let fields = encode(&path, model).unwrap();
    (path, fields)
}

/// Makes the test of every model, and the list of the models that have one.
macro_rules! round_trips {
    ($($model:ident $path:literal $sample:expr;)+) => {
        const MODELS: &[(&str, &str)] = &[$((stringify!($model), $path)),+];

        /// A document of every kind and its path.
        pub(crate) fn documents() -> Vec<(DocumentPath, Fields)> {
            vec![$(document($path, &$sample)),+]
        }

        #[tokio::test]
        async fn every_model_comes_back_equal() {
            let server = start_firestore().await;
            let db = connect(&server);
            $(assert_round_trip(&db, $path, $sample).await;)+
        }
    };
}

round_trips! {
    Agent "agents/a1" samples::agent();
    AgentQuota "organizations/o1/quota/agents" samples::agent_quota();
    AgentService "agent_services/a1" samples::agent_service();
    Approval "approvals/r1" samples::approval();
    AuditHead "audit_heads/o1" samples::audit_head();
    AuditLog "audit_logs/r1" samples::audit_log();
    CachedAnswer "organizations/o1/llm_cache/r1" samples::cached_answer();
    ChatMessage "agents/a1/sessions/r1/messages/r1" samples::chat_message();
    DeletedUser "deleted_users/00ff" samples::deleted_user();
    Draft "executions/e1/drafts/n1#0~1" samples::draft();
    Execution "executions/e1" samples::execution();
    IdempotencyRecord "idempotency/k1" samples::idempotency_record();
    Integration "integrations/i1" samples::integration();
    Invitation "organizations/o1/invitations/r1" samples::invitation();
    KnowledgeChunk "organizations/o1/knowledge/r1" samples::knowledge_chunk();
    KnowledgeDocument "organizations/o1/knowledge_documents/r1" samples::knowledge_document();
    KnowledgeUse "organizations/o1/quota/knowledge" samples::knowledge_use();
    LlmRoute "organizations/o1/llm_routes/fast" samples::llm_route();
    LlmSwitch "platform/llm" samples::llm_switch();
    LogLine "executions/e1/logs/0000000001" samples::log_line();
    MemberCount "organizations/o1/quota/members" samples::member_count();
    Memory "agents/a1/memories/r1" samples::memory();
    MeterRow "meter_events/r1" samples::meter_row();
    MeteredMonth "organizations/o1/metering/2026-11" samples::metered_month();
    OAuthState "oauth_states/00ff" samples::oauth_state();
    Organization "organizations/o1" samples::organization();
    OutboxRow "outbox/r1" samples::outbox_row();
    ProcessedEvent "idempotency/k2" samples::processed_event();
    ScheduleTick "schedule_ticks/last" samples::schedule_tick();
    Session "agents/a1/sessions/r1" samples::session();
    Stats "organizations/o1/stats/current" samples::stats();
    Step "executions/e1/steps/n2#0" samples::step();
    StepPage "executions/e1/steps/@1-1" samples::step_page();
    StripeCustomer "stripe_customers/cus_1" samples::stripe_customer();
    StripeEvent "stripe_events/r1" samples::stripe_event();
    TierReconcile "platform/tier_reconcile" samples::tier_reconcile();
    SyncState "integrations/i1/sync/gmail" samples::sync_state();
    SyncStatus "integration_status/i1" samples::sync_status();
    TokenQuota "organizations/o1/quota/tokens" samples::token_quota();
    Trigger "triggers/t1" samples::trigger();
    TunedModel "organizations/o1/tuned_models/r1" samples::tuned_model();
    Tuning "agents/a1/tunings/r1" samples::tuning();
    UsageEntry "usage_ledger/r1" samples::usage_entry();
    UsageReconcile "platform/usage_reconcile" samples::usage_reconcile();
    UsageReconciliation "usage_reconciliations/2026-11-23" samples::usage_reconciliation();
    User "users/u1" samples::user("u1", "o1", shared::models::Role::User);
    Wakeup "wakeups/r1" samples::wakeup();
    Workflow "workflows/w1" samples::workflow();
    WorkflowState "workflow_states/w1" samples::workflow_state();
    WorkflowVersion "workflows/w1/versions/00ff" samples::workflow_version();
}

/// A document's struct begins with its path, as in ``/// `agents/{id}`.``
#[test]
fn every_document_struct_has_a_round_trip() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/src");
    let mut documents = BTreeSet::new();
    for directory in ["models", "store"] {
        for entry in fs::read_dir(source.join(directory)).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
            documents.extend(document_structs(&text));
        }
    }
    let tested = MODELS.iter().map(|(model, _)| (*model).to_owned());
    assert_eq!(documents, tested.collect());
}

fn document_structs(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_document = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("pub struct ") {
            let end = name.find(|c: char| !c.is_alphanumeric());
            let name = &name[..end.unwrap_or(name.len())];
            names.extend(is_document.then(|| name.to_owned()));
        }
        match line.strip_prefix("/// `") {
            Some(doc) => is_document |= doc.split('`').next().unwrap_or_default().contains('/'),
            None => is_document &= line.starts_with("///") || line.starts_with("#["),
        }
    }
    names
}

#[tokio::test]
async fn timestamps_are_firestore_timestamps() {
    let server = start_firestore().await;
    let db = connect(&server);
    let path = DocumentPath::new("executions", "e1");
    let fields = encode(&path, &samples::execution()).unwrap();
    let document = write_and_read(&db, &path, fields).await;
    let lease = map(&document.fields["lease"]);
    for value in [
        &document.fields["startedAt"],
        &document.fields["finishedAt"],
        &document.fields["resumeAt"],
        &lease["until"],
    ] {
        assert!(
            matches!(value.value_type, Some(ValueType::TimestampValue(_))),
            "{value:?}"
        );
    }
    let input = &document.fields["input"].value_type;
    assert!(
        matches!(input, Some(ValueType::StringValue(_))),
        "{input:?}"
    );
}

fn map(value: &Value) -> &Fields {
    match &value.value_type {
        Some(ValueType::MapValue(map)) => &map.fields,
        _ => panic!("{value:?}"),
    }
}

/// The JavaScript SDK writes 1.0 as the integer 1.
#[tokio::test]
async fn whole_numbers_are_read_as_fractions() {
    let server = start_firestore().await;
    let db = connect(&server);
    let path = DocumentPath::new("agents", "a1");
    let mut fields = encode(&path, &samples::agent()).unwrap();
    let whole = json!({
        "personality": { "empathy": 1, "confidence": 0, "style": "" },
        "voiceConfig": { "model": "alloy", "speed": 2, "pitch": -3 },
    });
    fields.extend(encode(&path, &whole).unwrap());
    let document = write_and_read(&db, &path, fields).await;
    let agent: Agent = decode(&document).unwrap();
    assert_eq!(agent.personality.empathy, 1.0);
    assert_eq!(agent.voice_config.pitch, -3.0);
    assert_eq!(agent.industry, Industry::Healthcare);
}

/// What a client may write at least: absent optional fields, as in the access rules.
#[tokio::test]
async fn a_workflow_of_the_required_fields_is_read() {
    let server = start_firestore().await;
    let db = connect(&server);
    let path = DocumentPath::new("workflows", "w1");
    let least = json!({
        "id": "w1", "orgId": "o1", "nodes": [], "edges": [], "triggers": [], "active": false,
    });
    let document = write_and_read(&db, &path, encode(&path, &least).unwrap()).await;
    let workflow: Workflow = decode(&document).unwrap();
    assert_eq!(workflow.name, "");
    assert_eq!(workflow.created_at, None);
}

/// Clients choose these values freely, and one that cannot be read would break every listing.
#[tokio::test]
async fn values_that_json_lacks_are_read_in_free_parts() {
    let server = start_firestore().await;
    let host = server.host();
    let values = json!({
        "time": { "timestampValue": "2026-11-23T12:00:00Z" },
        "firstInstant": { "timestampValue": "0001-01-01T00:00:00Z" },
        "lastInstant": { "timestampValue": "9999-12-31T23:59:59.999999Z" },
        "bytes": { "bytesValue": "AAAA" },
        "point": { "geoPointValue": { "latitude": 1, "longitude": 2 } },
        "reference": { "referenceValue": "projects/demo-infinity-x/databases/(default)/documents/a/b" },
        "nan": { "doubleValue": "NaN" },
        "infinity": { "doubleValue": "Infinity" },
        "null": { "nullValue": null },
        "vector": { "mapValue": { "fields": {
            "__type__": { "stringValue": "__vector__" },
            "value": { "arrayValue": { "values": [{ "doubleValue": 1 }] } },
        } } },
        "emptyMap": { "mapValue": {} },
        "emptyArray": { "arrayValue": {} },
    });
    let mut unreadable = Vec::new();
    for (name, value) in values.as_object().unwrap() {
        let user = json!({ "fields": {
            "uid": { "stringValue": "u1" }, "role": { "stringValue": "user" },
            "organizationId": { "stringValue": "o1" },
            "createdAt": { "timestampValue": "2026-11-23T12:00:00Z" },
            "settings": { "mapValue": { "fields": { "x": value } } },
        } });
        let url = format!(
            "http://{host}/v1/projects/demo-infinity-x/databases/(default)/documents/users/{name}"
        );
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.patch(url).bearer_auth("owner").json(&user);
        let response = request.send().await.unwrap();
        assert!(
            response.status().is_success(),
            "{}",
            response.text().await.unwrap()
        );
        let path = DocumentPath::new("users", name);
        let document = connect(&server).get(&path).await.unwrap().unwrap();
        if let Err(error) = decode::<User>(&document) {
            unreadable.push(format!("{name}: {error:?}"));
        }
    }
    assert!(unreadable.is_empty(), "{unreadable:#?}");
}

#[test]
fn instants_are_cut_to_what_firestore_keeps() {
    let instant: jiff::Timestamp = "2026-11-23T12:00:00.123456789Z".parse().unwrap();
    assert_eq!(Timestamp::from(instant), samples::time());
}
