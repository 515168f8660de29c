use emulator_tests::client::{Client, http_client};
use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use shared::{
    config::ServiceConfig,
    ids::{Uid, fingerprint},
    models::{JsonText, Trigger, TriggerSource, TriggerType},
    store::{Store, firestore::Firestore, triggers},
};

use super::{ended, start, workflow_of};

#[tokio::test]
async fn the_same_sign_up_five_times_in_parallel_makes_one_of_each() {
    let harness = start().await;
    let url = format!("{}/functions/on-user-create", harness.endpoints().api_url);
    let http = http_client().unwrap();
    let data = json!({ "value": { "uid": "grace", "email": "grace@example.com" } });
    let deliver = |_| {
        let request = http
            .post(&url)
            .header("ce-specversion", "1.0")
            .header("ce-id", "event-1")
            .header("ce-type", "google.firebase.auth.user.v2.created")
            .header(
                "ce-source",
                "//firebaseauth.googleapis.com/projects/demo-infinity-x",
            );
        request.json(&data).send()
    };
    for response in join_all((0..5).map(deliver)).await {
        assert_eq!(response.unwrap().status(), StatusCode::NO_CONTENT);
    }
    let service = ServiceConfig::load(harness.env()).unwrap();
    let store = Store::new(std::sync::Arc::new(Firestore::new(&service)));
    let user = store
        .find_user(&Uid::parse("grace").unwrap())
        .await
        .unwrap()
        .unwrap();
    let organization = store
        .find_organization(&user.value.organization_id)
        .await
        .unwrap();
    assert!(organization.is_some());
    assert_eq!(documents(&harness, "users").await, 1);
    assert_eq!(documents(&harness, "organizations").await, 1);
    let mails = harness.mail().unwrap().wait_for(1).await;
    assert_eq!(mails.len(), 1);
    harness.stop().await;
}

#[tokio::test]
async fn a_sign_up_is_followed_by_one_welcome_mail() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    // The API makes the user as well, when the event is slower than the first call.
    let (me, mails) = tokio::join!(client.get("/me"), harness.mail().unwrap().wait_for(1));
    assert_eq!(me.unwrap()["role"], "admin");
    assert_eq!(mails.len(), 1);
    harness.stop().await;
}

#[tokio::test]
async fn the_same_trigger_five_times_in_parallel_runs_once() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let me = client.get("/me").await.unwrap();
    let node = json!({ "id": "work", "type": "http", "position": { "x": 0, "y": 0 }, "data": {
        "method": "POST", "url": "http://demo.localhost/v1/echo", "body": { "n": "${trigger.n}" } } });
    let saved = client.post("/workflows", &workflow_of(node)).await.unwrap();
    let trigger = Trigger {
        id: "trigger-1".parse().unwrap(),
        org_id: me["organizationId"].as_str().unwrap().parse().unwrap(),
        workflow_id: saved["id"].as_str().unwrap().parse().unwrap(),
        kind: TriggerType::Manual,
        payload: JsonText(json!({ "n": 1 })),
        dedupe_key: "trigger-1".to_owned(),
        source: TriggerSource {
            function: "test".to_owned(),
            uid: None,
        },
        created_at: "2026-11-23T12:00:00Z"
            .parse::<jiff::Timestamp>()
            .unwrap()
            .into(),
        options: Default::default(),
        traceparent: None,
    };
    let service = ServiceConfig::load(harness.env()).unwrap();
    let store = Store::new(std::sync::Arc::new(Firestore::new(&service)));
    let write = triggers::create(&trigger).unwrap();
    store.commit(vec![write]).await.unwrap();
    let body = trigger_event(&trigger);
    let http = http_client().unwrap();
    let url = format!("{}/functions/execute-workflow", harness.endpoints().api_url);
    let deliver = |_| {
        let request = http
            .post(&url)
            .header("ce-specversion", "1.0")
            .header("ce-id", "event-1")
            .header("ce-type", "google.cloud.firestore.document.v1.written")
            .header(
                "ce-source",
                "//firestore.googleapis.com/projects/p/databases/(default)",
            )
            .header("ce-subject", "documents/triggers/trigger-1")
            .header("ce-document", "triggers/trigger-1")
            .header("content-type", "application/protobuf");
        request.body(body.clone()).send()
    };
    for response in join_all((0..5).map(deliver)).await {
        assert_eq!(response.unwrap().status(), StatusCode::NO_CONTENT);
    }
    let execution = ended(&client, "trigger-1").await.unwrap();
    assert_eq!(execution["status"], "succeeded", "{execution}");
    assert_eq!(documents(&harness, "executions").await, 1);
    let (org_id, started_at) = (trigger.org_id.as_str(), execution["startedAt"].as_str());
    let key = fingerprint(&[org_id, "trigger-1", started_at.unwrap(), "work", "0"]);
    assert_eq!(harness.web().calls(&key), 1);
    harness.stop().await;
}

/// The body of the event that Firestore sends for a new trigger document.
fn trigger_event(trigger: &Trigger) -> Vec<u8> {
    let write = triggers::create(trigger).unwrap();
    let shared::store::document_db::Operation::Replace(fields) = write.operation else {
        panic!("a creation replaces all fields");
    };
    let name = format!("projects/p/databases/(default)/documents/{}", write.path);
    let document = firestore::FirestoreDocument {
        name,
        fields,
        create_time: None,
        update_time: Some(Default::default()),
    };
    shared::events::encode_written(Some(document), None)
}

/// How many documents a root collection has, by REST as the administrator.
async fn documents(harness: &emulator_tests::Harness, collection: &str) -> usize {
    let endpoints = harness.endpoints();
    let url = format!(
        "http://{}/v1/projects/{}/databases/(default)/documents/{collection}",
        endpoints.firestore_host, endpoints.project_id
    );
    let request = http_client().unwrap().get(url).bearer_auth("owner");
    let listing: Value = request.send().await.unwrap().json().await.unwrap();
    listing["documents"].as_array().map_or(0, Vec::len)
}
