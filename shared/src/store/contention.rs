use std::{future::Future, time::Duration};

use super::{Error, Store, Write};
use crate::retry::{Policy, Transient, retry};

/// Commits what `build` makes of a fresh read. When a precondition does not hold, someone else
/// was faster, and `build` reads and decides again. No writes means that nothing is to be done.
///
/// # Errors
/// Returns the error of `build`, or of a commit that failed for another reason or too often.
pub async fn commit_contended<T, E, F, Fut>(store: &Store, mut build: F) -> Result<T, E>
where
    E: From<Error>,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(Vec<Write>, T), E>>,
{
    let attempt = || {
        let built = build();
        async move {
            let (writes, value) = built.await.map_err(Failure::Final)?;
            if writes.is_empty() {
                return Ok(value);
            }
            match store.commit(writes).await {
                Ok(_) => Ok(value),
                Err(error) if error.is_lost_race() => Err(Failure::LostRace(error)),
                Err(error) => Err(Failure::Final(E::from(error))),
            }
        }
    };
    retry(Policy::CONTENTION, attempt)
        .await
        .map_err(|failure| match failure {
            Failure::LostRace(error) => E::from(error),
            Failure::Final(error) => error,
        })
}

enum Failure<E> {
    LostRace(Error),
    Final(E),
}

impl<E> Transient for Failure<E> {
    fn is_transient(&self) -> bool {
        matches!(self, Self::LostRace(_))
    }

    fn retry_after(&self) -> Option<Duration> {
        None
    }
}
