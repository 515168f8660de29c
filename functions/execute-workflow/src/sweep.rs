//! What the minute's ticks pick up: executions that should go on, deletions of accounts, and unsent
//! messages.

use std::time::Duration;

use futures::future::join_all;
use shared::{
    ids::fingerprint,
    models::{Execution, Timestamp},
    store::Error,
};

use crate::{AppState, CALLER, publish, wake};

/// Executions that one tick hands in at most; the next tick takes the rest.
const MAX_EXECUTIONS: u32 = 500;
/// Wakeups that one tick makes up for at most.
const MAX_WAKEUPS: u32 = 500;
/// Workflows with runs in line that are read at once.
const MAX_QUEUES: u32 = 200;
/// Deleted accounts that one tick finishes at most.
const MAX_ERASURES: u32 = 20;
/// Messages that one tick sends at most.
const MAX_MESSAGES: u32 = 100;
/// Organizations whose use of models one tick clears up at most.
const MAX_QUOTAS: u32 = 100;
/// How far runs are put apart that have lost their worker twice, in seconds; twice as far the next
/// time.
const SPREAD_SECS: u64 = 10;
/// A wakeup's own event has so long to do it, in seconds.
const WAKEUP_SECS: i64 = 30;

/// Hands in due waits and executions whose worker has gone; tells how many there were.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn resume_due_executions(state: &AppState) -> Result<usize, Error> {
    let now = Timestamp::from(state.clock.now());
    let due = state
        .store
        .list_due_executions(&CALLER, now, MAX_EXECUTIONS)
        .await?;
    // A task of an earlier tick may have been lost: each tick makes one of its own.
    let reason = format!("-sweep-{}", now.instant().as_second());
    let hand_in = due.iter().map(|execution| {
        let later = due_again(execution).filter(|due_at| *due_at > now);
        let reason = later.map_or(reason.as_str(), |_| "-again");
        publish::enqueue(state, execution, reason, later)
    });
    join_all(hand_in).await;
    publish::offer_all_slots(state, &CALLER, MAX_QUEUES, &reason).await?;
    Ok(due.len())
}

/// When an execution that has lost its worker goes on: at once after the first time. A run that
/// ends its worker takes others with it; were all of them to begin together again, it would take
/// them into quarantine as well. So they begin apart, each at a time of its own.
fn due_again(execution: &Execution) -> Option<Timestamp> {
    let crashes = u64::try_from(execution.attempts).ok()?.checked_sub(1)?;
    let spread_millis = 1_000
        * SPREAD_SECS
            .checked_mul(crashes)
            .filter(|spread| *spread > 0)?;
    let fence = execution.lease.fence.to_string();
    let roll = roll(&["again", execution.id.as_str(), &fence]);
    let pause = Duration::from_millis(roll % spread_millis);
    Some(execution.lease.until?.plus(pause))
}

/// A number that the same parts always give.
fn roll(parts: &[&str]) -> u64 {
    let digits = fingerprint(parts);
    let digits = digits.get(..15).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or_default()
}

/// Hands in executions whose wakeup has not been handled; tells how many there were.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn handle_missed_wakeups(state: &AppState) -> Result<usize, Error> {
    let before = Timestamp::from(state.clock.now()).plus_seconds(-WAKEUP_SECS);
    let missed = state
        .store
        .list_missed_wakeups(&CALLER, before, MAX_WAKEUPS)
        .await?;
    join_all(missed.iter().map(|wakeup| wake::hand_in(state, wakeup))).await;
    Ok(missed.len())
}

/// Sends what the outbox still holds; tells how many rows were looked at.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn send_outbox(state: &AppState) -> Result<usize, Error> {
    state.dispatcher.sweep(&CALLER, MAX_MESSAGES).await
}

/// Goes on with deletions of accounts that are due; tells how many are done now.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn finish_erasures(state: &AppState) -> Result<usize, Error> {
    let now = state.clock.now().into();
    state.erasure.sweep(&CALLER, MAX_ERASURES, now).await
}

/// Ends model calls whose callers have died, and counts what is not counted; tells how many
/// organizations were looked at.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn clear_usage(state: &AppState) -> Result<usize, Error> {
    state.llm.sweep(&CALLER, MAX_QUOTAS).await
}
