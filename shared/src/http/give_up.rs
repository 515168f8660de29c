use crate::{
    events::CloudEvent,
    models::{ProcessedEvent, SystemPrincipal, Timestamp},
    store::{Error, Store},
};

/// Records and logs that an event can never be handled, so that it can be acknowledged.
///
/// # Errors
/// Returns the database's error; the event is then to be delivered again.
pub async fn give_up(
    store: &Store,
    caller: &SystemPrincipal,
    event: &CloudEvent,
    failure: String,
    now: Timestamp,
) -> Result<(), Error> {
    tracing::error!(event.id, failure, "event given up");
    let record = ProcessedEvent::new(&event.source, &event.id, Some(failure), now);
    store
        .keep_failed_event(caller, &event.idempotency_key(), &record)
        .await
}
