//! The product from outside: sign-in, HTTP, events, processes.

mod actions;
mod api;
mod audit;
mod billing;
mod containers;
mod conversations;
mod events;
mod google;
mod members;
mod metering;
mod processes;
mod queue;
mod rate_limits;
mod renewals;
mod restart;
mod rotation;
mod stored_bodies;
mod subscriptions;
mod traces;
mod workflows;
mod workspace;

use std::time::Duration;

use anyhow::{Context, Result};
use emulator_tests::{Endpoints, Harness, HarnessOptions, client::Client};
use serde_json::{Value, json};

/// Nothing here takes so long; a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

async fn start() -> Harness {
    Harness::start(HarnessOptions::default()).await.unwrap()
}

fn agent() -> Value {
    json!({
        "name": "Ada",
        "type": "custom",
        "industry": "tech",
        "personality": { "empathy": 0.8, "confidence": 0.7, "style": "brief" },
        "voiceConfig": { "model": "alloy", "speed": 1.0, "pitch": 0.0 },
        "memoryDepth": "session",
        "systemPrompt": "You sort support mail.",
    })
}

/// A workflow whose only real node is `node`.
fn workflow_of(node: Value) -> Value {
    json!({
        "name": "One node",
        "nodes": [
            { "id": "start", "type": "trigger", "position": { "x": 0, "y": 0 }, "data": {} },
            node,
            { "id": "end", "type": "output", "position": { "x": 0, "y": 0 }, "data": {} },
        ],
        "edges": [
            { "id": "in", "source": "start", "target": "work" },
            { "id": "out", "source": "work", "target": "end" },
        ],
        "active": true,
    })
}

/// Saves a workflow, triggers it and returns the execution once it has ended.
async fn run(client: &Client, workflow: &Value, payload: Value) -> Result<Value> {
    let saved = client.post("/workflows", workflow).await?;
    let id = saved["id"].as_str().context("no id")?;
    let path = format!("/workflows/trigger/{id}");
    let started = client.post(&path, &json!({ "payload": payload })).await?;
    ended(
        client,
        started["executionId"].as_str().context("no execution id")?,
    )
    .await
}

/// The execution, once its status is final.
async fn ended(client: &Client, execution_id: &str) -> Result<Value> {
    let look = async {
        let mut interval = tokio::time::interval(Duration::from_millis(20));
        loop {
            interval.tick().await;
            let execution = client.get(&format!("/executions/{execution_id}")).await?;
            if !execution["finishedAt"].is_null() {
                return Ok(execution);
            }
        }
    };
    tokio::time::timeout(PATIENCE, look)
        .await
        .context("the execution does not end")?
}

async fn two_users(endpoints: &Endpoints) -> (Client, Client) {
    (
        Client::sign_up(endpoints).await.unwrap(),
        Client::sign_up(endpoints).await.unwrap(),
    )
}
