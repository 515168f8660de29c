use std::{future::Future, time::Duration};

use futures::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::{InvalidRoute, route::invalid};
use crate::{
    llm::{ChatStream, Delta, Error},
    models::Timeouts,
};

impl Timeouts {
    /// The longest that may be asked for.
    pub const MAX_MS: u64 = 600_000;

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

    /// Whether a candidate has as long as it has where no route says otherwise.
    pub(super) fn are_patient(&self) -> bool {
        let usual = Self::default();
        self.first_token_ms >= usual.first_token_ms
            && self.between_chunks_ms >= usual.between_chunks_ms
            && self.total_ms >= usual.total_ms
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
        let wrong = fields
            .iter()
            .find(|(_, ms)| !(1..=Self::MAX_MS).contains(ms));
        match wrong {
            None => Ok(()),
            Some((field, _)) => Err(invalid(
                *field,
                format!("must be from 1 to {}", Self::MAX_MS),
            )),
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
