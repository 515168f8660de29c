//! Cloud Tasks' adapter against a server on a local port.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use shared::{
    http::client,
    models::Timestamp,
    queue::{
        Access, CloudTasks, Continuation, Error, Queue, QueueConfig, StripeEventTask, Task, Work,
    },
    testing::{FixedClock, RecordingQueue},
};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

use crate::contract::check_cloud_tasks;

const QUEUE: &str = "projects/p/locations/l/queues/q";
const NOW: &str = "2026-11-26T12:00:00Z";

struct Tasks {
    server: MockServer,
    queue: CloudTasks,
    clock: FixedClock,
}

impl Tasks {
    async fn answering(response: ResponseTemplate) -> Self {
        let server = MockServer::start().await;
        let mock = Mock::given(matchers::any()).respond_with(response);
        mock.mount(&server).await;
        let config = QueueConfig {
            queue: QUEUE.to_owned(),
            target_url: "https://execute-workflow.example.com".to_owned(),
            access: Access::Emulator {
                host: server.address().to_string(),
            },
        };
        let clock = FixedClock::at(NOW);
        let queue = CloudTasks::new(config, client().unwrap(), clock.shared());
        Self {
            server,
            queue,
            clock,
        }
    }

    async fn accepting() -> Self {
        Self::answering(ResponseTemplate::new(200).set_body_json(json!({}))).await
    }

    async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap()
    }

    /// The ids and times of the tasks that were asked for.
    async fn scheduled(&self) -> Vec<(String, Value)> {
        let requests = self.requests().await.into_iter();
        requests
            .map(|request| {
                let body: Value = request.body_json().unwrap();
                let name = body["task"]["name"].as_str().unwrap();
                let id = name.strip_prefix(&format!("{QUEUE}/tasks/")).unwrap();
                (id.to_owned(), body["task"]["scheduleTime"].clone())
            })
            .collect()
    }
}

fn task(name: &str, due_at: Option<&str>) -> Task {
    let instant = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    Task {
        name: name.to_owned(),
        work: Work::Continue(Continuation {
            org_id: "o1".parse().unwrap(),
            execution_id: "e1".parse().unwrap(),
        }),
        due_at: due_at.map(|text| Timestamp::from(instant(text))),
    }
}

fn error(status: u16, code: &str) -> ResponseTemplate {
    let error = json!({ "code": status, "message": "no", "status": code });
    ResponseTemplate::new(status).set_body_json(json!({ "error": error }))
}

#[tokio::test]
async fn a_task_is_made_as_the_contract_says() {
    let tasks = Tasks::accepting().await;
    let task = task("e1-1", Some("2026-11-26T13:00:00.5Z"));
    tasks.queue.enqueue(&task).await.unwrap();
    let request = &tasks.requests().await[0];
    assert_eq!(request.method.as_str(), "POST");
    assert_eq!(request.url.path(), format!("/v2/{QUEUE}/tasks"));
    assert!(!request.headers.contains_key("authorization"));
    let body: Value = request.body_json().unwrap();
    check_cloud_tasks("CreateTaskRequest", &body).unwrap();
    let payload = STANDARD.encode(r#"{"orgId":"o1","executionId":"e1"}"#);
    let (id, _) = tasks.scheduled().await.remove(0);
    let expected = json!({ "task": {
        "name": format!("{QUEUE}/tasks/{id}"),
        "httpRequest": {
            "url": "https://execute-workflow.example.com/continue",
            "httpMethod": "POST",
            "headers": { "Content-Type": "application/json" },
            "body": payload,
        },
        "scheduleTime": "2026-11-26T13:00:00.5Z",
        "dispatchDeadline": "600s",
    }});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn each_kind_of_work_has_a_path_and_a_body_of_its_own() {
    let tasks = Tasks::accepting().await;
    let event_id = "evt_1".parse().unwrap();
    let work = Work::StripeEvent(StripeEventTask { event_id });
    let event = Task {
        work,
        ..task("evt_1-0", None)
    };
    tasks.queue.enqueue(&event).await.unwrap();
    let body: Value = tasks.requests().await[0].body_json().unwrap();
    let request = &body["task"]["httpRequest"];
    let expected = "https://execute-workflow.example.com/events/process";
    assert_eq!(request["url"], expected);
    assert_eq!(request["body"], STANDARD.encode(r#"{"eventId":"evt_1"}"#));
}

#[tokio::test]
async fn a_task_is_named_alike_each_time_and_after_a_hash() {
    let tasks = Tasks::accepting().await;
    let odd = "e.1:a";
    let long = "x".repeat(500);
    for name in ["e1-1", "e1-1", "e1-2", odd, &long] {
        tasks.queue.enqueue(&task(name, None)).await.unwrap();
    }
    let scheduled = tasks.scheduled().await;
    let ids: Vec<&str> = scheduled.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids[0], ids[1]);
    for (id, name) in [(ids[0], "e1-1"), (ids[2], "e1-2")] {
        let (hash, rest) = id.split_once('-').unwrap();
        assert_eq!((hash.len(), rest), (8, name));
    }
    assert_ne!(ids[0][..8], ids[2][..8]);
    // What Cloud Tasks would refuse is its hash alone.
    for id in &ids[3..] {
        assert!(id.len() == 64 && id.chars().all(|c| c.is_ascii_hexdigit()));
    }
    assert!(scheduled.iter().all(|(_, time)| time.is_null()));
}

#[tokio::test]
async fn a_time_beyond_the_horizon_is_reached_in_legs_under_new_names() {
    let tasks = Tasks::accepting().await;
    let task = task("e1-1", Some("2027-01-30T12:00:00Z"));
    // In 65 days, and again whenever the task comes.
    for days in [0, 7, 29, 29] {
        tasks
            .clock
            .advance(std::time::Duration::from_hours(24 * days));
        tasks.queue.enqueue(&task).await.unwrap();
    }
    let scheduled = tasks.scheduled().await;
    let times: Vec<&Value> = scheduled.iter().map(|(_, time)| time).collect();
    let expected = ["2026-12-03", "2027-01-01", "2027-01-30", "2027-01-30"];
    assert_eq!(
        times,
        expected
            .map(|day| json!(format!("{day}T12:00:00Z")))
            .each_ref()
    );
    let mut ids: Vec<&str> = scheduled.iter().map(|(id, _)| id.as_str()).collect();
    // Due by now, the task is the one that was made before.
    assert_eq!(ids[2], ids[3]);
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn a_name_that_is_known_is_as_good() {
    let tasks = Tasks::answering(error(409, "ALREADY_EXISTS")).await;
    tasks.queue.enqueue(&task("e1-1", None)).await.unwrap();
    assert_eq!(tasks.requests().await.len(), 1);
}

#[tokio::test]
async fn a_refusal_is_final() {
    for (status, code) in [
        (400, "INVALID_ARGUMENT"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
    ] {
        let tasks = Tasks::answering(error(status, code)).await;
        let result = tasks.queue.enqueue(&task("e1-1", None)).await;
        assert!(matches!(result, Err(Error::Refused(_))), "{result:?}");
        assert_eq!(tasks.requests().await.len(), 1, "{status}");
    }
}

#[tokio::test]
async fn an_overloaded_queue_is_asked_again() {
    for (status, code) in [
        (409, "ABORTED"),
        (429, "RESOURCE_EXHAUSTED"),
        (503, "UNAVAILABLE"),
    ] {
        let tasks = Tasks::answering(error(status, code)).await;
        let result = tasks.queue.enqueue(&task("e1-1", None)).await;
        assert!(matches!(result, Err(Error::Unavailable(_))), "{result:?}");
        assert_eq!(tasks.requests().await.len(), 4, "{status}");
    }
}

#[tokio::test]
async fn the_fake_takes_a_name_once_and_hands_out_what_is_due() {
    let queue = RecordingQueue::new();
    queue.fail_next(1);
    assert!(queue.enqueue(&task("a", None)).await.is_err());
    let (now, later) = (task("a", None), task("b", Some("2026-11-26T12:00:01Z")));
    for task in [&now, &later, &now] {
        queue.enqueue(task).await.unwrap();
    }
    let instant: jiff::Timestamp = NOW.parse().unwrap();
    let due = queue.take_due(instant.into());
    queue.enqueue(&now).await.unwrap();
    assert_eq!(due, [now]);
    assert_eq!(queue.take(), [later]);
}
