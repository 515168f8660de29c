use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::lock;
use crate::topic::{Error, Message, SharedTopic, Topic};

/// A topic that keeps what is published until a test takes it out.
#[derive(Debug, Default)]
pub struct RecordingTopic {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<Message>,
    largest_batch: usize,
    failures: usize,
}

impl RecordingTopic {
    /// An empty topic.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The topic as the port that services take.
    #[must_use]
    pub fn shared(self: &Arc<Self>) -> SharedTopic {
        self.clone()
    }

    /// Has the next `count` batches be turned away.
    pub fn fail_next(&self, count: usize) {
        lock(&self.state).failures = count;
    }

    /// Takes everything out, oldest first.
    #[must_use]
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut lock(&self.state).messages)
    }

    /// The most messages that were handed in at once.
    #[must_use]
    pub fn largest_batch(&self) -> usize {
        lock(&self.state).largest_batch
    }
}

#[async_trait]
impl Topic for RecordingTopic {
    async fn publish(&self, messages: Vec<Message>) -> Result<(), Error> {
        // Lets other tasks run, as a network call would.
        tokio::task::yield_now().await;
        let mut state = lock(&self.state);
        if state.failures > 0 {
            state.failures -= 1;
            return Err(Error::Unavailable("switched off".into()));
        }
        state.largest_batch = state.largest_batch.max(messages.len());
        state.messages.extend(messages);
        Ok(())
    }
}
