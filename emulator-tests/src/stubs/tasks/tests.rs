use std::time::Duration;

use axum::http::HeaderMap;
use axum::routing::any;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::emulators::client;

const QUEUE: &str = "projects/p/locations/l/queues/q";

/// A handler and what comes to it; it answers with the statuses in turn, then with 204.
struct Handler {
    server: LocalServer,
    deliveries: UnboundedReceiver<(HeaderMap, Bytes, Timestamp)>,
}

impl Handler {
    async fn answering(statuses: &[u16]) -> Self {
        let (sender, deliveries) = unbounded_channel();
        let statuses: Vec<u16> = statuses.iter().rev().copied().collect();
        let statuses = Arc::new(Mutex::new(statuses));
        let handle = move |headers: HeaderMap, body: Bytes| async move {
            sender.send((headers, body, SystemClock.now())).ok();
            let status = statuses.lock().expect("statuses").pop();
            StatusCode::from_u16(status.unwrap_or(204)).expect("a status")
        };
        let router = Router::new().route("/continue", any(handle));
        let server = LocalServer::start("handler", 0, router).await;
        Self {
            server: server.expect("start"),
            deliveries,
        }
    }

    async fn next(&mut self) -> (HeaderMap, Bytes, Timestamp) {
        self.deliveries.recv().await.expect("a delivery")
    }

    /// A request for a task to this handler.
    fn task(&self, name: &str) -> Value {
        json!({ "task": {
            "name": format!("{QUEUE}/tasks/{name}"),
            "httpRequest": {
                "url": format!("{}/continue", self.server.url()),
                "httpMethod": "POST",
                "headers": { "Content-Type": "application/json" },
                "body": STANDARD.encode("{}"),
            },
            "dispatchDeadline": "600s",
        }})
    }
}

async fn start(duplicates: f64) -> Tasks {
    let options = TasksOptions {
        queue: QUEUE.to_owned(),
        duplicates,
        ..Default::default()
    };
    Tasks::start(options).await.expect("start")
}

async fn create(tasks: &Tasks, body: &Value) -> (StatusCode, Value) {
    let url = format!("http://{}/v2/{QUEUE}/tasks", tasks.host());
    let response = client().post(url).json(body).send().await;
    let response = response.expect("an answer");
    let status = response.status();
    (status, response.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_task_is_delivered_with_the_headers_of_cloud_tasks() {
    let (tasks, mut handler) = (start(0.0).await, Handler::answering(&[]).await);
    let (status, answer) = create(&tasks, &handler.task("t-1")).await;
    assert_eq!(status, StatusCode::OK);
    let schema = contract::cloud_tasks("Task").expect("a schema");
    assert!(schema.is_valid(&answer), "{answer}");
    assert_eq!(answer["name"], format!("{QUEUE}/tasks/t-1"));
    let (headers, body, _) = handler.next().await;
    assert_eq!(body, "{}");
    for (name, value) in [
        ("content-type", "application/json"),
        ("user-agent", "Google-Cloud-Tasks"),
        ("x-cloudtasks-queuename", "q"),
        ("x-cloudtasks-taskname", "t-1"),
        ("x-cloudtasks-taskretrycount", "0"),
        ("x-cloudtasks-taskexecutioncount", "0"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    let eta = headers["x-cloudtasks-tasketa"].to_str().expect("text");
    assert!(eta.parse::<f64>().is_ok(), "{eta}");
    let counts = tasks.wait_for(Counts::is_idle).await;
    assert_eq!((counts.created, counts.deliveries), (1, 1));
}

#[tokio::test]
async fn a_name_is_taken_once_even_when_the_task_is_done() {
    let (tasks, mut handler) = (start(0.0).await, Handler::answering(&[]).await);
    let task = handler.task("t-1");
    create(&tasks, &task).await;
    handler.next().await;
    tasks.wait_for(Counts::is_idle).await;
    let (status, answer) = create(&tasks, &task).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(answer["error"]["status"], "ALREADY_EXISTS");
    let expected = Counts {
        created: 1,
        repeated: 1,
        deliveries: 1,
        acknowledged: 1,
    };
    assert_eq!(tasks.counts(), expected);
}

#[tokio::test]
async fn a_task_comes_again_until_it_is_acknowledged() {
    let (tasks, mut handler) = (start(0.0).await, Handler::answering(&[503, 409]).await);
    create(&tasks, &handler.task("t-1")).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (headers, ..) = handler.next().await;
        let text = |name: &str| {
            let value = headers.get(name)?;
            value.to_str().map(str::to_owned).ok()
        };
        seen.push(
            [
                "x-cloudtasks-taskretrycount",
                "x-cloudtasks-taskexecutioncount",
                "x-cloudtasks-taskpreviousresponse",
            ]
            .map(text),
        );
    }
    let row = |texts: [Option<&str>; 3]| texts.map(|text| text.map(str::to_owned));
    let expected = [
        row([Some("0"), Some("0"), None]),
        row([Some("1"), Some("0"), Some("503")]),
        row([Some("2"), Some("1"), Some("409")]),
    ];
    assert_eq!(seen, expected);
    let counts = tasks.wait_for(Counts::is_idle).await;
    assert_eq!((counts.deliveries, counts.acknowledged), (3, 1));
}

#[tokio::test]
async fn a_task_is_never_early() {
    let (tasks, mut handler) = (start(0.0).await, Handler::answering(&[]).await);
    let due_at = SystemClock.now() + Duration::from_millis(150);
    let mut task = handler.task("t-1");
    task["task"]["scheduleTime"] = json!(due_at.to_string());
    create(&tasks, &task).await;
    let (.., arrived_at) = handler.next().await;
    assert!(arrived_at >= due_at, "{arrived_at} {due_at}");
}

#[tokio::test]
async fn a_task_that_waits_holds_no_other_up() {
    let (tasks, mut handler) = (start(0.0).await, Handler::answering(&[]).await);
    let due_at = SystemClock.now() + SignedDuration::from_hours(1);
    let mut task = handler.task("later");
    task["task"]["scheduleTime"] = json!(due_at.to_string());
    create(&tasks, &task).await;
    create(&tasks, &handler.task("now")).await;
    assert_eq!(handler.next().await.0["x-cloudtasks-taskname"], "now");
    let counts = tasks.wait_for(|counts| counts.acknowledged == 1).await;
    assert_eq!((counts.created, counts.deliveries), (2, 1));
}

#[tokio::test]
async fn a_delivery_can_be_made_twice() {
    let (tasks, handler) = (start(1.0).await, Handler::answering(&[]).await);
    for name in ["a", "b", "c", "d"] {
        create(&tasks, &handler.task(name)).await;
    }
    let counts = tasks.wait_for(|counts| counts.acknowledged == 4).await;
    assert_eq!((counts.created, counts.deliveries), (4, 8));
}

#[tokio::test]
async fn a_stopped_queue_delivers_no_more() {
    let (tasks, mut handler) = (start(0.0).await, Handler::answering(&[503; 100]).await);
    create(&tasks, &handler.task("t-1")).await;
    handler.next().await;
    tasks.shutdown().await;
    let counts = tasks.counts();
    assert_eq!((counts.created, counts.acknowledged), (1, 0));
    assert!(tasks.state.deliveries.is_empty());
}

#[tokio::test]
async fn a_task_outside_the_contract_is_refused() {
    let (tasks, handler) = (start(0.0).await, Handler::answering(&[]).await);
    let far = SystemClock.now() + SignedDuration::from_hours(31 * 24);
    for (pointer, value) in [
        ("", json!({})),
        ("", json!({ "task": {}, "queue": "q" })),
        ("/task", json!({ "name": "t" })),
        (
            "/task/name",
            json!("projects/p/locations/l/queues/r/tasks/t"),
        ),
        ("/task/name", json!(format!("{QUEUE}/tasks/a.b"))),
        (
            "/task/name",
            json!(format!("{QUEUE}/tasks/{}", "x".repeat(501))),
        ),
        ("/task/dispatchDeadline", json!("14s")),
        ("/task/dispatchDeadline", json!("10m")),
        ("/task/dispatchDeadline", json!(600)),
        ("/task/httpRequest/url", json!("ftp://x")),
        ("/task/httpRequest/httpMethod", json!("post")),
        ("/task/httpRequest/httpMethod", json!("GET")),
        ("/task/httpRequest/headers", json!([])),
        ("/task/httpRequest/body", json!("{}")),
        (
            "/task/httpRequest",
            json!({ "url": "http://x", "oidcToken": { "email": "a" } }),
        ),
    ] {
        let mut body = handler.task("t-1");
        *body.pointer_mut(pointer).expect("a place") = value;
        let (status, answer) = create(&tasks, &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{pointer} {body}");
        assert_eq!(answer["error"]["status"], "INVALID_ARGUMENT", "{answer}");
    }
    for time in [far.to_string(), "tomorrow".to_owned()] {
        let mut body = handler.task("t-1");
        body["task"]["scheduleTime"] = json!(time);
        let (status, _) = create(&tasks, &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{time}");
    }
    assert_eq!(tasks.counts(), Counts::default());
}

#[tokio::test]
async fn another_queue_is_not_there() {
    let (tasks, handler) = (start(0.0).await, Handler::answering(&[]).await);
    let url = format!("http://{}/v2/{QUEUE}2/tasks", tasks.host());
    let request = client().post(url).json(&handler.task("t-1"));
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}
