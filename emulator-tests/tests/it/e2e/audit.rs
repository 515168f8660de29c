//! The audit trail from outside: many writers at once, and the command that verifies it.

use std::{process::Stdio, sync::Arc};

use emulator_tests::{Endpoints, Harness, HarnessOptions, client::Client};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use shared::{
    config::{Env, ServiceConfig},
    ids::OrgId,
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

async fn write(store: &Store, path: DocumentPath, operation: Operation) {
    let write = Write {
        path,
        operation,
        precondition: Precondition::None,
    };
    store.commit(vec![write]).await.unwrap();
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
async fn the_command_tells_a_touched_chain_by_its_exit_code() {
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

    let before = records(&store, &org_id).await;
    let path = |record: &AuditLog| DocumentPath::new("audit_logs", record.id.as_str());
    let mut edited = before[1].clone();
    edited.metadata = json!({ "workflowId": "another" }).into();
    let fields = encode(&path(&edited), &edited).unwrap();
    write(&store, path(&edited), Operation::Replace(fields)).await;
    let arguments = ["verify", "--organization", org_id.as_str()];
    let (is_whole, text) = audit(endpoints, &anchors, &arguments).await;
    assert!(!is_whole && text.contains("was altered"), "{text}");

    let fields = encode(&path(&before[1]), &before[1]).unwrap();
    write(&store, path(&before[1]), Operation::Replace(fields)).await;
    write(&store, path(&before[3]), Operation::Delete).await;
    let end = AuditHead {
        org_id: org_id.clone(),
        seq: 3,
        mac: before[2].mac.clone(),
        updated_at: before[2].timestamp,
        closed: false,
    };
    let head = DocumentPath::new("audit_heads", org_id.as_str());
    let fields = encode(&head, &end).unwrap();
    write(&store, head, Operation::Replace(fields)).await;
    let (is_whole, text) = audit(endpoints, &anchors, &["verify"]).await;
    assert!(!is_whole && text.contains("an anchor names"), "{text}");
    harness.stop().await;
}
