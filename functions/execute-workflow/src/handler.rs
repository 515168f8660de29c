use axum::{Json, extract::State};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use shared::{
    events::{CloudEvent, DocumentEvent},
    http::{ApiError, Code, RawBody, ServiceCaller, give_up},
    models::Trigger,
    queue::Continuation,
    retry::Transient,
    store,
};

use crate::{AppState, CALLER, journal, run, schedule, start, sweep};

/// The time that a Cloud Scheduler job was due
/// (<https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs#httptarget>).
const SCHEDULE_TIME: &str = "x-cloudscheduler-scheduletime";

/// Handles a write on `triggers/{id}`. The idempotency key is the trigger's id, which is also the
/// execution's: repeats find the execution and go on with it or leave it alone.
///
/// Eventarc never sends a malformed envelope, so that is refused. Data that can never be
/// understood is acknowledged and recorded: refused, it would come back until Eventarc gives up.
pub(crate) async fn handle_trigger_written(
    _: ServiceCaller,
    State(state): State<AppState>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<StatusCode, ApiError> {
    let event = CloudEvent::parse(&headers, body)?;
    let failure = match parse_trigger(&event) {
        Ok(None) => return Ok(StatusCode::NO_CONTENT),
        Ok(Some(trigger)) => match start::accept(&state, trigger).await {
            Ok((org_id, execution_id)) => {
                run::advance(&state, &org_id, &execution_id).await?;
                return Ok(StatusCode::NO_CONTENT);
            }
            Err(error) if error.is_transient() || error.is_lost_race() => return Err(error.into()),
            Err(error) => error.to_string(),
        },
        Err(failure) => failure,
    };
    let now = state.clock.now().into();
    give_up(&state.store, &CALLER, &event, failure, now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Handles a task of the queue: goes on with an execution. The idempotency key is the execution's
/// id: a repeat finds nothing left to do, or another worker at it.
///
/// A body that can never be understood is acknowledged and logged: nothing else writes into the
/// queue, and a repeat would not help. An instance that is about to end takes nothing on.
pub(crate) async fn handle_continue(
    _: ServiceCaller,
    State(state): State<AppState>,
    RawBody(body): RawBody,
) -> Result<StatusCode, ApiError> {
    if state.shutdown.has_begun() {
        return Err(ApiError::new(
            Code::Unavailable,
            "this instance is stopping",
        ));
    }
    match serde_json::from_slice::<Continuation>(&body) {
        Ok(task) => run::advance(&state, &task.org_id, &task.execution_id).await?,
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "task dropped: its body cannot be understood");
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Handles the minute's tick of the schedules: fires those that are due and sends what the outbox
/// still holds. Both survive a repeat.
pub(crate) async fn handle_schedule(
    _: ServiceCaller,
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let due_at = headers
        .get(SCHEDULE_TIME)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let due_at = due_at.unwrap_or_else(|| state.clock.now());
    let fired = schedule::fire_due(&state, due_at.into()).await?;
    let sent = sweep::send_outbox(&state).await?;
    Ok(Json(json!({ "fired": fired, "sent": sent })))
}

/// Handles the minute's tick of the sweeper: goes on with due executions and with deletions of
/// accounts, neither of which stops the other. It has a route of its own, because it may take as
/// long as they do, and schedules must not wait for it.
pub(crate) async fn handle_sweep(
    _: ServiceCaller,
    State(state): State<AppState>,
) -> Result<Json<Value>, ApiError> {
    let (resumed, erased) = futures::future::join(
        sweep::resume_due_executions(&state),
        sweep::finish_erasures(&state),
    )
    .await;
    let (resumed, erased) = (resumed?, erased?);
    Ok(Json(json!({ "resumed": resumed, "erased": erased })))
}

/// The trigger of an event; none when the write was no creation.
fn parse_trigger(event: &CloudEvent) -> Result<Option<Trigger>, String> {
    let event = DocumentEvent::parse(event).map_err(|error| error.to_string())?;
    let (Some(value), None) = (event.value, event.old_value) else {
        return Ok(None);
    };
    let document = store::document_from_wire(value).ok_or("the document has no name")?;
    let trigger: Trigger = store::decode(&document).map_err(|error| error.to_string())?;
    if event.path != format!("triggers/{}", trigger.id) {
        return Err("the document is no trigger".to_owned());
    }
    Ok(Some(trigger))
}

impl From<journal::Error> for ApiError {
    fn from(error: journal::Error) -> Self {
        match error {
            journal::Error::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}
