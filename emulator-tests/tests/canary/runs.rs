//! Actions are carried out, refused, left without an answer, and fail with all that they were told.

use std::time::Duration;

use emulator_tests::stubs::vendors::Failure;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

/// What vendors refuse or fail with.
const STATUSES: [u16; 4] = [400, 403, 422, 503];
/// Nothing here takes so long; a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run_all(world: &World) {
    let mail = world.secrets.make("mail text", "");
    world.google.deliver("grace@example.com", "Secret", &mail);
    tokio::join!(
        google(world),
        vendor(world, "stripe", stripe()),
        vendor(world, "github", github()),
        vendor(world, "twilio", twilio()),
        vendor(world, "sendgrid", sendgrid()),
    );
}

fn stripe() -> Value {
    node("stripe.charges.list", json!({}))
}

fn github() -> Value {
    node(
        "github.issues.list",
        json!({ "owner": "ada", "repo": "engine" }),
    )
}

fn twilio() -> Value {
    node(
        "twilio.sms.send",
        json!({ "from": "+4930123456", "to": "+4930123457", "body": "Hi.", "approval": "none" }),
    )
}

fn sendgrid() -> Value {
    node(
        "sendgrid.mail.send",
        json!({ "from": "ada@example.com", "to": ["grace@example.com"], "subject": "Hello",
            "text": "Hi.", "approval": "none" }),
    )
}

fn node(kind: &str, mut data: Value) -> Value {
    data["timeoutSecs"] = json!(20);
    json!({ "id": "work", "type": kind, "position": { "x": 0, "y": 0 }, "data": data })
}

async fn vendor(world: &World, vendor: &str, node: Value) {
    // GitHub is connected twice: as a user and as an app.
    let integrations = integrations_of(world, vendor).await;
    assert!(!integrations.is_empty(), "{vendor}");
    for integration in integrations {
        let mut node = node.clone();
        node["data"]["integration"] = json!(integration);
        let done = run(world, &node).await;
        assert_eq!(done["status"], "succeeded", "{vendor}: {done}");
        for status in STATUSES {
            let failure = Failure::Echo(StatusCode::from_u16(status).unwrap());
            world.vendors.set_failure(vendor, Some(failure));
            let done = run(world, &node).await;
            assert_eq!(done["status"], "failed", "{vendor} {status}: {done}");
        }
        world.vendors.set_failure(vendor, Some(Failure::Silence));
        node["data"]["timeoutSecs"] = json!(1);
        let done = run(world, &node).await;
        assert_eq!(done["status"], "failed", "{vendor}: {done}");
        world.vendors.set_failure(vendor, None);
    }
    break_one(world, vendor, &node).await;
}

/// Credentials that are refused break the integration, which its owner is told by mail.
async fn break_one(world: &World, vendor: &str, node: &Value) {
    let mut node = node.clone();
    node["data"]["integration"] = json!(integrations_of(world, vendor).await[0]);
    let failure = Failure::Echo(StatusCode::UNAUTHORIZED);
    world.vendors.set_failure(vendor, Some(failure));
    let done = run(world, &node).await;
    assert_eq!(done["status"], "failed", "{vendor}: {done}");
}

async fn google(world: &World) {
    let get = node("google.gmail.get", json!({ "messageId": "m1" }));
    let append = node(
        "google.sheets.append",
        json!({ "spreadsheetId": "s1", "range": "A1", "rows": "${[['x', 1]]}" }),
    );
    for node in [&get, &append] {
        let done = run(world, node).await;
        assert_eq!(done["status"], "succeeded", "{done}");
        for status in STATUSES {
            let status = StatusCode::from_u16(status).unwrap();
            world.google.set_failure(Some(status));
            let done = run(world, node).await;
            assert_eq!(done["status"], "failed", "{status}: {done}");
        }
        world.google.set_failure(None);
    }
    // The token is refused, and so is the first attempt to renew it.
    world.google.set_failure(Some(StatusCode::UNAUTHORIZED));
    world.google.oauth().fail_next(2);
    let done = run(world, &get).await;
    assert_eq!(done["status"], "failed", "{done}");
    world.google.set_failure(None);
    assert!(world.google.oauth().refreshes() > 0);
}

/// Ids of a service's integrations.
async fn integrations_of(world: &World, service: &str) -> Vec<Value> {
    let request = world.client.request(Method::GET, "/integrations");
    let answer = world.answers.send("GET /integrations", request).await;
    let items = answer.body["items"].as_array().unwrap().iter();
    let own = items.filter(|item| item["service"] == service);
    own.map(|item| item["id"].clone()).collect()
}

/// Runs a node to its end, and looks at all that is shown of the run.
async fn run(world: &World, node: &Value) -> Value {
    let (client, answers) = (&world.client, &world.answers);
    let workflow = json!({
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
    });
    let request = client.request(Method::POST, "/workflows").json(&workflow);
    let saved = answers.send("POST /workflows", request).await.body;
    let id = saved["id"].as_str().unwrap_or_else(|| panic!("{saved}"));
    let request = client.request(Method::POST, &format!("/workflows/trigger/{id}"));
    let place = "POST /workflows/trigger/{id}";
    let started = answers
        .send(place, request.json(&json!({ "payload": {} })))
        .await;
    let id = started.body["executionId"].as_str().unwrap().to_owned();
    let execution = ended(world, &id).await;
    for part in ["", "/steps", "/logs", "/stream", "/graph.svg"] {
        let request = client.request(Method::GET, &format!("/executions/{id}{part}"));
        let place = format!("GET /executions/{{id}}{part}");
        answers.send(&place, request).await;
    }
    execution
}

async fn ended(world: &World, id: &str) -> Value {
    let look = async {
        let mut interval = tokio::time::interval(Duration::from_millis(50));
        loop {
            interval.tick().await;
            let path = format!("/executions/{id}");
            let execution = world.client.get(&path).await.unwrap();
            if !execution["finishedAt"].is_null() {
                return execution;
            }
        }
    };
    let ended = tokio::time::timeout(PATIENCE, look).await;
    ended.unwrap_or_else(|_| panic!("the execution {id} does not end"))
}
