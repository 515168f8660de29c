use axum::extract::State;
use http::StatusCode;
use shared::{
    events::PushMessage,
    http::{ApiError, RawBody, ServiceCaller},
};

use crate::{
    AppState,
    message::Message,
    receive::{Delivery, Outcome, receive},
};

/// Handles a push of Pub/Sub. The idempotency key is subscription and message id.
///
/// Pub/Sub never sends a malformed envelope, so that is refused; a message that nothing can be
/// done about is acknowledged, or it would come back until it is dead-lettered.
pub(crate) async fn handle_push(
    _: ServiceCaller,
    State(state): State<AppState>,
    RawBody(body): RawBody,
) -> Result<StatusCode, ApiError> {
    let push = PushMessage::parse(&body)?;
    let kind = push.attributes.get("kind").map(String::as_str);
    let delivery = Delivery {
        message: Message::parse(kind, &push.data),
        source: push.subscription,
        id: push.message_id,
    };
    let outcome = receive(&state.store, &delivery, state.clock.now().into()).await?;
    report(&delivery.id, &outcome);
    Ok(StatusCode::NO_CONTENT)
}

fn report(id: &str, outcome: &Outcome) {
    match outcome {
        Outcome::Counted(integrations) => {
            tracing::info!(message.id = id, integrations, "tick received");
        }
        Outcome::Due(due) => tracing::info!(
            message.id = id,
            org.id = %due.org_id,
            integration.id = %due.integration_id,
            "integration is due; syncing is not part of this version",
        ),
        Outcome::Failed(reason) => {
            tracing::error!(message.id = id, reason, "message given up");
        }
        Outcome::Repeated => tracing::info!(message.id = id, "message repeated: no effect"),
    }
}
