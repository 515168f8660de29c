//! Answers in pieces: server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::{
    collections::VecDeque,
    error::Error as StdError,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures::{
    Stream, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use reqwest::Response;
use sse_stream::SseByteStream;

use super::http::{from_transport, malformed};
use crate::llm::{ChatStream, Delta, Error};

/// Bytes between the ends of two events. The last event of OpenAI's Responses holds the whole
/// answer and the tools.
const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of a stream: a token for an event of 500 bytes, for the 128,000 tokens that an answer can
/// have, twice.
const MAX_STREAM_BYTES: usize = 128 * 1024 * 1024;

/// Makes one vendor's events into pieces of an answer.
pub(super) trait Reader: Send + 'static {
    /// Takes the data of an event and adds what it says. After a [`Delta::End`] nothing is read.
    fn read(&mut self, data: &str, deltas: &mut VecDeque<Delta>) -> Result<(), Error>;

    /// The end of an answer whose stream just stops; an error where the vendor says it in an event.
    fn end(&mut self) -> Result<Delta, Error> {
        Err(interrupted("the stream ended before the answer"))
    }
}

/// An answer's pieces, as a reader finds them in a response.
pub(super) fn deltas(response: Response, reader: impl Reader) -> ChatStream {
    let state = Some((events(response), reader, VecDeque::new()));
    let next = |state| async move {
        let (mut events, mut reader, mut deltas) = state?;
        let next = next_delta(&mut events, &mut reader, &mut deltas).await;
        let is_last = matches!(next, Err(_) | Ok(Delta::End { .. }));
        let state = (!is_last).then_some((events, reader, deltas));
        Some((next, state))
    };
    stream::unfold(state, next).boxed()
}

/// A stream that broke after the model had begun.
pub(super) fn interrupted(reason: impl Into<String>) -> Error {
    Error::Interrupted(reason.into().into())
}

async fn next_delta(
    events: &mut BoxStream<'static, Result<String, Error>>,
    reader: &mut impl Reader,
    deltas: &mut VecDeque<Delta>,
) -> Result<Delta, Error> {
    loop {
        if let Some(delta) = deltas.pop_front() {
            return Ok(delta);
        }
        match events.try_next().await? {
            Some(data) => reader.read(&data, deltas)?,
            None => return reader.end(),
        }
    }
}

/// The data of a response's events. Everything that is kept of an event is bounded.
fn events(response: Response) -> BoxStream<'static, Result<String, Error>> {
    let unread = Arc::new(AtomicUsize::new(0));
    let bytes = bounded(response.bytes_stream(), Arc::clone(&unread));
    let events = SseByteStream::new(bytes).map(move |event| {
        unread.store(0, Ordering::Relaxed);
        event.map_err(from_sse)
    });
    let data = events.try_filter_map(async |event| Ok(event.data));
    data.boxed()
}

/// Why no more bytes come.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the connection broke")]
    Transport(#[source] reqwest::Error),
    #[error("the stream is too large")]
    TooLarge,
}

/// Bytes, until there are too many, or too many `unread` that were not the end of an event.
fn bounded(
    bytes: impl Stream<Item = reqwest::Result<Bytes>> + Send + 'static,
    unread: Arc<AtomicUsize>,
) -> BoxStream<'static, Result<Bytes, Broken>> {
    let mut total = 0_usize;
    let check = move |chunk: reqwest::Result<Bytes>| {
        let chunk = chunk.map_err(Broken::Transport)?;
        total = total.saturating_add(chunk.len());
        let event = unread
            .fetch_add(chunk.len(), Ordering::Relaxed)
            .saturating_add(chunk.len());
        if total > MAX_STREAM_BYTES || event > MAX_EVENT_BYTES {
            return Err(Broken::TooLarge);
        }
        Ok(chunk)
    };
    bytes.map(check).boxed()
}

fn from_sse(error: sse_stream::Error) -> Error {
    let sse_stream::Error::Body(source) = error else {
        return malformed("the stream has no events");
    };
    let source: Box<dyn StdError + Send + Sync> = source;
    match source.downcast::<Broken>().map(|broken| *broken) {
        Ok(Broken::Transport(error)) => from_transport(error),
        Ok(Broken::TooLarge) => malformed("the stream is too large"),
        Err(_) => malformed("the stream cannot be read"),
    }
}
