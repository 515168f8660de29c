//! Takes events in: what is kept before Stripe is answered is acted on, whatever happens.

use std::time::Duration;

use shared::{
    ids::RecordId,
    models::{StripeEvent, StripeEventState},
    queue::{StripeEventTask, Task, Work},
    store::{self, Versioned, Write, commit_contended, stripe_events},
};
use tokio::time::{Instant, timeout_at};

use crate::{
    AppState, CALLER, SWEEP_SECS,
    event::{Change, Event},
};

/// Stripe is answered within 2 s, the way there included. An event that is not kept by then is to be
/// delivered again; if it was kept all the same, the sweeper hands it in.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_900);

/// Longest wait for the queue before Stripe is answered: the event is kept, and the sweeper hands it
/// in as well.
const ENQUEUE_TIMEOUT: Duration = Duration::from_secs(1);

/// What is done with an event that has come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// It will be acted on.
    Queued,
    /// It means nothing here.
    Ignored,
    /// It was dealt with before.
    Repeated,
}

/// Keeps the event, and hands it in if it is to be acted on.
///
/// One that was parked or given up is acted on anew when it comes again: somebody has sent it once
/// more, because what was in its way is mended.
pub(crate) async fn receive(state: &AppState, event: &Event) -> Result<Receipt, store::Error> {
    let deadline = Instant::now() + ANSWER_WITHIN;
    let kept = timeout_at(
        deadline,
        commit_contended(&state.store, || keep(state, event)),
    );
    let late = |error| store::Error::Unavailable(Box::new(error));
    let (receipt, task) = kept.await.map_err(late)??;
    if let Some(task) = task {
        hand_in(state, event, &task, deadline).await;
    }
    Ok(receipt)
}

async fn hand_in(state: &AppState, event: &Event, task: &Task, deadline: Instant) {
    let deadline = deadline.min(Instant::now() + ENQUEUE_TIMEOUT);
    match timeout_at(deadline, state.queue.enqueue(task)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(event.id = %event.id, error, "event left to the sweeper");
        }
        Err(_) => tracing::warn!(event.id = %event.id, "event left to the sweeper: no answer"),
    }
}

type Kept = (Receipt, Option<Task>);

async fn keep(state: &AppState, event: &Event) -> Result<(Vec<Write>, Kept), store::Error> {
    let found = state.store.find_stripe_event(&CALLER, &event.id).await?;
    let Some(found) = found else {
        let event = record(state, event);
        let kept = match event.state {
            StripeEventState::Pending => (Receipt::Queued, Some(task(&event, ""))),
            _ => (Receipt::Ignored, None),
        };
        return Ok((vec![stripe_events::create(&event)?], kept));
    };
    match found.value.state {
        StripeEventState::Pending => {
            let task = task(&found.value, "");
            Ok((Vec::new(), (Receipt::Queued, Some(task))))
        }
        StripeEventState::Parked | StripeEventState::Failed => begin_anew(state, found),
        _ => Ok((Vec::new(), (Receipt::Repeated, None))),
    }
}

fn begin_anew(
    state: &AppState,
    mut event: Versioned<StripeEvent>,
) -> Result<(Vec<Write>, Kept), store::Error> {
    let now = state.now();
    event.value.state = StripeEventState::Pending;
    event.value.attempts = 0;
    event.value.sweep_at = Some(now.plus_seconds(SWEEP_SECS));
    // Its first task has had the plain name.
    let reason = format!("-anew-{}", now.instant().as_millisecond());
    let task = task(&event.value, &reason);
    let write = stripe_events::replace(&event)?;
    Ok((vec![write], (Receipt::Queued, Some(task))))
}

/// Has the queue bring the event to this service. `reason` tells apart what would have the same
/// name.
pub(crate) fn task(event: &StripeEvent, reason: &str) -> Task {
    let StripeEvent { id, attempts, .. } = event;
    Task {
        name: format!("{id}-{attempts}{reason}"),
        work: Work::StripeEvent(StripeEventTask {
            event_id: id.clone(),
        }),
        due_at: None,
    }
}

/// What is kept of an event: what is needed to act on it.
fn record(state: &AppState, event: &Event) -> StripeEvent {
    let now = state.now();
    let (outcome, customer) = match &event.change {
        Change::Subscriptions(customer) => (StripeEventState::Pending, Some(customer)),
        Change::Noted(_) => (StripeEventState::Pending, None),
        Change::None => (StripeEventState::Ignored, None),
    };
    StripeEvent {
        id: event.id.clone(),
        kind: event.kind.clone(),
        customer_id: customer_id(&event.change).cloned(),
        claim: customer.and_then(|customer| customer.claim.clone()),
        subject: customer.and_then(|customer| customer.subject.clone()),
        org_id: None,
        state: outcome,
        attempts: 0,
        received_at: now,
        sweep_at: (outcome == StripeEventState::Pending).then(|| now.plus_seconds(SWEEP_SECS)),
    }
}

fn customer_id(change: &Change) -> Option<&RecordId> {
    match change {
        Change::Subscriptions(customer) => Some(&customer.id),
        Change::Noted(customer) => customer.as_ref(),
        Change::None => None,
    }
}
