//! Deliveries, each until its handler acknowledges it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use shared::clock::{Clock, SystemClock};
use shared::retry::{Policy, Transient, retry};
use shared::telemetry::TRACEPARENT;
use tokio::sync::{Semaphore, watch};

use super::task::Task;
use super::{Counts, TasksOptions};

/// Deliveries under way at once.
const MAX_PARALLEL: usize = 64;
/// The queue's `retryConfig`: `minBackoff`, doubling up to `maxBackoff`, without an end.
const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// Sends tasks to their handlers.
#[derive(Debug)]
pub(super) struct Dispatcher {
    client: reqwest::Client,
    parallel: Semaphore,
    retries: Policy,
    duplicates: f64,
    counts: watch::Sender<Counts>,
}

/// What happened to a task so far.
#[derive(Debug, Clone, Copy, Default)]
struct History {
    /// Attempts that failed.
    failures: u32,
    /// Answers, except those with a status from 500 on.
    answers: u32,
    /// The latest answer.
    previous: Option<StatusCode>,
}

/// A handler did not acknowledge a task.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the handler answered {status}")]
    Status {
        status: StatusCode,
        retry_after: Option<Duration>,
    },
    #[error("the handler cannot be reached")]
    Unreachable(#[from] reqwest::Error),
}

impl Transient for Refused {
    fn is_transient(&self) -> bool {
        true
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Unreachable(_) => None,
        }
    }
}

impl Dispatcher {
    pub(super) fn new(
        options: &TasksOptions,
        counts: watch::Sender<Counts>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            client: reqwest::Client::builder().no_proxy().build()?,
            parallel: Semaphore::new(MAX_PARALLEL),
            retries: Policy::new(u32::MAX, MIN_BACKOFF, MAX_BACKOFF, Duration::MAX)
                .context("no policy")?,
            duplicates: options.duplicates,
            counts,
        })
    }

    /// Delivers a task when it is due, again and again until it is acknowledged.
    pub(super) async fn deliver(&self, task: &Task) {
        wait_until(task.due_at).await;
        let history = Mutex::new(History::default());
        let delivered = retry(self.retries, async || {
            let before = *lock(&history);
            // Not held over the pauses: a task that is refused must not keep others back.
            let permit = self.parallel.acquire().await;
            let result = self.attempt(task, before).await;
            drop(permit);
            lock(&history).extend(&result);
            result.inspect_err(|error| {
                let error = error as &dyn std::error::Error;
                tracing::debug!(task.name = task.name, error, "task refused");
            })
        });
        if delivered.await.is_ok() {
            self.counts.send_modify(|counts| counts.acknowledged += 1);
        }
    }

    /// One delivery, or two as it happens with at least once: at the same time, or the second
    /// after the first, as if its acknowledgement were lost.
    async fn attempt(&self, task: &Task, before: History) -> Result<(), Refused> {
        if rand::random::<f64>() >= self.duplicates {
            return self.post(task, before).await;
        }
        if rand::random() {
            let both = tokio::join!(self.post(task, before), self.post(task, before));
            return both.0;
        }
        let _ = self.post(task, before).await;
        self.post(task, before).await
    }

    /// The headers are those of <https://cloud.google.com/tasks/docs/creating-http-target-tasks#handler>.
    async fn post(&self, task: &Task, before: History) -> Result<(), Refused> {
        self.counts.send_modify(|counts| counts.deliveries += 1);
        let mut headers = task.headers.clone();
        pass_front_end(&mut headers);
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static("Google-Cloud-Tasks"),
        );
        let mut names = task.name.split('/').rev().step_by(2);
        let mut request = self
            .client
            .request(task.method.clone(), task.url.clone())
            .headers(headers)
            .header("x-cloudtasks-taskname", names.next().unwrap_or_default())
            .header("x-cloudtasks-queuename", names.next().unwrap_or_default())
            .header("x-cloudtasks-taskretrycount", before.failures)
            .header("x-cloudtasks-taskexecutioncount", before.answers)
            .header("x-cloudtasks-tasketa", eta(task.due_at));
        if let Some(previous) = before.previous {
            request = request.header("x-cloudtasks-taskpreviousresponse", previous.as_u16());
        }
        let request = request.timeout(task.deadline).body(task.body.clone());
        let response = request.send().await?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        Err(Refused::Status {
            status,
            retry_after: retry_after.map(Duration::from_secs),
        })
    }
}

impl History {
    fn extend(&mut self, result: &Result<(), Refused>) {
        let Err(error) = result else { return };
        self.failures += 1;
        self.previous = None;
        if let Refused::Status { status, .. } = error {
            self.previous = Some(*status);
            self.answers += u32::from(!status.is_server_error());
        }
    }
}

/// What Google's front end does to a request to Cloud Run: it puts a span of its own into the trace,
/// and decides by itself whether it is kept (<https://docs.cloud.google.com/run/docs/trace>).
fn pass_front_end(headers: &mut HeaderMap) {
    let Some(traceparent) = headers.get_mut(TRACEPARENT) else {
        return;
    };
    let trace = traceparent.to_str().unwrap_or_default().split('-').nth(1);
    let span = rand::random::<u64>() | 1;
    let written = format!("00-{}-{span:016x}-00", trace.unwrap_or_default());
    if let Ok(written) = HeaderValue::from_str(&written) {
        *traceparent = written;
    }
}

/// Seconds of the Unix epoch.
fn eta(due_at: Timestamp) -> String {
    let micros = due_at.subsec_microsecond();
    format!("{}.{micros:06}", due_at.as_second())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a queue keeps a task until it is due"
)]
async fn wait_until(due_at: Timestamp) {
    let rest = || Duration::try_from(due_at.duration_since(SystemClock.now()));
    while let Ok(rest) = rest()
        && !rest.is_zero()
    {
        tokio::time::sleep(rest).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
