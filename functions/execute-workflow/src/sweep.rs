//! What the minute's ticks pick up: executions that should go on, deletions of accounts, and unsent
//! messages.

use shared::store::Error;

use crate::{AppState, CALLER, journal, run};

/// Executions that one tick goes on with at most; the next tick takes the rest.
const MAX_EXECUTIONS: u32 = 100;
/// Deleted accounts that one tick finishes at most.
const MAX_ERASURES: u32 = 20;
/// Messages that one tick sends at most.
const MAX_MESSAGES: u32 = 100;

/// Goes on with due waits and with executions whose worker has gone; tells how many there were.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn resume_due_executions(state: &AppState) -> Result<usize, Error> {
    let now = state.clock.now().into();
    let due = state
        .store
        .list_due_executions(&CALLER, now, MAX_EXECUTIONS)
        .await?;
    let advance = due.iter().map(async |execution| {
        let result = run::advance(state, &execution.org_id, &execution.id).await;
        // One bad execution must not stop the others; it is still due at the next tick.
        if let Err(error @ journal::Error::Store(_)) = result {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(execution.id = %execution.id, error, "execution left to the next tick");
        }
    });
    futures::future::join_all(advance).await;
    Ok(due.len())
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
