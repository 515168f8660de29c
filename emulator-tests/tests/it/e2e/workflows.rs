use emulator_tests::{
    client::Client,
    demo::{self, DEFAULT_INPUT, DEFAULT_WORKFLOW},
};
use serde_json::{Value, json};

use super::{run, start, workflow_of};

const PARALLEL_RESEARCH: &str = include_str!("../../../../examples/parallel-research.json");
const HTTP_TRANSFORM: &str = include_str!("../../../../examples/http-transform.json");

/// Runs an example as the demo does; its log must have no gap.
async fn run_example(workflow: &str, input: &str) -> demo::Outcome {
    let harness = start().await;
    let workflow: Value = serde_json::from_str(workflow).unwrap();
    let input = serde_json::from_str(input).unwrap();
    let mut lines = Vec::new();
    let mut tell = |line: &str| lines.push(line.to_owned());
    let outcome = demo::run(harness.endpoints(), &workflow, input, &mut tell)
        .await
        .unwrap();
    harness.stop().await;
    let numbers = lines
        .iter()
        .filter_map(|line| line.trim().split(' ').next()?.parse().ok());
    let numbers: Vec<usize> = numbers.collect();
    assert_eq!(
        numbers,
        (1..=numbers.len()).collect::<Vec<_>>(),
        "{lines:#?}"
    );
    assert_eq!(outcome.status, "succeeded", "{lines:#?}");
    outcome
}

#[tokio::test]
async fn support_triage_takes_one_branch() {
    let outcome = run_example(DEFAULT_WORKFLOW, DEFAULT_INPUT).await;
    assert!(!outcome.output.is_null());
    assert!(
        outcome.picture.contains(":::skipped"),
        "{}",
        outcome.picture
    );
}

#[tokio::test]
async fn parallel_research_joins_its_branches() {
    let outcome = run_example(PARALLEL_RESEARCH, r#"{"topic": "durable execution"}"#).await;
    assert!(!outcome.output.is_null());
    assert!(
        !outcome.picture.contains(":::skipped"),
        "{}",
        outcome.picture
    );
}

#[tokio::test]
async fn http_transform_fetches_and_reshapes() {
    let outcome = run_example(HTTP_TRANSFORM, r#"{"city": "Berlin"}"#).await;
    assert!(
        outcome.output.to_string().contains("Berlin"),
        "{}",
        outcome.output
    );
}

#[tokio::test]
async fn a_run_is_watched_to_its_end_and_drawn() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let node = json!({ "id": "work", "type": "transform", "position": { "x": 0, "y": 0 },
        "data": { "value": "${trigger.x}" } });
    let saved = client.post("/workflows", &workflow_of(node)).await.unwrap();
    let path = format!("/workflows/trigger/{}", saved["id"].as_str().unwrap());
    let started = client.post(&path, &json!({ "payload": { "x": 1 } })).await;
    let path = format!(
        "/executions/{}",
        started.unwrap()["executionId"].as_str().unwrap()
    );
    let stream = client.get_text(&format!("{path}/stream")).await.unwrap();
    assert!(
        stream.ends_with("event: end\ndata: {\"status\":\"succeeded\"}\n\n"),
        "{stream}"
    );
    let ids = stream.lines().filter_map(|line| line.strip_prefix("id: "));
    let ids: Vec<usize> = ids.map(|id| id.parse().unwrap()).collect();
    assert!(!ids.is_empty());
    assert_eq!(ids, (1..=ids.len()).collect::<Vec<_>>());
    let svg = client.get_text(&format!("{path}/graph.svg")).await.unwrap();
    assert!(
        svg.starts_with("<svg ") && svg.contains(">succeeded · "),
        "{svg}"
    );
    harness.stop().await;
}

#[tokio::test]
async fn a_failed_node_fails_the_run_and_names_itself() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let node = json!({ "id": "work", "type": "http", "position": { "x": 0, "y": 0 },
        "data": { "method": "GET", "url": "http://demo.localhost/v1/status/404" } });
    let execution = run(&client, &workflow_of(node), json!({})).await.unwrap();
    assert_eq!(execution["status"], "failed", "{execution}");
    assert_eq!(execution["error"]["nodeId"], "work", "{execution}");
    harness.stop().await;
}

#[tokio::test]
async fn a_transient_failure_is_tried_again_by_the_nodes_policy() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let node = json!({ "id": "work", "type": "http", "position": { "x": 0, "y": 0 }, "data": {
        "method": "GET", "url": "http://demo.localhost/v1/flaky/once?failures=2",
        "retry": { "attempts": 3, "firstDelayMs": 1, "maxDelayMs": 5 } } });
    let execution = run(&client, &workflow_of(node), json!({})).await.unwrap();
    assert_eq!(execution["status"], "succeeded", "{execution}");
    harness.stop().await;
}

#[tokio::test]
async fn an_address_inside_is_out_of_reach_for_http_nodes() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let inside = [
        harness.endpoints().api_url.clone(),
        "http://169.254.169.254/".to_owned(),
    ];
    for url in inside {
        let node = json!({ "id": "work", "type": "http", "position": { "x": 0, "y": 0 },
            "data": { "method": "GET", "url": url } });
        let execution = run(&client, &workflow_of(node), json!({})).await.unwrap();
        assert_eq!(execution["status"], "failed", "{execution}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_wait_goes_on_by_the_schedule() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let node = json!({ "id": "work", "type": "wait", "position": { "x": 0, "y": 0 },
        "data": { "seconds": 1 } });
    let execution = run(&client, &workflow_of(node), json!({})).await.unwrap();
    assert_eq!(execution["status"], "succeeded", "{execution}");
    harness.stop().await;
}

#[tokio::test]
async fn a_schedule_fires_once_a_minute() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let node = json!({ "id": "work", "type": "transform", "position": { "x": 0, "y": 0 },
        "data": { "value": "${trigger.scheduledAt}" } });
    let mut workflow = workflow_of(node);
    workflow["triggers"] = json!([{ "type": "schedule", "cron": "0 5 * * *" }]);
    let saved = client.post("/workflows", &workflow).await.unwrap();
    let url = format!(
        "{}/functions/execute-workflow/schedule",
        harness.endpoints().api_url
    );
    let http = emulator_tests::client::http_client().unwrap();
    for second in ["05:00:00", "05:00:01", "05:00:59", "05:01:00"] {
        let request = http.post(&url).header(
            "x-cloudscheduler-scheduletime",
            format!("2026-11-23T{second}Z"),
        );
        assert!(request.send().await.unwrap().status().is_success());
    }
    let path = format!("/executions?workflowId={}", saved["id"].as_str().unwrap());
    let execution = tokio::time::timeout(super::PATIENCE, async {
        loop {
            let listing = client.get(&path).await.unwrap();
            if let [only] = listing["items"].as_array().unwrap().as_slice() {
                break super::ended(&client, only["id"].as_str().unwrap())
                    .await
                    .unwrap();
            }
        }
    });
    let execution = execution.await.unwrap();
    assert_eq!(execution["output"], "2026-11-23T05:00:00Z", "{execution}");
    let listing = client.get(&path).await.unwrap();
    assert_eq!(listing["items"].as_array().unwrap().len(), 1, "{listing}");
    harness.stop().await;
}
