//! A queue that speaks Cloud Tasks' `tasks.create` and delivers at least once, from memory.
//!
//! Wire: <https://cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues.tasks/create>.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use jsonschema::Validator;
use serde_json::Value;
use shared::clock::{Clock, SystemClock};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::contract;
use crate::emulators::LocalServer;
use dispatch::Dispatcher;
use error::ApiError;

mod dispatch;
mod error;
mod task;

/// What a [`Tasks`] starts with.
#[derive(Debug, Clone, Default)]
pub struct TasksOptions {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// The only queue there is: `projects/…/locations/…/queues/…`.
    pub queue: String,
    /// Chance from 0 to 1 that a delivery is made twice.
    pub duplicates: f64,
}

/// How far the tasks have come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tasks that were taken.
    pub created: usize,
    /// Requests that were turned away because their name was known.
    pub repeated: usize,
    /// Requests to handlers, duplicates included.
    pub deliveries: usize,
    /// Tasks that a handler acknowledged.
    pub acknowledged: usize,
}

/// A running queue; dropping it stops it.
#[derive(Debug)]
pub struct Tasks {
    server: LocalServer,
    state: Arc<TasksState>,
}

#[derive(Debug)]
struct TasksState {
    schema: Validator,
    queue: String,
    /// Names are never taken twice. Cloud Tasks forgets them a day after the task is done at the
    /// latest.
    names: Mutex<HashSet<String>>,
    dispatcher: Arc<Dispatcher>,
    counts: watch::Sender<Counts>,
    stop: CancellationToken,
    deliveries: TaskTracker,
}

type Shared = State<Arc<TasksState>>;

impl Counts {
    /// Whether every task was acknowledged.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.acknowledged == self.created
    }
}

impl Tasks {
    /// Starts to serve and to deliver.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start(options: TasksOptions) -> anyhow::Result<Self> {
        let counts = watch::Sender::default();
        let dispatcher = Dispatcher::new(&options, counts.clone())?;
        let state = Arc::new(TasksState {
            schema: contract::cloud_tasks("CreateTaskRequest")?,
            queue: options.queue,
            names: Mutex::default(),
            dispatcher: Arc::new(dispatcher),
            counts,
            stop: CancellationToken::new(),
            deliveries: TaskTracker::new(),
        });
        let path = "/v2/projects/{project}/locations/{location}/queues/{queue}/tasks";
        let router = Router::new()
            .route(path, post(create_task))
            .with_state(Arc::clone(&state));
        let server = LocalServer::start("tasks", options.port, router).await?;
        Ok(Self { server, state })
    }

    /// The address for `CLOUD_TASKS_EMULATOR_HOST`.
    #[must_use]
    pub fn host(&self) -> String {
        self.server.address().to_string()
    }

    /// How far the tasks have come.
    #[must_use]
    pub fn counts(&self) -> Counts {
        *self.state.counts.borrow()
    }

    /// The counts, once they are as asked.
    pub async fn wait_for(&self, is_reached: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.state.counts.subscribe();
        let reached = counts.wait_for(is_reached).await;
        // The sender lives as long as `self`.
        reached.map_or_else(|_| Counts::default(), |counts| *counts)
    }

    /// Stops it wherever its deliveries are; what was not acknowledged is lost.
    pub async fn shutdown(&self) {
        self.state.stop.cancel();
        self.server.shutdown().await;
        self.state.deliveries.close();
        self.state.deliveries.wait().await;
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.state.stop.cancel();
    }
}

async fn create_task(
    State(state): Shared,
    Path((project, location, queue)): Path<(String, String, String)>,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let parent = format!("projects/{project}/locations/{location}/queues/{queue}");
    if parent != state.queue {
        return Err(ApiError::unknown_queue());
    }
    let body = serde_json::from_slice(&bytes).map_err(|_| ApiError::unreadable())?;
    let now = SystemClock.now();
    let task = task::parse(&body, &state.schema, &parent, now)?;
    let mut names = state.names.lock().unwrap_or_else(PoisonError::into_inner);
    let is_new = names.insert(task.name.clone());
    drop(names);
    if !is_new {
        state.counts.send_modify(|counts| counts.repeated += 1);
        return Err(ApiError::already_exists());
    }
    state.counts.send_modify(|counts| counts.created += 1);
    let answer = task.describe(now);
    let (stop, dispatcher) = (state.stop.clone(), Arc::clone(&state.dispatcher));
    let delivery = async move { dispatcher.deliver(&task).await };
    let delivery = stop.run_until_cancelled_owned(delivery);
    state.deliveries.spawn(delivery);
    Ok(Json(answer))
}

#[cfg(test)]
mod tests;
