use axum::extract::State;
use http::StatusCode;
use shared::{
    events::PushMessage,
    http::{ApiError, RawBody, ServiceCaller},
    retry::Transient,
    telemetry::{TRACE, TRACEPARENT, fail, join},
};
use tracing::Instrument;

use crate::{
    AppState,
    message::{KIND, Message},
    receive::{Delivery, Error, Outcome, receive},
};

/// Handles a push of Pub/Sub. A repeat finds what is to do by itself: the state tells, not the
/// message.
///
/// Pub/Sub never sends a malformed envelope, so that is refused; a message that nothing can be
/// done about is acknowledged, or it would come back until it is dead-lettered.
pub(crate) async fn handle_push(
    _: ServiceCaller,
    State(app): State<AppState>,
    RawBody(body): RawBody,
) -> Result<StatusCode, ApiError> {
    let push = PushMessage::parse(&body)?;
    let kind = push.attributes.get(KIND).map(String::as_str);
    let delivery = Delivery {
        message: Message::parse(kind, &push.data),
        source: push.subscription,
        id: push.message_id,
    };
    app.calibrate().await?;
    let span = tracing::info_span!(target: TRACE, "process message", otel.kind = "consumer");
    let traceparent = push.attributes.get(TRACEPARENT);
    let span = join(span, traceparent.map(String::as_str));
    let received = async {
        let outcome = Box::pin(receive(&app, &delivery)).await?;
        report(&delivery.id, &outcome);
        Ok(StatusCode::NO_CONTENT)
    };
    let received: Result<_, Error> = received.instrument(span.clone()).await;
    if received.is_err() {
        fail(&span, "not_received");
    }
    Ok(received?)
}

fn report(id: &str, outcome: &Outcome) {
    match outcome {
        Outcome::Ticked(ticked) => tracing::info!(
            message.id = id,
            integrations = ticked.integrations,
            due = ticked.due,
            "integrations told",
        ),
        Outcome::Synced { due, ended } => tracing::info!(
            message.id = id,
            org.id = %due.org_id,
            integration.id = %due.integration_id,
            ended = ?ended,
            "integration synced",
        ),
        Outcome::Mailboxes(count) => tracing::info!(message.id = id, count, "mailbox changed"),
        Outcome::Failed(reason) => {
            tracing::error!(message.id = id, reason, "message given up");
        }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error.is_transient() {
            true => Self::unavailable(&error),
            false => Self::internal(&error),
        }
    }
}
