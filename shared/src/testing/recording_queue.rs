use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;

use super::{lock, take_time};
use crate::{
    models::Timestamp,
    queue::{Error, Queue, SharedQueue, Task},
};

/// A queue that keeps what is handed in until a test takes it out.
#[derive(Debug, Default)]
pub struct RecordingQueue {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tasks: Vec<Task>,
    /// All names ever taken: none is taken again.
    names: BTreeSet<String>,
    failures: usize,
    delay: Duration,
}

impl RecordingQueue {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The queue as the port that services take.
    #[must_use]
    pub fn shared(self: &Arc<Self>) -> SharedQueue {
        self.clone()
    }

    /// Has the next `count` tasks be turned away.
    pub fn fail_next(&self, count: usize) {
        lock(&self.state).failures = count;
    }

    /// Has every task take so long to be taken from now on.
    pub fn delay_all(&self, delay: Duration) {
        lock(&self.state).delay = delay;
    }

    /// What is in the queue, oldest first.
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        lock(&self.state).tasks.clone()
    }

    /// Takes everything out, oldest first.
    #[must_use]
    pub fn take(&self) -> Vec<Task> {
        std::mem::take(&mut lock(&self.state).tasks)
    }

    /// Puts back what was taken out and not acknowledged.
    pub fn put_back(&self, tasks: Vec<Task>) {
        lock(&self.state).tasks.extend(tasks);
    }

    /// Takes out what is due at `now`, oldest first.
    #[must_use]
    pub fn take_due(&self, now: Timestamp) -> Vec<Task> {
        let is_due = |task: &mut Task| task.due_at.is_none_or(|due_at| due_at <= now);
        lock(&self.state).tasks.extract_if(.., is_due).collect()
    }
}

#[async_trait]
impl Queue for RecordingQueue {
    async fn enqueue(&self, task: &Task) -> Result<(), Error> {
        let delay = lock(&self.state).delay;
        take_time(delay).await;
        let mut state = lock(&self.state);
        if state.failures > 0 {
            state.failures -= 1;
            return Err(Error::Unavailable("switched off".into()));
        }
        if state.names.insert(task.name.clone()) {
            state.tasks.push(task.clone());
        }
        Ok(())
    }
}
