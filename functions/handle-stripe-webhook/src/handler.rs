use axum::{Json, extract::State};
use http::HeaderMap;
use serde_json::{Value, json};
use shared::{
    http::{ApiError, Code, RawBody},
    retry::Transient,
};

use crate::{
    AppState,
    event::Event,
    signature,
    subscription::{self, Outcome},
};

const SIGNATURE: &str = "stripe-signature";

/// Handles an event that Stripe sends. The idempotency key is the event's id.
pub(crate) async fn handle_event(
    State(state): State<AppState>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ApiError> {
    verify(&state, &headers, &body)?;
    let event = Event::parse(&body)
        .map_err(|error| ApiError::invalid_field("body", format!("not an event: {error}")))?;
    check_mode(&state, &event)?;
    let outcome = subscription::apply(&state, &event).await?;
    report(&event, &outcome);
    Ok(Json(json!({ "outcome": name(&outcome) })))
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

/// Errors are what an alert is made of.
fn report(event: &Event, outcome: &Outcome) {
    let (id, kind) = (&event.id, event.kind.as_str());
    match outcome {
        Outcome::Applied { org_id, verdict } if !verdict.unknown.is_empty() => {
            let unknown = verdict.unknown.join(" ");
            tracing::error!(event.id = %id, org.id = %org_id, unknown, "unknown price: tier kept");
        }
        Outcome::Applied { org_id, verdict } => {
            let tier = verdict.tier.as_str();
            tracing::info!(event.id = %id, event.kind = kind, org.id = %org_id, tier, "tier in step");
        }
        Outcome::Parked(reason) => {
            tracing::error!(event.id = %id, event.kind = kind, %reason, "event parked");
        }
        Outcome::Ignored | Outcome::Repeated => {
            tracing::info!(event.id = %id, event.kind = kind, outcome = name(outcome), "no effect");
        }
    }
}

fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Applied { .. } => "applied",
        Outcome::Ignored => "ignored",
        Outcome::Parked(_) => "parked",
        Outcome::Repeated => "repeated",
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
