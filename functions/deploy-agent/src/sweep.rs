//! What a tick of the sweeper picks up: services of agents that are still to be made, changed or
//! removed.

use futures::future::join_all;
use shared::store::Error;

use crate::{AppState, CALLER, provision};

/// Services that one tick goes on with at most, all at once: each takes as long as a request may
/// wait. The next tick takes the rest.
const MAX_SERVICES: u32 = 64;

/// Goes on with what is due and nobody is at; tells how many services that were.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn go_on(state: &AppState) -> Result<usize, Error> {
    let due = state
        .store
        .list_due_agent_services(&CALLER, state.now(), MAX_SERVICES)
        .await?;
    let count = due.len();
    let work = due.into_iter().map(|service| async move {
        provision::advance(state, &service.org_id, &service.id).await;
    });
    join_all(work).await;
    Ok(count)
}
