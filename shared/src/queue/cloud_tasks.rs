use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;
use jiff::SignedDuration;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tracing::Instrument;

use super::{Access, Error, Queue, QueueConfig, Task};
use crate::{
    clock::SharedClock,
    ids::fingerprint,
    models::Timestamp,
    retry::{Policy, retry},
    service_identity::ServiceIdentity,
    telemetry::{OWN_TRACEPARENT, TRACE, TRACEPARENT, fail, traceparent},
};

/// <https://cloud.google.com/tasks/docs/reference/rest>.
const BASE_URL: &str = "https://cloudtasks.googleapis.com";

/// Longest wait for one call.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long Cloud Tasks waits for a delivery's answer before it delivers again.
const DISPATCH_DEADLINE: &str = "600s";

/// How far ahead a task can be scheduled (<https://cloud.google.com/tasks/docs/quotas>).
const HORIZON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A day less than the horizon, so that no clock that is slow sees the same leg again.
const LEG: SignedDuration = SignedDuration::from_hours(29 * 24);

/// Longest id of a task
/// (<https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues.tasks>).
const MAX_ID_LEN: usize = 500;

/// Cloud Tasks' REST API with this service's identity, or a stand-in's.
pub struct CloudTasks {
    client: Client,
    clock: SharedClock,
    config: QueueConfig,
    tasks_url: String,
    identity: ServiceIdentity,
}

impl CloudTasks {
    /// The queue that the configuration names.
    #[must_use]
    pub fn new(config: QueueConfig, client: Client, clock: SharedClock) -> Self {
        let base_url = match &config.access {
            Access::CloudTasks { .. } => BASE_URL.to_owned(),
            Access::Emulator { host } => format!("http://{host}"),
        };
        Self {
            tasks_url: format!("{base_url}/v2/{}/tasks", config.queue),
            client,
            clock,
            config,
            identity: ServiceIdentity::new(),
        }
    }

    async fn create_once(&self, body: &Value) -> Result<(), Error> {
        let request = self.client.post(&self.tasks_url);
        let request = request
            .headers(self.authorization().await?)
            .timeout(TIMEOUT);
        let response = request.json(body).send().await.map_err(unavailable)?;
        if response.status().is_success() {
            Ok(())
        } else {
            from_refusal(response).await
        }
    }

    fn create_request(&self, task: &Task) -> Result<Value, Error> {
        let (leg, due_at) = self.schedule(task.due_at);
        let body = task.work.to_body();
        let body = body.map_err(|error| Error::Refused(error.into()))?;
        let mut request = json!({
            "name": format!("{}/tasks/{}", self.config.queue, task_id(&task.name, leg)),
            "httpRequest": {
                "url": format!("{}{}", self.config.target_url, task.work.path()),
                "httpMethod": "POST",
                "headers": { "Content-Type": "application/json" },
                "body": STANDARD.encode(body),
            },
            "dispatchDeadline": DISPATCH_DEADLINE,
        });
        if let Some(traceparent) = traceparent() {
            for name in [TRACEPARENT, OWN_TRACEPARENT] {
                request["httpRequest"]["headers"][name] = json!(traceparent);
            }
        }
        if let Some(due_at) = due_at {
            request["scheduleTime"] = json!(due_at.to_string());
        }
        if let Access::CloudTasks { service_account } = &self.config.access {
            request["httpRequest"]["oidcToken"] = json!({
                "serviceAccountEmail": service_account,
                "audience": self.config.target_url,
            });
        }
        Ok(json!({ "task": request }))
    }

    /// When to deliver, and how many deliveries will follow for what lies beyond the horizon: each
    /// is a task of its own, since Cloud Tasks does not take a name again soon.
    fn schedule(&self, due_at: Option<Timestamp>) -> (i64, Option<Timestamp>) {
        let Some(due_at) = due_at else {
            return (0, None);
        };
        let beyond = due_at.instant().duration_since(self.clock.now()) - HORIZON;
        let legs = (beyond.as_secs().max(0) + LEG.as_secs() - 1) / LEG.as_secs();
        (legs, Some(due_at.plus_seconds(-legs * LEG.as_secs())))
    }

    async fn authorization(&self) -> Result<HeaderMap, Error> {
        match self.config.access {
            Access::Emulator { .. } => Ok(HeaderMap::new()),
            Access::CloudTasks { .. } => self.identity.headers().await.map_err(unavailable),
        }
    }
}

#[async_trait]
impl Queue for CloudTasks {
    async fn enqueue(&self, task: &Task) -> Result<(), Error> {
        let span = tracing::info_span!(
            target: TRACE,
            "send task",
            otel.kind = "producer",
            messaging.operation.type = "send",
            messaging.destination.name = self.config.queue,
        );
        let sent = async {
            let request = self.create_request(task)?;
            retry(Policy::REMOTE_CALL, || self.create_once(&request)).await
        };
        let sent = sent.instrument(span.clone()).await;
        if sent.is_err() {
            fail(&span, "unavailable");
        }
        sent
    }
}

/// A hash comes first, as Google recommends: names in a sequence slow a queue down.
fn task_id(name: &str, leg: i64) -> String {
    let hash = fingerprint(&[name, &leg.to_string()]);
    let id = match leg {
        0 => format!("{}-{name}", &hash[..8]),
        leg => format!("{}-{name}-{leg}", &hash[..8]),
    };
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match id.len() <= MAX_ID_LEN && id.chars().all(is_allowed) {
        true => id,
        false => hash,
    }
}

async fn from_refusal(response: Response) -> Result<(), Error> {
    let status = response.status();
    let is_busy = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        );
    if is_busy {
        return Err(unavailable(format!("status {status}")));
    }
    let answer: Value = response.json().await.unwrap_or_default();
    let code = answer["error"]["status"].as_str().unwrap_or_default();
    match code {
        // The same piece of work was handed in before.
        "ALREADY_EXISTS" => Ok(()),
        "ABORTED" => Err(unavailable(format!("status {status} {code}"))),
        code => Err(Error::Refused(format!("status {status} {code}").into())),
    }
}

fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Unavailable(source.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::SystemClock,
        queue::{StripeEventTask, Work},
    };

    #[test]
    fn a_delivery_carries_a_token_for_this_service() {
        let url = "https://execute-workflow.example.com";
        let service_account = "tasks@p.iam.gserviceaccount.com".to_owned();
        let config = QueueConfig {
            queue: "projects/p/locations/l/queues/q".to_owned(),
            target_url: url.to_owned(),
            access: Access::CloudTasks { service_account },
        };
        let queue = CloudTasks::new(config, Client::default(), SystemClock::shared());
        let expected = "https://cloudtasks.googleapis.com/v2/projects/p/locations/l/queues/q/tasks";
        assert_eq!(queue.tasks_url, expected);
        let request = queue.create_request(&Task {
            name: "e1-1".to_owned(),
            work: Work::StripeEvent(StripeEventTask {
                event_id: "evt_1".parse().unwrap(),
            }),
            due_at: None,
        });
        let token = &request.unwrap()["task"]["httpRequest"]["oidcToken"];
        let account = "tasks@p.iam.gserviceaccount.com";
        let expected = json!({ "serviceAccountEmail": account, "audience": url });
        assert_eq!(token, &expected);
    }
}
