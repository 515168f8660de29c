//! Waking up executions: what they wait for has happened.

use shared::{models::Wakeup, store::wakeups};

use crate::{
    AppState,
    journal::Error,
    run::{self, Advance},
};

/// Goes on with the execution, and deletes the wakeup once it has.
///
/// # Errors
/// Returns the database's error. Tells [`Advance::Busy`] while another worker is at the execution
/// and may have looked too early: then the wakeup is to be handled again.
pub(crate) async fn handle(state: &AppState, wakeup: &Wakeup) -> Result<Advance, Error> {
    let advance = run::advance(state, &wakeup.org_id, &wakeup.execution_id, true).await?;
    if advance == Advance::Done {
        state
            .store
            .commit(vec![wakeups::delete(&wakeup.id)])
            .await?;
    }
    Ok(advance)
}
