use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::sync::OwnedMutexGuard;

use super::{DocumentPath, Error, Store, Write};
use crate::{
    models::Timestamp,
    retry::{Policy, Transient, retry},
};

/// Commits what `build` makes of a fresh read. When a precondition does not hold, someone else
/// was faster, and `build` reads and decides again. No writes means that nothing is to be done.
///
/// Whoever has lost a race for a document that everybody writes queues up for it in this process,
/// so that of a thousand callers at once each loses few races, not hundreds.
///
/// # Errors
/// Returns the error of `build`, or of a commit that failed for another reason or too often.
pub async fn commit_contended<T, E, F, Fut>(store: &Store, build: F) -> Result<T, E>
where
    E: From<Error>,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(Vec<Write>, T), E>>,
{
    let (value, _) = commit_versioned(store, build).await?;
    Ok(value)
}

/// The same, for who goes on with what it has written: tells the version of it, if anything was.
///
/// # Errors
/// As [`commit_contended`].
pub async fn commit_versioned<T, E, F, Fut>(
    store: &Store,
    mut build: F,
) -> Result<(T, Option<Timestamp>), E>
where
    E: From<Error>,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(Vec<Write>, T), E>>,
{
    let lost = match attempt(store, build()).await {
        Ok(value) => return Ok(value),
        Err(Failure::Final(error)) => return Err(error),
        Err(Failure::LostRace { hot, .. }) => hot,
    };
    let _turn = match lost {
        Some(path) => Some(store.turns.wait(path).await),
        None => None,
    };
    retry(Policy::CONTENTION, || attempt(store, build()))
        .await
        .map_err(|failure| match failure {
            Failure::LostRace { error, .. } => E::from(error),
            Failure::Final(error) => error,
        })
}

async fn attempt<T, E: From<Error>>(
    store: &Store,
    built: impl Future<Output = Result<(Vec<Write>, T), E>>,
) -> Result<(T, Option<Timestamp>), Failure<E>> {
    let (writes, value) = built.await.map_err(Failure::Final)?;
    if writes.is_empty() {
        return Ok((value, None));
    }
    let hot = hot_document(&writes).cloned();
    match store.commit(writes).await {
        Ok(version) => Ok((value, Some(version))),
        Err(error) if error.is_lost_race() => Err(Failure::LostRace { error, hot }),
        Err(error) => Err(Failure::Final(E::from(error))),
    }
}

/// Every recorded action of an organization moves the end of its audit chain, every model call its
/// token quota, every text of its index what is counted of that.
fn hot_document(writes: &[Write]) -> Option<&DocumentPath> {
    let mut paths = writes.iter().map(|write| &write.path);
    paths.find(|path| {
        super::audit_logs::is_head(path)
            || super::organizations::is_token_quota(path)
            || super::knowledge::is_use(path)
    })
}

enum Failure<E> {
    LostRace {
        error: Error,
        hot: Option<DocumentPath>,
    },
    Final(E),
}

impl<E> Transient for Failure<E> {
    fn is_transient(&self) -> bool {
        matches!(self, Self::LostRace { .. })
    }

    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// Queues for documents, first come, first served. They spare races; correct is it without them.
#[derive(Default)]
pub(super) struct Turns {
    queues: Mutex<HashMap<DocumentPath, Weak<tokio::sync::Mutex<()>>>>,
}

impl Turns {
    pub(super) async fn wait(&self, path: DocumentPath) -> OwnedMutexGuard<()> {
        let queue = self.queue(path);
        queue.lock_owned().await
    }

    fn queue(&self, path: DocumentPath) -> Arc<tokio::sync::Mutex<()>> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|_, queue| queue.strong_count() > 0);
        if let Some(queue) = queues.get(&path).and_then(Weak::upgrade) {
            return queue;
        }
        let queue = Arc::default();
        queues.insert(path, Arc::downgrade(&queue));
        queue
    }
}
