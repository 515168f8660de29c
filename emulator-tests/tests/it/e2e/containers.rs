use std::time::Duration;

use emulator_tests::client::{Client, send};
use reqwest::Method;
use serde_json::{Value, json};

use super::{PATIENCE, agent, start};

/// The agent, once it is as expected.
async fn agent_that(client: &Client, id: &str, is_expected: impl Fn(&Value) -> bool) -> Value {
    let look = async {
        let mut interval = tokio::time::interval(Duration::from_millis(50));
        loop {
            interval.tick().await;
            let agent = client.get(&format!("/agents/{id}")).await.unwrap();
            if is_expected(&agent) {
                return agent;
            }
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap()
}

async fn change_name(client: &Client, id: &str, name: &str) {
    let request = client.request(Method::PATCH, &format!("/agents/{id}"));
    let answer = send(request.json(&json!({ "name": name }))).await.unwrap();
    answer.require_success().unwrap();
}

#[tokio::test]
async fn a_container_follows_its_agent_and_goes_with_it() {
    let harness = start().await;
    let cloud_run = harness.cloud_run().unwrap();
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let created = client.post("/agents", &agent()).await.unwrap();
    let id = created["id"].as_str().unwrap();
    let data = json!({ "agentId": id, "config": { "runtime": "container" } });
    let deployed = client.call("deployAgent", data).await.unwrap();
    assert_eq!(deployed["deployState"], "deployed");
    let revision = deployed["runtime"]["revision"].clone();

    change_name(&client, id, "Grace").await;
    let is_new = |agent: &Value| agent["runtime"]["revision"] != revision;
    let changed = agent_that(&client, id, is_new).await;
    let service = &cloud_run.services()[0].1;
    let env = &service["template"]["containers"][0]["env"][3];
    assert_eq!(env["value"], changed["runtime"]["revision"]);

    let request = client.request(Method::DELETE, &format!("/agents/{id}"));
    send(request).await.unwrap().require_success().unwrap();
    let gone = async {
        let mut interval = tokio::time::interval(Duration::from_millis(50));
        while !cloud_run.services().is_empty() {
            interval.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    assert_eq!(cloud_run.problems(), Vec::<String>::new());
    harness.stop().await;
}

#[tokio::test]
async fn a_registered_agent_follows_what_a_client_saves() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    let created = client.post("/agents", &agent()).await.unwrap();
    let id = created["id"].as_str().unwrap();
    let data = json!({ "agentId": id });
    let deployed = client.call("deployAgent", data).await.unwrap();
    let revision = deployed["runtime"]["revision"].clone();
    change_name(&client, id, "Grace").await;
    let is_new = |agent: &Value| agent["runtime"]["revision"] != revision;
    let changed = agent_that(&client, id, is_new).await;
    assert_eq!(changed["runtime"]["kind"], "registered");
    assert_eq!(changed["deployState"], "deployed");
    harness.stop().await;
}
