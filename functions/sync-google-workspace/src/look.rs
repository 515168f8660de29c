//! Looks at mails or files again, several at once.

use std::{future::Future, time::Duration};

use futures::{FutureExt, StreamExt, stream};
use shared::models::{SyncState, Timestamp};
use tokio::time::timeout;

use crate::{
    blame::{mark, unmark},
    ingest::{Looked, ingest},
    leg::Leg,
    stop::Stop,
};

/// Mails or files that are looked at before what comes of them is kept.
const BATCH: usize = 32;

/// How many of them at once.
const AT_ONCE: usize = 8;

/// So many of a batch that get no answer are passed over at most: where more do, Google gives none.
const MAX_UNANSWERED: usize = 3;

/// How often the lease is looked after while nothing comes of a look.
const LEASE_CHECK: Duration = Duration::from_secs(10);

/// When all is looked at again after something was passed over, in seconds.
pub(crate) const AGAIN_SECS: i64 = 6 * 3_600;

/// Mails that came so long before the last look, in seconds, may not have been seen then.
const MARGIN_SECS: i64 = 600;

/// Something to look at again.
pub(crate) trait Look: Sync {
    /// What it is now.
    fn look(&self, leg: &Leg<'_>) -> impl Future<Output = Result<Looked, Stop>> + Send;

    /// What names its content, if that is read.
    fn key(&self) -> Option<String> {
        None
    }

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
    unanswered: usize,
    stop: Option<Stop>,
}

impl Batch {
    fn add(&mut self, looked: Result<Looked, Stop>, passes_over: bool) {
        match looked {
            Ok(looked) => self.looked.push(looked),
            Err(Stop::Failed(failure))
                if passes_over
                    && failure.may_be_of_one
                    && (!failure.is_transient || self.unanswered < MAX_UNANSWERED) =>
            {
                self.passed_over += 1;
                self.unanswered += usize::from(failure.is_transient);
            }
            Err(stop) => self.stop = Some(stop),
        }
    }
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
    for items in batches(leg, items) {
        leg.keep().await?;
        let matters = |item: &&T| !leg.is_spent || item.matters_when_spent();
        let items_that_matter: Vec<&T> = items.iter().filter(matters).collect();
        let keys = items_that_matter.iter().filter_map(|item| item.key());
        let keys: Vec<_> = keys.filter(|key| !leg.has_given_up(key)).collect();
        let batch = read(leg, &items_that_matter, &keys).await?;
        if let Some(stop) = batch.stop {
            ingest(leg, batch.looked, |_| ()).await?;
            return Err(stop);
        }
        left -= items.len();
        let again_at = leg.app.now().plus_seconds(AGAIN_SECS);
        ingest(leg, batch.looked, |state| {
            pass_over(state, batch.passed_over, again_at);
            update(state, left);
        })
        .await?;
    }
    if items.is_empty() && !leg.is_spent {
        leg.commit_any(Vec::new(), |state| update(state, 0)).await?;
    }
    Ok(())
}

/// Looks at these, under a mark while what they hold is read.
async fn read<T: Look>(leg: &mut Leg<'_>, items: &[&T], keys: &[String]) -> Result<Batch, Stop> {
    if keys.is_empty() {
        return Ok(look_at(leg, items).await);
    }
    let is_suspect = keys.iter().any(|key| leg.state.suspects.contains(key));
    let _turn = leg.app.readers.turn(is_suspect).await?;
    leg.keep().await?;
    mark(leg, keys).await?;
    let batch = look_at(leg, items).await;
    if batch.stop.is_none() {
        leg.commit(Vec::new(), |state| unmark(state, keys)).await?;
    }
    Ok(batch)
}

/// Mails that came since then are new, unless the index knows them.
pub(crate) fn new_since(state: &SyncState) -> Option<Timestamp> {
    let margin = |at: Timestamp| at.plus_seconds(-MARGIN_SECS);
    let seen = state.synced_at.map(margin).or(state.begun_at);
    state.passed_over_since.or(seen)
}

/// Has all be looked at again: not later than is planned already, but for who does so now, which
/// has no cursor before its end.
pub(crate) fn pass_over(state: &mut SyncState, count: usize, again_at: Timestamp) {
    if count == 0 {
        return;
    }
    state.counts.skipped += i64::try_from(count).unwrap_or(i64::MAX);
    state.passed_over_since = new_since(state);
    let planned = state.look_again_at.filter(|_| state.cursor.is_some());
    state.look_again_at = planned.or(Some(again_at));
}

/// All was looked at again that was passed over before `began`.
pub(crate) fn forget_passed_over(state: &mut SyncState, began: Timestamp) {
    state.look_again_at = state.look_again_at.filter(|at| *at > began);
    if state.look_again_at.is_none() {
        state.passed_over_since = None;
    }
}

/// What is looked at and kept together. What may have ended a process is alone.
fn batches<'i, T: Look>(leg: &Leg<'_>, items: &'i [T]) -> Vec<&'i [T]> {
    let suspects = &leg.state.suspects;
    let is_alone = |item: &T| item.key().is_some_and(|key| suspects.contains(&key));
    let together =
        items.chunk_by(|one, next| suspects.is_empty() || !(is_alone(one) || is_alone(next)));
    together.flat_map(|items| items.chunks(BATCH)).collect()
}

/// Looks at these, and keeps the lease meanwhile.
async fn look_at<T: Look>(leg: &mut Leg<'_>, items: &[&T]) -> Batch {
    let mut batch = Batch::default();
    let mut until = leg.state.lease.until;
    let shared = &*leg;
    let looks: Vec<_> = items.iter().map(|item| item.look(shared).boxed()).collect();
    let mut looks = stream::iter(looks).buffered(AT_ONCE);
    while batch.stop.is_none() {
        match timeout(LEASE_CHECK, looks.next()).await {
            Ok(Some(looked)) => batch.add(looked, shared.passes_over),
            Ok(None) => break,
            Err(_) => {}
        }
        match shared.renew(until).await {
            Ok(renewed) => until = renewed,
            Err(stop) => batch.stop = Some(stop),
        }
    }
    drop(looks);
    leg.state.lease.until = until;
    batch
}

#[cfg(test)]
mod tests {
    use shared::ids::OrgId;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        let instant = jiff::Timestamp::from_second(1_795_694_400 + seconds);
        instant.unwrap().into()
    }

    /// After a look, with a cursor for who follows what changes.
    fn state(cursor: Option<&str>) -> SyncState {
        SyncState {
            cursor: cursor.map(str::to_owned),
            begun_at: Some(at(-9_000)),
            synced_at: Some(at(0)),
            ..SyncState::new(OrgId::derive(&["o1"]))
        }
    }

    #[test]
    fn a_look_at_all_that_is_planned_is_not_put_off() {
        let mut state = state(Some("7"));
        pass_over(&mut state, 1, at(100));
        pass_over(&mut state, 2, at(200));
        assert_eq!(state.look_again_at, Some(at(100)));
        assert_eq!(state.counts.skipped, 3);
        state.cursor = None;
        pass_over(&mut state, 1, at(300));
        forget_passed_over(&mut state, at(250));
        assert_eq!(state.look_again_at, Some(at(300)));
        assert!(state.passed_over_since.is_some());
    }

    #[test]
    fn what_was_passed_over_stays_new_until_all_was_looked_at() {
        let mut state = state(Some("7"));
        assert_eq!(new_since(&state), Some(at(-MARGIN_SECS)));
        pass_over(&mut state, 1, at(100));
        state.synced_at = Some(at(90));
        pass_over(&mut state, 1, at(190));
        assert_eq!(new_since(&state), Some(at(-MARGIN_SECS)));
        forget_passed_over(&mut state, at(110));
        assert_eq!(new_since(&state), Some(at(90 - MARGIN_SECS)));
    }

    #[test]
    fn nothing_is_new_that_was_there_before_the_first_look() {
        let mut state = SyncState {
            synced_at: None,
            ..state(None)
        };
        pass_over(&mut state, 1, at(100));
        assert_eq!(new_since(&state), Some(at(-9_000)));
    }
}
