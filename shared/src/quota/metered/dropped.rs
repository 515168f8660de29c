//! Calls whose callers have gone.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures::{
    StreamExt,
    future::{Either, join_all, select},
};
use tokio::{
    sync::Notify,
    time::{Duration, Instant, timeout, timeout_at},
};

use super::{
    Admitted, Call, MeteredLlm,
    attempts::{Attempt, Request},
    meter::Meter,
    open::Open,
};
use crate::{
    llm::ChatStream,
    models::SystemPrincipal,
    quota::{Error, routing::Way},
    store,
};

/// How long after its caller has gone a stream is read on, so that the provider tells what was
/// used.
const DRAINED: Duration = Duration::from_secs(2);

/// How long the end of a process is put off.
const AT_THE_END: Duration = Duration::from_secs(1);

/// Calls that are booked at once.
const AT_ONCE: usize = 8;

/// Streams that are kept unread; more are closed as they are dropped.
const MAX_UNREAD: usize = 64;

/// What is to be booked for a call.
pub(super) struct Bill {
    pub(super) admitted: Admitted,
    pub(super) meter: Meter,
    /// What its caller has not read, and until when it is waited for.
    rest: Option<(ChatStream, Instant)>,
}

/// Bills that nobody has booked.
#[derive(Default)]
pub(super) struct Dropped {
    bills: Mutex<Vec<Bill>>,
    /// Told of each that comes.
    pushed: Notify,
}

impl Bill {
    pub(super) fn new(admitted: Admitted, meter: Meter) -> Self {
        Self {
            admitted,
            meter,
            rest: None,
        }
    }

    pub(super) fn leave_unread(&mut self, deltas: ChatStream) {
        self.rest = Some((deltas, Instant::now() + DRAINED));
    }

    /// Reads on for as long as it is worth it, and no longer than `patience`.
    async fn drain(&mut self, patience: Duration) {
        let Some((deltas, until)) = &mut self.rest else {
            return;
        };
        let until = (*until).min(Instant::now() + patience);
        loop {
            match timeout_at(until, deltas.next()).await {
                Ok(Some(Ok(delta))) if !self.meter.see(&delta) => {}
                Ok(Some(Err(error))) => {
                    self.meter.break_off(error.used());
                    break;
                }
                _ => break,
            }
        }
        self.rest = None;
    }
}

impl Dropped {
    pub(super) fn push(&self, mut bill: Bill) {
        let mut bills = self.lock();
        if bills.len() >= MAX_UNREAD {
            bill.rest = None;
        }
        bills.push(bill);
        self.pushed.notify_one();
    }

    fn pop(&self) -> Option<Bill> {
        self.lock().pop()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Bill>> {
        self.bills.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MeteredLlm {
    /// Books the calls whose callers have gone. Every call does it for as long as it waits for its
    /// own answer, and every sweep to the end.
    pub async fn book_dropped(&self) {
        self.book_patiently(DRAINED).await;
    }

    /// The same as the last thing that a process does: streams are not waited for, and it takes a
    /// second at most.
    pub async fn book_dropped_at_once(&self) {
        let booking = self.book_patiently(Duration::ZERO);
        if timeout(AT_THE_END, booking).await.is_err() {
            tracing::warn!("calls left to the sweeper");
        }
    }

    /// Clears up what dead callers have left in at most `limit` organizations, and counts what is
    /// not counted; tells how many it looked at. One that fails is logged and left for the next
    /// time.
    ///
    /// # Errors
    /// Returns the database's error when the organizations cannot be listed.
    pub async fn sweep(&self, caller: &SystemPrincipal, limit: u32) -> Result<usize, store::Error> {
        self.book_dropped().await;
        let now = self.clock.now().into();
        let due = self.store.list_due_token_quotas(caller, now, limit).await?;
        for org_id in &due {
            if let Err(error) = self.admissions.sweep(org_id).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(org.id = %org_id, error, "usage left for the next sweep");
            }
        }
        Ok(due.len())
    }

    /// Does `work`, such as to serve, and books the calls whose callers go away meanwhile as soon as
    /// they have.
    pub async fn book_while<T>(&self, work: impl Future<Output = T>) -> T {
        let booking = pin!(self.book_always());
        match select(pin!(work), booking).await {
            Either::Left((done, _)) => done,
            Either::Right((never, _)) => match never {},
        }
    }

    async fn book_always(&self) -> Infallible {
        loop {
            self.dropped.pushed.notified().await;
            self.book_dropped().await;
        }
    }

    /// Asks for a call, and books calls of others meanwhile.
    pub(super) async fn ask_beside<R, T, F>(
        &self,
        call: &Call<R>,
        way: &Way,
        ask: impl Fn(Self, Attempt, Call<R>) -> F,
    ) -> Result<T, Error>
    where
        R: Request,
        F: Future<Output = Result<T, Error>>,
    {
        self.beside(self.ask(call, way, ask)).await
    }

    /// Books calls of others while `work` goes on, and leaves the rest when that is done: nobody
    /// waits for a stranger.
    pub(super) async fn beside<T>(&self, work: impl Future<Output = T>) -> T {
        let booking = pin!(self.book_dropped());
        match select(pin!(work), booking).await {
            Either::Left((done, _)) => done,
            Either::Right(((), work)) => work.await,
        }
    }

    async fn book_patiently(&self, patience: Duration) {
        let booker = || async {
            while let Some(bill) = self.dropped.pop() {
                // Dropped on the way, it goes back to the others.
                let mut open = Open::of(self.clone(), bill);
                if let Some(bill) = open.bill() {
                    bill.drain(patience).await;
                }
                open.book_last().await;
            }
        };
        join_all((0..AT_ONCE).map(|_| booker())).await;
    }
}
