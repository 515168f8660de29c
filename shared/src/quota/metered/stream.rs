use futures::{Stream, StreamExt, stream};
use tokio::time::{Duration, Instant, timeout, timeout_at};

use super::{Admitted, Dropped, LONGEST_CALL, MeteredLlm};
use crate::{
    llm::{self, ChatStream, Delta, Usage},
    quota::Error,
};

/// How long an unread rest is waited for, so that the provider tells what was used.
const DRAINED: Duration = Duration::from_secs(2);

/// Bytes of English text in a token, by OpenAI's rule of thumb
/// (<https://help.openai.com/en/articles/4936856>).
const BYTES_PER_TOKEN: i64 = 4;

/// An answer as it comes, which is booked however it ends.
///
/// - At its end it is booked with what the provider tells, before the last piece is handed out.
/// - Who stops early calls [`MeteredStream::end`].
/// - One that is dropped is estimated by what came, and booked by the next call or sweep of this
///   process: nothing runs on behalf of a caller that has gone. Should the process die before, the
///   sweeper books the most that it may have used when its reservation expires.
pub struct MeteredStream {
    deltas: ChatStream,
    deadline: Instant,
    /// None once it is booked.
    open: Option<Open>,
}

/// A stream that is not booked.
struct Open {
    llm: MeteredLlm,
    admitted: Admitted,
    pieces: i64,
    bytes: usize,
    /// What the provider has told.
    told: Option<Usage>,
}

impl MeteredStream {
    pub(super) fn new(llm: MeteredLlm, admitted: Admitted, deltas: ChatStream) -> Self {
        Self {
            deltas,
            deadline: Instant::now() + LONGEST_CALL,
            open: Some(Open {
                llm,
                admitted,
                pieces: 0,
                bytes: 0,
                told: None,
            }),
        }
    }

    /// The next piece; none after the last one or an error.
    ///
    /// # Errors
    /// Returns [`Error::Llm`] when the answer breaks off, [`Error::Store`] when it cannot be booked.
    pub async fn next(&mut self) -> Option<Result<Delta, Error>> {
        let open = self.open.as_mut()?;
        let next = timeout_at(self.deadline, self.deltas.next()).await;
        let next = next.unwrap_or_else(|elapsed| Some(Err(llm::Error::Timeout(elapsed.into()))));
        match next {
            Some(Ok(delta)) => {
                open.see(&delta);
                let is_last = open.told.is_some();
                let booked = if is_last { self.book().await } else { Ok(()) };
                Some(booked.map(|()| delta))
            }
            Some(Err(error)) => Some(Err(self.fail(error).await)),
            None => {
                let error = llm::Error::Interrupted("the stream ended before the answer".into());
                Some(Err(self.fail(error).await))
            }
        }
    }

    /// Ends a stream that is not read on: waits a little for what the provider tells, and books
    /// that or an estimate.
    ///
    /// # Errors
    /// Returns [`Error::Store`] when it cannot be booked.
    pub async fn end(mut self) -> Result<(), Error> {
        let Some(open) = self.open.as_mut() else {
            return Ok(());
        };
        let drain = async {
            while let Some(Ok(delta)) = self.deltas.next().await {
                open.see(&delta);
            }
        };
        let _ = timeout(DRAINED, drain).await;
        self.book().await
    }

    /// The pieces as a stream of the `futures` crate.
    pub fn into_stream(self) -> impl Stream<Item = Result<Delta, Error>> {
        stream::unfold(self, |mut metered| async move {
            let next = metered.next().await?;
            Some((next, metered))
        })
    }

    /// Books what was used, told or estimated. It stays open until then: a caller that goes away
    /// meanwhile leaves it to the next.
    async fn book(&mut self) -> Result<(), Error> {
        let Some(open) = self.open.as_ref() else {
            return Ok(());
        };
        let booked = open.admitted.book(&open.usage());
        let admission = &open.admitted.admission;
        open.llm.admissions.settle(admission, &booked).await?;
        self.open = None;
        Ok(())
    }

    /// A model that has begun to answer is paid for what came; the outcome of one that has not is
    /// unknown, or nothing.
    async fn fail(&mut self, error: llm::Error) -> Error {
        let has_begun = self.open.as_ref().is_some_and(|open| open.pieces > 0);
        if has_begun {
            return match self.book().await {
                Ok(()) => error.into(),
                Err(error) => error,
            };
        }
        match self.open.take() {
            Some(open) => open.llm.fail(&open.admitted, error).await,
            None => error.into(),
        }
    }
}

impl Drop for MeteredStream {
    fn drop(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        let booked = open.admitted.book(&open.usage());
        let admission = open.admitted.admission;
        let dropped = Dropped { admission, booked };
        open.llm.lock_dropped().push(dropped);
    }
}

impl Open {
    fn see(&mut self, delta: &Delta) {
        match delta {
            Delta::Text(text) => self.bytes += text.len(),
            Delta::ToolCall { piece, .. } => {
                self.bytes += piece.id.len() + piece.name.len() + piece.arguments.len();
            }
            Delta::End { usage, .. } => {
                self.told = Some(*usage);
                return;
            }
        }
        self.pieces += 1;
    }

    fn usage(&self) -> Usage {
        self.told.unwrap_or_else(|| self.estimate())
    }

    /// A piece has a token at least. Input is bounded by its bytes, output by what was asked for.
    fn estimate(&self) -> Usage {
        let most = self.admitted.admission.entry();
        let tokens = |bytes: i64| (bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN;
        let bytes = i64::try_from(self.bytes).unwrap_or(i64::MAX / 2);
        Usage {
            input_tokens: tokens(most.input_tokens),
            output_tokens: tokens(bytes).max(self.pieces).min(most.output_tokens),
            is_estimated: true,
            ..Usage::default()
        }
    }
}
