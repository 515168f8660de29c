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

/// So many of a batch are passed over at most: where more fail, Google does.
const MAX_PASSED_OVER: usize = 3;

/// When all is looked at again after something was passed over, in seconds.
const AGAIN_SECS: i64 = 6 * 3_600;

/// Something to look at again.
pub(crate) trait Look: Sync {
    /// What it is now.
    fn look(&self, leg: &Leg<'_>) -> impl Future<Output = Result<Looked, Stop>> + Send;

    /// Whether it matters while no text can be placed.
    fn matters_when_spent(&self) -> bool {
        true
    }
}

/// What came of a batch.
#[derive(Default)]
struct Batch {
    looked: Vec<Looked>,
    passed_over: usize,
    stop: Option<Stop>,
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
    for items in items.chunks(BATCH) {
        leg.keep().await?;
        let batch = look_at(leg, items).await;
        if let Some(stop) = batch.stop {
            ingest(leg, batch.looked, |_| ()).await?;
            return Err(stop);
        }
        left -= items.len();
        let again_at = leg.app.now().plus_seconds(AGAIN_SECS);
        ingest(leg, batch.looked, |state| {
            if batch.passed_over > 0 {
                state.counts.skipped += i64::try_from(batch.passed_over).unwrap_or(i64::MAX);
                state.look_again_at = Some(again_at);
            }
            update(state, left);
        })
        .await?;
    }
    if items.is_empty() && !leg.is_spent {
        leg.commit_any(Vec::new(), |state| update(state, 0)).await?;
    }
    Ok(())
}

async fn look_at<T: Look>(leg: &Leg<'_>, items: &[T]) -> Batch {
    let matters = |item: &&T| !leg.is_spent || item.matters_when_spent();
    let looks = items.iter().filter(matters);
    let looks: Vec<_> = looks.map(|item| item.look(leg).boxed()).collect();
    let mut looks = stream::iter(looks).buffered(AT_ONCE);
    let mut batch = Batch::default();
    while let Some(looked) = looks.next().await {
        match looked {
            Ok(looked) => batch.looked.push(looked),
            Err(Stop::Failed(failure))
                if leg.passes_over
                    && failure.may_be_of_one
                    && batch.passed_over < MAX_PASSED_OVER =>
            {
                batch.passed_over += 1;
            }
            Err(stop) => {
                batch.stop = Some(stop);
                break;
            }
        }
    }
    batch
}
