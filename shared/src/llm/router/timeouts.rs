use std::{future::Future, time::Duration};

use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::{InvalidRoute, route::invalid};
use crate::llm::{ChatStream, Delta, Error};

/// The longest that may be asked for.
const MAX_MS: u64 = 600_000;

/// How long is waited for a candidate, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Timeouts {
    /// Until the first piece of a stream.
    pub first_token_ms: u64,
    /// From one piece of a stream to the next.
    pub between_chunks_ms: u64,
    /// Until the answer is complete.
    pub total_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            first_token_ms: 60_000,
            between_chunks_ms: 30_000,
            total_ms: 120_000,
        }
    }
}

impl Timeouts {
    /// Waits for a whole answer.
    ///
    /// # Errors
    /// Returns the answer's error, or [`Error::Timeout`].
    pub async fn whole<T>(
        &self,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let deadline = after(Instant::now(), self.total_ms);
        timeout_at(deadline, answer).await.map_err(late)?
    }

    /// Waits for the beginning of a stream, and holds the rest of it to the limits. What a provider
    /// tells of its use is no beginning yet.
    ///
    /// # Errors
    /// Returns why the stream did not begin, or [`Error::Timeout`].
    pub async fn stream(
        &self,
        stream: impl Future<Output = Result<ChatStream, Error>>,
    ) -> Result<ChatStream, Error> {
        let started = Instant::now();
        let total = after(started, self.total_ms);
        let first = after(started, self.first_token_ms).min(total);
        let mut stream = timeout_at(first, stream).await.map_err(late)??;
        let mut told = None;
        let head = loop {
            let head = timeout_at(first, stream.next()).await.map_err(late);
            let head = head.and_then(|head| head.unwrap_or_else(|| Err(empty())));
            match head.map_err(|error| error.having_used(told))? {
                Delta::Usage(usage) => told = Some(usage),
                head => break head,
            }
        };
        let head = told.map(Delta::Usage).into_iter().chain([head]).map(Ok);
        let between = Duration::from_millis(self.between_chunks_ms);
        let rest = futures::stream::unfold(Some(stream), move |stream| async move {
            let mut stream = stream?;
            let deadline = (Instant::now() + between).min(total);
            match timeout_at(deadline, stream.next()).await {
                Ok(piece) => Some((piece?, Some(stream))),
                Err(elapsed) => Some((Err(late(elapsed)), None)),
            }
        });
        Ok(futures::stream::iter(head).chain(rest).boxed())
    }

    pub(super) fn check(&self) -> Result<(), InvalidRoute> {
        let Self {
            first_token_ms,
            between_chunks_ms,
            total_ms,
        } = *self;
        let fields = [
            ("timeouts.firstTokenMs", first_token_ms),
            ("timeouts.betweenChunksMs", between_chunks_ms),
            ("timeouts.totalMs", total_ms),
        ];
        let wrong = fields.iter().find(|(_, ms)| !(1..=MAX_MS).contains(ms));
        match wrong {
            None => Ok(()),
            Some((field, _)) => Err(invalid(*field, format!("must be from 1 to {MAX_MS}"))),
        }
    }
}

fn after(start: Instant, ms: u64) -> Instant {
    start + Duration::from_millis(ms)
}

fn empty() -> Error {
    Error::Interrupted("the stream is empty".into())
}

fn late(elapsed: tokio::time::error::Elapsed) -> Error {
    Error::Timeout(Box::new(elapsed))
}
