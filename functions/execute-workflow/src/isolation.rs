//! Keeping runs away from those that may end their worker.
//!
//! A process that dies takes all of its runs with it, and nothing tells which of them was to blame.
//! Three times in a row lead to quarantine: so the third attempt has the process to itself, and no
//! run is put into quarantine for what another has done.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock},
    time::timeout,
};

use crate::journal::MAX_CRASHES;

/// Longest wait for others: a run that is slow, and ends nobody, must not hold them up.
const PATIENCE: Duration = Duration::from_secs(3);

/// The runs of one process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Isolation(Arc<RwLock<()>>);

/// A run's place beside the others, or without them, as long as it is kept.
#[derive(Debug)]
#[expect(dead_code, reason = "what counts is how long they live")]
pub(crate) enum Seat {
    Beside(Option<OwnedRwLockReadGuard<()>>),
    Alone(Option<OwnedRwLockWriteGuard<()>>),
}

impl Isolation {
    /// A place for an attempt, counted from one since the run has come to anything. After some
    /// time it is given whoever else is there.
    pub(crate) async fn enter(&self, attempt: i64) -> Seat {
        let runs = Arc::clone(&self.0);
        if attempt < MAX_CRASHES {
            Seat::Beside(timeout(PATIENCE, runs.read_owned()).await.ok())
        } else {
            Seat::Alone(timeout(PATIENCE, runs.write_owned()).await.ok())
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_third_attempt_is_alone() {
        let runs = Isolation::default();
        let (first, second) = (runs.enter(1).await, runs.enter(2).await);
        let mut third = std::pin::pin!(runs.enter(3));
        assert!(poll!(&mut third).is_pending());
        drop((first, second));
        let third = third.await;
        let mut next = std::pin::pin!(runs.enter(1));
        assert!(poll!(&mut next).is_pending());
        drop(third);
        next.await;
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let runs = Isolation::default();
        let started = Instant::now();
        let (_first, _third) = (runs.enter(1).await, runs.enter(3).await);
        assert_eq!(started.elapsed(), PATIENCE);
        let _alone = runs.enter(4).await;
        let _next = runs.enter(1).await;
        assert_eq!(started.elapsed(), 2 * PATIENCE);
    }
}
