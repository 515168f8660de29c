//! What Cloud Tasks takes: the published schema, and the rules its documentation adds.
//!
//! Wire: <https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues.tasks>.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::error::ApiError;

const MAX_ID_LEN: usize = 500;
/// How far ahead a task can be scheduled (<https://cloud.google.com/tasks/docs/quotas>).
const HORIZON: SignedDuration = SignedDuration::from_hours(30 * 24);
const DEFAULT_DEADLINE: Duration = Duration::from_secs(600);
const SHORTEST_DEADLINE: Duration = Duration::from_secs(15);
const LONGEST_DEADLINE: Duration = Duration::from_secs(1_800);

/// A task as it will be delivered.
#[derive(Debug, Clone)]
pub(super) struct Task {
    /// With the queue's name in front.
    pub(super) name: String,
    /// Not delivered before.
    pub(super) due_at: Timestamp,
    /// An attempt that takes longer has failed.
    pub(super) deadline: Duration,
    pub(super) method: Method,
    pub(super) url: reqwest::Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Task {
    /// The task without its body, which the view `BASIC` leaves out.
    pub(super) fn describe(&self, now: Timestamp) -> Value {
        let headers = self.headers.iter().map(|(name, value)| {
            let value = value.to_str().unwrap_or_default();
            (name.as_str().to_owned(), json!(value))
        });
        json!({
            "name": self.name,
            "httpRequest": {
                "url": self.url.as_str(),
                "httpMethod": self.method.as_str(),
                "headers": headers.collect::<serde_json::Map<_, _>>(),
            },
            "scheduleTime": self.due_at.to_string(),
            "createTime": now.to_string(),
            "dispatchDeadline": format!("{}s", self.deadline.as_secs()),
            "view": "BASIC",
        })
    }
}

/// The task of a request that is inside the contract.
pub(super) fn parse(
    request: &Value,
    schema: &Validator,
    queue: &str,
    now: Timestamp,
) -> Result<Task, ApiError> {
    if let Some(error) = schema.iter_errors(request).next() {
        let place = error.instance_path().to_string();
        return Err(ApiError::invalid(format!("Invalid value at '{place}'")));
    }
    let task = &request["task"];
    let http_request = &task["httpRequest"];
    if !http_request.is_object() {
        return Err(ApiError::invalid("Task.http_request is required"));
    }
    let method = method(http_request)?;
    Ok(Task {
        name: name(task, queue)?,
        due_at: due_at(task, now)?,
        deadline: deadline(task)?,
        url: url(http_request)?,
        headers: headers(http_request)?,
        body: body(http_request, &method)?,
        method,
    })
}

fn name(task: &Value, queue: &str) -> Result<String, ApiError> {
    let Some(name) = task["name"].as_str() else {
        let id: u64 = rand::random();
        return Ok(format!("{queue}/tasks/{id}"));
    };
    let id = name
        .strip_prefix(queue)
        .and_then(|rest| rest.strip_prefix("/tasks/"));
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match id {
        Some(id) if (1..=MAX_ID_LEN).contains(&id.len()) && id.chars().all(is_allowed) => {
            Ok(name.to_owned())
        }
        _ => Err(ApiError::invalid(
            "Task name must be formatted: \"projects/<PROJECT_ID>/locations/<LOCATION_ID>/queues/<QUEUE_ID>/tasks/<TASK_ID>\"",
        )),
    }
}

/// A time that is past stands for now.
fn due_at(task: &Value, now: Timestamp) -> Result<Timestamp, ApiError> {
    let Some(text) = task["scheduleTime"].as_str() else {
        return Ok(now);
    };
    let due_at: Timestamp = text
        .parse()
        .map_err(|_| ApiError::invalid("Task.schedule_time is invalid"))?;
    if due_at.duration_since(now) > HORIZON {
        let message = "Task.schedule_time must be less than 30 days ahead";
        return Err(ApiError::invalid(message));
    }
    Ok(due_at.max(now))
}

fn deadline(task: &Value) -> Result<Duration, ApiError> {
    let Some(text) = task["dispatchDeadline"].as_str() else {
        return Ok(DEFAULT_DEADLINE);
    };
    let seconds = text.trim_end_matches('s').parse();
    let deadline = seconds.ok().and_then(|seconds: f64| {
        let deadline = Duration::try_from_secs_f64(seconds).ok()?;
        (SHORTEST_DEADLINE..=LONGEST_DEADLINE)
            .contains(&deadline)
            .then_some(deadline)
    });
    let message = "Task.dispatch_deadline must be between [15s, 30m]";
    deadline.ok_or_else(|| ApiError::invalid(message))
}

fn method(http_request: &Value) -> Result<Method, ApiError> {
    let name = http_request["httpMethod"].as_str().unwrap_or("POST");
    let method = Method::from_bytes(name.as_bytes()).ok();
    method
        .filter(|_| name != "HTTP_METHOD_UNSPECIFIED")
        .ok_or_else(|| ApiError::invalid("HttpRequest.http_method is invalid"))
}

fn url(http_request: &Value) -> Result<reqwest::Url, ApiError> {
    let text = http_request["url"].as_str().unwrap_or_default();
    let url = reqwest::Url::parse(text).ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| ApiError::invalid("HttpRequest.url must start with 'http://' or 'https://'"))
}

fn headers(http_request: &Value) -> Result<HeaderMap, ApiError> {
    let pairs = http_request["headers"].as_object().into_iter().flatten();
    pairs
        .map(|(name, value)| {
            let name: HeaderName = name.parse().ok()?;
            let value = HeaderValue::from_str(value.as_str()?).ok()?;
            Some((name, value))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| ApiError::invalid("HttpRequest.headers are invalid"))
}

fn body(http_request: &Value, method: &Method) -> Result<Vec<u8>, ApiError> {
    let Some(text) = http_request["body"].as_str() else {
        return Ok(Vec::new());
    };
    if !matches!(method.as_str(), "POST" | "PUT" | "PATCH") {
        let message = "HttpRequest.body is allowed for POST, PUT and PATCH only";
        return Err(ApiError::invalid(message));
    }
    let bytes = STANDARD.decode(text);
    bytes.map_err(|_| ApiError::invalid("HttpRequest.body is not base64"))
}
