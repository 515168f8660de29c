//! What a tick of the sweeper picks up: events that nobody has acted on, agents that are to be
//! brought within a limit, and a comparison of tiers that stands still.

use futures::future::join_all;
use shared::{models::StripeEvent, store::Error};

use crate::{AppState, CALLER, limits, process, receive};

/// Events that one tick hands in at most; the next tick takes the rest.
const MAX_EVENTS: u32 = 500;

/// Events that one tick acts on by itself at most, when the queue does not take them.
const MAX_IN_PLACE: usize = 20;

/// Organizations whose agents one tick brings within the limit at most.
const MAX_LIMITS: u32 = 100;

/// Organizations whose agents are brought within the limit at once.
const PARALLEL: usize = 8;

/// Hands in pending events that are due; tells how many there were. Those that the queue does not
/// take are acted on here: the queue is a way to act soon, not one that anything depends on.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn hand_in_events(state: &AppState) -> Result<usize, Error> {
    let now = state.now();
    let due = state
        .store
        .list_due_stripe_events(&CALLER, now, MAX_EVENTS)
        .await?;
    // A task of an earlier tick may have been lost: each tick makes one of its own.
    let reason = format!("-sweep-{}", now.instant().as_second());
    let refused = join_all(due.iter().map(|event| hand_in(state, event, &reason))).await;
    for event in refused.into_iter().flatten().take(MAX_IN_PLACE) {
        if let Err(error) = process::process(state, &event.id).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(event.id = %event.id, error, "event left to the next tick");
        }
    }
    Ok(due.len())
}

/// The event, if the queue does not take it.
async fn hand_in<'a>(
    state: &AppState,
    event: &'a StripeEvent,
    reason: &str,
) -> Option<&'a StripeEvent> {
    let task = receive::task(event, reason);
    let error = state.queue.enqueue(&task).await.err()?;
    let source = &error as &dyn std::error::Error;
    tracing::warn!(event.id = %event.id, error = source, "the queue does not take the event");
    Some(event)
}

/// Brings agents within limits that have changed; tells of how many organizations.
///
/// # Errors
/// Returns the database's error.
pub(crate) async fn enforce_limits(state: &AppState) -> Result<usize, Error> {
    let due = state
        .store
        .list_due_agent_limits(&CALLER, state.now(), MAX_LIMITS)
        .await?;
    for some in due.chunks(PARALLEL) {
        let enforced = join_all(some.iter().map(|org_id| limits::enforce(state, org_id))).await;
        for (org_id, enforced) in some.iter().zip(enforced) {
            if let Err(error) = enforced {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(org.id = %org_id, error, "agents left to the next tick");
            }
        }
    }
    Ok(due.len())
}
