//! Looks at mails or files again, several at once.

use std::future::Future;

use futures::{FutureExt, StreamExt, stream};
use shared::models::SyncState;

use crate::{
    ingest::{Looked, ingest},
    leg::Leg,
    stop::Stop,
};

/// Mails or files that are looked at before what comes of them is kept.
const BATCH: usize = 32;

/// How many of them at once.
const AT_ONCE: usize = 8;

/// Something to look at again.
pub(crate) trait Look: Sync {
    /// What it is now.
    fn look(&self, leg: &Leg<'_>) -> impl Future<Output = Result<Looked, Stop>> + Send;
}

/// Looks at all `items` and brings the index to what they are. `update` tells what becomes of the
/// state with a batch, after which so many are left: it is kept in the commit that ends the batch.
/// What comes before the first that cannot be looked at is kept.
pub(crate) async fn look_at_all<T: Look>(
    leg: &mut Leg<'_>,
    items: &[T],
    update: impl Fn(&mut SyncState, usize),
) -> Result<(), Stop> {
    let mut left = items.len();
    for batch in items.chunks(BATCH) {
        leg.keep().await?;
        let (looked, stop) = look_at(leg, batch).await;
        if let Some(stop) = stop {
            ingest(leg, looked, |_| ()).await?;
            return Err(stop);
        }
        left -= batch.len();
        ingest(leg, looked, |state| update(state, left)).await?;
    }
    if items.is_empty() && !leg.is_spent {
        leg.commit_any(Vec::new(), |state| update(state, 0)).await?;
    }
    Ok(())
}

async fn look_at<T: Look>(leg: &Leg<'_>, batch: &[T]) -> (Vec<Looked>, Option<Stop>) {
    let looks: Vec<_> = batch.iter().map(|item| item.look(leg).boxed()).collect();
    let mut looks = stream::iter(looks).buffered(AT_ONCE);
    let mut all = Vec::new();
    while let Some(looked) = looks.next().await {
        match looked {
            Ok(looked) => all.push(looked),
            Err(stop) => return (all, Some(stop)),
        }
    }
    (all, None)
}
