mod meter;

use axum::{Json, extract::State};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use shared::{
    http::{ApiError, Code, RawBody, ServiceCaller},
    models::TierReconcile,
    queue::{StripeEventTask, TierReconcileTask},
    retry::Transient,
};

use crate::{
    AppState, event::Event, process, receive, receive::Receipt, reconcile, signature, subscription,
    sweep,
};

pub(crate) use self::meter::{handle_meter, handle_reconcile_usage};

const SIGNATURE: &str = "stripe-signature";

/// Handles an event that Stripe sends: keeps it, and leaves the rest to the queue. The idempotency
/// key is the event's id.
pub(crate) async fn handle_event(
    State(state): State<AppState>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ApiError> {
    verify(&state, &headers, &body)?;
    let event = Event::parse(&body)
        .map_err(|error| ApiError::invalid_field("body", format!("not an event: {error}")))?;
    check_mode(&state, &event)?;
    let receipt = receive::receive(&state, &event).await?;
    let (id, kind, outcome) = (&event.id, event.kind.as_str(), name(receipt));
    tracing::info!(event.id = %id, event.kind = kind, outcome, "event received");
    Ok(Json(json!({ "outcome": outcome })))
}

/// Handles a task of the queue: acts on an event. The idempotency key is the event's id.
///
/// A body that can never be understood is acknowledged and logged: nothing else writes into the
/// queue, and a repeat would not help.
pub(crate) async fn handle_process(
    _: ServiceCaller,
    State(state): State<AppState>,
    RawBody(body): RawBody,
) -> Result<StatusCode, ApiError> {
    match serde_json::from_slice::<StripeEventTask>(&body) {
        Ok(task) => {
            process::process(&state, &task.event_id).await?;
        }
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "task dropped: its body cannot be understood");
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Handles the minute's tick of the sweeper, and survives a repeat.
pub(crate) async fn handle_sweep(
    _: ServiceCaller,
    State(state): State<AppState>,
) -> Result<Json<Value>, ApiError> {
    let (events, limits, tiers, usage) = futures::join!(
        sweep::hand_in_events(&state),
        sweep::enforce_limits(&state),
        reconcile::go_on_if_stalled(&state),
        crate::meter::reconcile::go_on_if_stalled(&state),
    );
    let stalled = tiers? | usage?;
    Ok(Json(
        json!({ "events": events?, "limits": limits?, "stalled": stalled }),
    ))
}

/// Handles the nightly tick that has all tiers compared, and the tasks by which that goes on. The
/// idempotency key is the comparison's id: a repeat finds its page compared.
pub(crate) async fn handle_reconcile(
    _: ServiceCaller,
    State(state): State<AppState>,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ApiError> {
    // The tick has no body.
    let reconcile = match serde_json::from_slice::<TierReconcileTask>(&body) {
        Ok(task) => reconcile::go_on(&state, &task.run_id).await?,
        Err(_) => Some(reconcile::begin(&state).await?),
    };
    Ok(Json(
        reconcile.map_or(json!({}), |reconcile| describe(&reconcile)),
    ))
}

fn describe(reconcile: &TierReconcile) -> Value {
    json!({
        "runId": reconcile.run_id,
        "checked": reconcile.checked,
        "repaired": reconcile.repaired,
        "failed": reconcile.failed,
        "finished": reconcile.finished_at.is_some(),
    })
}

/// The raw bytes are verified, and parsed only then.
fn verify(state: &AppState, headers: &HeaderMap, body: &[u8]) -> Result<(), ApiError> {
    let mut values = headers.get_all(SIGNATURE).iter();
    let header = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => "",
    };
    signature::verify(header, body, &state.webhook.secrets, state.now()).map_err(|error| {
        tracing::warn!(%error, "webhook refused");
        ApiError::invalid_field("Stripe-Signature", "must be a valid signature of the body")
    })
}

/// A genuine event of the other mode means that a secret was set in the wrong environment. It is
/// refused, so that Stripe shows the endpoint as failing, instead of lost without a word.
fn check_mode(state: &AppState, event: &Event) -> Result<(), ApiError> {
    if event
        .livemode
        .is_none_or(|livemode| livemode == state.webhook.livemode)
    {
        return Ok(());
    }
    tracing::error!(event.id = %event.id, "webhook refused: event of the other mode");
    Err(ApiError::new(
        Code::FailedPrecondition,
        "the event's `livemode` is not this environment's",
    ))
}

fn name(receipt: Receipt) -> &'static str {
    match receipt {
        Receipt::Queued => "queued",
        Receipt::Ignored => "ignored",
        Receipt::Repeated => "repeated",
    }
}

impl From<subscription::Error> for ApiError {
    fn from(error: subscription::Error) -> Self {
        if error.is_transient() {
            Self::unavailable(&error)
        } else {
            Self::internal(&error)
        }
    }
}
