use emulator_tests::{Harness, HarnessOptions, client::Client};
use serde_json::json;

use super::{ended, workflow_of};

#[tokio::test]
async fn a_data_directory_keeps_accounts_documents_and_waits_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let options = HarnessOptions {
        data_dir: Some(directory.path().to_owned()),
        ..HarnessOptions::default()
    };
    let harness = Harness::start(options.clone()).await.unwrap();
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let node = json!({ "id": "work", "type": "wait", "position": { "x": 0, "y": 0 },
        "data": { "seconds": 1 } });
    let saved = client.post("/workflows", &workflow_of(node)).await.unwrap();
    let path = format!("/workflows/trigger/{}", saved["id"].as_str().unwrap());
    let started = client.post(&path, &json!({})).await.unwrap();
    harness.stop().await;

    let harness = Harness::start(options).await.unwrap();
    let client = client.moved_to(harness.endpoints());
    let execution = ended(&client, started["executionId"].as_str().unwrap())
        .await
        .unwrap();
    assert_eq!(execution["status"], "succeeded", "{execution}");
    harness.stop().await;
}
