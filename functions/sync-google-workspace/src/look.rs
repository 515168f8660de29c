//! Looks at mails or files again, several at once.

use futures::{
    StreamExt,
    future::BoxFuture,
    stream,
};
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

/// Looks at all `items` and brings the index to what they are. `update` tells what becomes of the
/// state with a batch, after which so many are left: it is kept in the commit that ends the batch.
/// What comes before the first that cannot be looked at is kept.
pub(crate) async fn look_at_all<'i, T: Sync>(
    leg: &mut Leg<'_>,
    items: &'i [T],
    look: impl for<'l> Fn(&'l Leg<'_>, &'i T) -> BoxFuture<'l, Result<Looked, Stop>>,
    update: impl Fn(&mut SyncState, usize),
) -> Result<(), Stop>
where
    'i: ,
{
    let batches = items.chunks(BATCH);
    let mut left = items.len();
    for batch in batches {
        leg.keep().await?;
        let (looked, stop) = look_at(leg, batch, &look).await;
        match stop {
            Some(stop) => {
                ingest(leg, looked, |_| ()).await?;
                return Err(stop);
            }
            None => {
                left -= batch.len();
                ingest(leg, looked, |state| update(state, left)).await?;
            }
        }
    }
    if items.is_empty() && !leg.is_spent {
        leg.commit_any(Vec::new(), |state| update(state, 0)).await?;
    }
    Ok(())
}

async fn look_at<'i, T: Sync>(
    leg: &Leg<'_>,
    batch: &'i [T],
    look: &impl for<'l> Fn(&'l Leg<'_>, &'i T) -> BoxFuture<'l, Result<Looked, Stop>>,
) -> (Vec<Looked>, Option<Stop>) {
    let mut looks = stream::iter(batch.iter().map(|item| look(leg, item))).buffered(AT_ONCE);
    let mut all = Vec::new();
    while let Some(looked) = looks.next().await {
        match looked {
            Ok(looked) => all.push(looked),
            Err(stop) => return (all, Some(stop)),
        }
    }
    (all, None)
}
