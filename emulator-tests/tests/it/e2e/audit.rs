//! The audit trail from outside: many writers at once, and the command that verifies it.

use std::{process::Stdio, sync::Arc};

use emulator_tests::{Endpoints, Harness, HarnessOptions, client::Client};
use futures::future::join_all;
use reqwest::Method;
use serde::Serialize;
use serde_json::json;
use shared::{
    config::{Env, ServiceConfig},
    ids::{OrgId, RecordId},
    models::{AuditHead, AuditLog},
    store::{
        DocumentPath, Store, Write,
        document_db::{Operation, Precondition},
        encode,
        firestore::Firestore,
    },
};
use tempfile::TempDir;

use super::{processes::service, start, workflow_of};

/// Actions that are done at the same time, by several instances of the API.
const ACTIONS: usize = 1_000;
const INSTANCES: usize = 2;

/// Another instance of all functions on the same database and sign-in.
async fn another_instance(endpoints: &Endpoints) -> Harness {
    let env = Env::from_pairs([
        ("FIRESTORE_EMULATOR_HOST", endpoints.firestore_host.clone()),
        ("FIREBASE_AUTH_EMULATOR_HOST", endpoints.auth_host.clone()),
    ]);
    let options = HarnessOptions {
        env,
        ..HarnessOptions::default()
    };
    Harness::start(options).await.unwrap()
}

/// Saves a workflow and tells its path.
async fn save_workflow(client: &Client) -> String {
    let node = json!({
        "id": "work", "type": "transform", "position": { "x": 0, "y": 0 },
        "data": { "value": 1 },
    });
    let saved = client.post("/workflows", &workflow_of(node)).await.unwrap();
    format!("/workflows/{}", saved["id"].as_str().unwrap())
}

/// The command, run in its own process against a running database: whether all was well, and what
/// it told.
async fn audit(endpoints: &Endpoints, anchors: &TempDir, arguments: &[&str]) -> (bool, String) {
    let mut command = service("audit");
    command
        .env("FIRESTORE_EMULATOR_HOST", &endpoints.firestore_host)
        .env("AUDIT_ANCHOR_DIR", anchors.path())
        .args(arguments)
        .stdout(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), text)
}

/// The organization's records in the order of its chain, past all rules.
async fn records(store: &Store, org_id: &OrgId) -> Vec<AuditLog> {
    let found = store.list_audit_chain(org_id, None).await.unwrap();
    let records = found.into_iter().map(|one| one.value);
    let mut records: Vec<AuditLog> = records.collect::<Result<_, _>>().unwrap();
    records.sort_by_key(|record| record.seq);
    records
}

/// A write past all rules.
type Touch = (DocumentPath, Operation);

fn put<T: Serialize>(path: DocumentPath, model: &T) -> Touch {
    let fields = encode(&path, model).unwrap();
    (path, Operation::Replace(fields))
}

fn put_record(record: &AuditLog) -> Touch {
    put(record_path(record), record)
}

fn remove(record: &AuditLog) -> Touch {
    (record_path(record), Operation::Delete)
}

fn record_path(record: &AuditLog) -> DocumentPath {
    DocumentPath::new("audit_logs", record.id.as_str())
}

/// The chain's end is this record.
fn put_end(record: &AuditLog) -> Touch {
    let end = AuditHead {
        org_id: record.org_id.clone(),
        seq: record.seq,
        mac: record.mac.clone(),
        updated_at: record.timestamp,
        closed: false,
    };
    put(
        DocumentPath::new("audit_heads", record.org_id.as_str()),
        &end,
    )
}

/// The five manipulations: what the command tells of each, how it is done, and how it is undone.
fn manipulations(records: &[AuditLog]) -> [(&'static str, Vec<Touch>, Vec<Touch>); 5] {
    let mut edited = records[1].clone();
    edited.metadata = json!({ "workflowId": "another" }).into();
    let mut inserted = records[2].clone();
    inserted.id = RecordId::generate();
    let (mut one, mut other) = (records[2].clone(), records[3].clone());
    std::mem::swap(&mut one.seq, &mut other.seq);
    let restored = || records.iter().map(put_record).collect::<Vec<_>>();
    let cut = records[3..].iter().map(remove);
    let cut = cut.chain([put_end(&records[2])]).collect();
    let uncut = restored().into_iter().chain([put_end(&records[6])]);
    [
        ("was altered", vec![put_record(&edited)], restored()),
        (
            "was inserted",
            vec![put_record(&inserted)],
            vec![remove(&inserted)],
        ),
        ("record 4 is missing", vec![remove(&records[3])], restored()),
        (
            "was moved to",
            vec![put_record(&one), put_record(&other)],
            restored(),
        ),
        ("which an anchor names, is not there", cut, uncut.collect()),
    ]
}

async fn apply(store: &Store, touches: Vec<Touch>) {
    let writes = touches.into_iter().map(|(path, operation)| Write {
        path,
        operation,
        precondition: Precondition::None,
    });
    store.commit(writes.collect()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_parallel_actions_leave_one_unbroken_chain() {
    let first = start().await;
    let client = Client::sign_up(first.endpoints()).await.unwrap();
    client.get("/me").await.unwrap();
    let mut instances = Vec::new();
    for _ in 1..INSTANCES {
        instances.push(another_instance(first.endpoints()).await);
    }
    let clients: Vec<Client> = instances
        .iter()
        .map(|instance| client.moved_to(instance.endpoints()))
        .chain([client.clone()])
        .collect();
    let save = |index: usize| save_workflow(&clients[index % INSTANCES]);
    join_all((0..ACTIONS).map(save)).await;

    let anchors = tempfile::tempdir().unwrap();
    let (is_whole, _) = audit(first.endpoints(), &anchors, &["verify"]).await;
    assert!(!is_whole, "no anchor was kept lately");
    let (is_kept, text) = audit(first.endpoints(), &anchors, &["anchor"]).await;
    assert!(is_kept, "{text}");
    let (is_whole, text) = audit(first.endpoints(), &anchors, &["verify"]).await;
    assert!(is_whole, "{text}");
    // One more: the organization was made.
    let expected = format!("{} records, whole", ACTIONS + 1);
    assert!(text.contains(&expected), "{text}");
    for instance in instances {
        instance.stop().await;
    }
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_tells_each_manipulation_by_its_exit_code() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    for _ in 0..3 {
        let path = save_workflow(&client).await;
        let request = client.request(Method::DELETE, &path);
        request.send().await.unwrap().error_for_status().unwrap();
    }
    let org_id = client.get("/me").await.unwrap()["organizationId"].clone();
    let org_id = OrgId::parse(org_id.as_str().unwrap()).unwrap();
    let (endpoints, anchors) = (harness.endpoints(), tempfile::tempdir().unwrap());
    let config = ServiceConfig::load(harness.env()).unwrap();
    let store = Store::new(Arc::new(Firestore::new(&config)));

    let (kept, text) = audit(endpoints, &anchors, &["anchor"]).await;
    assert!(kept && text.contains("kept the ends of 1 chains"), "{text}");
    let (is_whole, text) = audit(endpoints, &anchors, &["verify"]).await;
    assert!(is_whole && text.contains("7 records, whole"), "{text}");

    let arguments = ["verify", "--organization", org_id.as_str()];
    for (told, touches, undone) in manipulations(&records(&store, &org_id).await) {
        apply(&store, touches).await;
        let (is_whole, text) = audit(endpoints, &anchors, &arguments).await;
        assert!(!is_whole && text.contains(told), "{told}: {text}");
        apply(&store, undone).await;
        let (is_whole, text) = audit(endpoints, &anchors, &arguments).await;
        assert!(is_whole, "{told} is undone: {text}");
    }
    let (is_whole, _) = audit(endpoints, &anchors, &["verify", "--organization", "o1"]).await;
    assert!(!is_whole, "there is no such organization");
    harness.stop().await;
}
