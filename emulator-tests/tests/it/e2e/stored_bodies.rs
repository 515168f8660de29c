//! Bodies that are too large for a document, or no text.

use emulator_tests::{
    Harness, HarnessOptions,
    client::{Client, send},
};
use reqwest::{Method, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::{ended, run, start, workflow_of};

/// A workflow that fetches so many bytes of a type.
fn fetch(bytes: usize, kind: &str) -> Value {
    let url = format!("http://demo.localhost/v1/files/{bytes}?type={kind}");
    workflow_of(
        json!({ "id": "work", "type": "http", "position": { "x": 0, "y": 0 },
        "data": { "method": "GET", "url": url } }),
    )
}

fn path_of(execution: &Value) -> String {
    format!("/executions/{}", execution["id"].as_str().unwrap())
}

/// The type and the content of what `work` has kept.
async fn download(client: &Client, execution: &Value) -> (String, Vec<u8>) {
    let path = format!("{}/steps/work/body", path_of(execution));
    let answer = client.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{execution}");
    let kind = answer.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
    (kind, answer.bytes().await.unwrap().into())
}

#[tokio::test]
async fn large_and_binary_bodies_are_fetched_by_a_workflow_and_downloaded() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let digits = (b'0'..=b'9').cycle().take(1_000_000).collect();
    let binary: Vec<u8> = (0..=u8::MAX).cycle().take(1_000).collect();
    for (kind, shown, content) in [
        ("text/plain", "text/plain", digits),
        ("image/png", "image/png", binary.clone()),
        ("application/x-tar", "application/octet-stream", binary),
    ] {
        let workflow = fetch(content.len(), kind);
        let execution = run(&client, &workflow, json!({})).await.unwrap();
        assert_eq!(execution["status"], "succeeded", "{execution}");
        let (told, bytes) = download(&client, &execution).await;
        assert_eq!(told, shown);
        assert_eq!(bytes, content, "{kind}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_rerun_keeps_its_copy_when_the_first_run_is_deleted() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let workflow = fetch(1_000, "image/png");
    let first = run(&client, &workflow, json!({})).await.unwrap();
    let kept = download(&client, &first).await;
    let path = format!("{}/rerun?from=end", path_of(&first));
    let started = client.post(&path, &json!({})).await.unwrap();
    let id = started["executionId"].as_str().unwrap();
    let second = ended(&client, id).await.unwrap();
    assert_eq!(second["status"], "succeeded", "{second}");
    let delete = client.request(Method::DELETE, &path_of(&first));
    assert_eq!(send(delete).await.unwrap().status, StatusCode::NO_CONTENT);
    assert_eq!(download(&client, &second).await, kept);
    harness.stop().await;
}

#[tokio::test]
async fn a_data_directory_keeps_stored_bodies_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let options = HarnessOptions {
        data_dir: Some(directory.path().to_owned()),
        ..HarnessOptions::default()
    };
    let harness = Harness::start(options.clone()).await.unwrap();
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let workflow = fetch(1_000, "image/png");
    let execution = run(&client, &workflow, json!({})).await.unwrap();
    let kept = download(&client, &execution).await;
    harness.stop().await;

    let harness = Harness::start(options).await.unwrap();
    let client = client.moved_to(harness.endpoints());
    assert_eq!(download(&client, &execution).await, kept);
    harness.stop().await;
}
