use futures::{Stream, StreamExt, stream};
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span};

use super::{LONGEST_CALL, open::Open, span};
use crate::{
    llm::{self, ChatStream, Delta},
    quota::Error,
};

/// An answer as it comes, which is booked however it ends.
///
/// - At its end it is booked with what the provider tells, before the last piece is handed out.
/// - One that breaks off is estimated by what came and what the provider had told by then.
/// - One that is dropped is booked by the next call or sweep of this process, which reads on for up
///   to 2 s after the drop: nothing runs on behalf of a caller that has gone. Should the process die
///   before, the sweeper books the most that it may have used when its reservation expires.
pub struct MeteredStream {
    /// None once it has ended.
    deltas: Option<ChatStream>,
    deadline: Instant,
    open: Open,
    cost_micro_usd: i64,
    span: Span,
}

impl MeteredStream {
    pub(super) fn new(open: Open, deltas: ChatStream, span: Span) -> Self {
        Self {
            deltas: Some(deltas),
            deadline: Instant::now() + LONGEST_CALL,
            open,
            cost_micro_usd: 0,
            span,
        }
    }

    /// What the call has cost, in micro-dollars, once its last piece was handed out.
    #[must_use]
    pub fn cost_micro_usd(&self) -> i64 {
        self.cost_micro_usd
    }

    /// The next piece; none after the last one or an error.
    ///
    /// # Errors
    /// Returns [`Error::Llm`] when the answer breaks off, [`Error::Store`] when it cannot be booked.
    pub async fn next(&mut self) -> Option<Result<Delta, Error>> {
        let deltas = self.deltas.as_mut()?;
        let next = timeout_at(self.deadline, deltas.next());
        let next = next.instrument(self.span.clone()).await;
        let next = next.unwrap_or_else(|elapsed| Some(Err(llm::Error::Timeout(elapsed.into()))));
        let ended = || llm::Error::Interrupted("the stream ended before the answer".into());
        match next.unwrap_or_else(|| Err(ended())) {
            Ok(delta) => {
                let meter = &mut self.open.bill()?.meter;
                let is_last = meter.see(&delta);
                if !is_last {
                    return Some(Ok(delta));
                }
                span::end(&self.span, Ok(meter.usage()));
                self.deltas = None;
                let booked = self.open.book().await;
                Some(booked.map(|cost_micro_usd| {
                    self.cost_micro_usd = cost_micro_usd;
                    delta
                }))
            }
            Err(error) => {
                span::end(&self.span, Err(&error));
                self.deltas = None;
                Some(Err(self.open.fail(error).await))
            }
        }
    }

    /// The pieces as a stream of the `futures` crate.
    pub fn into_stream(self) -> impl Stream<Item = Result<Delta, Error>> {
        stream::unfold(self, |mut metered| async move {
            let next = metered.next().await?;
            Some((next, metered))
        })
        .fuse()
    }
}

impl Drop for MeteredStream {
    fn drop(&mut self) {
        if let (Some(deltas), Some(bill)) = (self.deltas.take(), self.open.bill()) {
            bill.leave_unread(deltas);
        }
    }
}
