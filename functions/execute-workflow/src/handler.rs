use axum::{Json, extract::State};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use shared::{
    events::{CloudEvent, DocumentEvent},
    http::{ApiError, Code, RawBody, ServiceCaller, give_up},
    models::{Trigger, Wakeup},
    queue::Continuation,
    retry::Transient,
    store,
    telemetry::fail,
};
use tracing::Instrument;

use crate::{
    AppState, CALLER,
    fault_points::{Flaw, KillPoint, is_broken, reach},
    journal, publish,
    run::{self, Advance},
    schedule,
    start::{self, Accepted},
    sweep, trace, tuning, wake,
};

/// The time that a Cloud Scheduler job was due
/// (<https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs#httptarget>).
const SCHEDULE_TIME: &str = "x-cloudscheduler-scheduletime";

/// Handles a write on `triggers/{id}` or `wakeups/{id}`. The idempotency key of a trigger is its id,
/// which is also the execution's: repeats find the execution and go on with it or leave it alone. A
/// wakeup that comes again finds its execution awake.
///
/// Eventarc never sends a malformed envelope, so that is refused. Data that can never be
/// understood is acknowledged and recorded: refused, it would come back until Eventarc gives up.
pub(crate) async fn handle_document_written(
    _: ServiceCaller,
    State(state): State<AppState>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<StatusCode, ApiError> {
    let event = CloudEvent::parse(&headers, body)?;
    let failure = match parse(&event) {
        Ok(Subject::Nothing) => return Ok(StatusCode::NO_CONTENT),
        Ok(Subject::Wakeup(wakeup)) => return wake_up(&state, &wakeup).await,
        Ok(Subject::Trigger(trigger)) => match begin_traced(&state, &trigger).await {
            Ok(()) => return Ok(StatusCode::NO_CONTENT),
            Err(error) if !is_for_good(&error) => return Err(error.into()),
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
        Ok(task) => {
            state.calibrate().await?;
            let advance = run::advance(&state, &task.org_id, &task.execution_id, true).await?;
            return acknowledge(advance);
        }
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "task dropped: its body cannot be understood");
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Handles the minute's tick of the schedules: fires those that are due and sends what the outbox
/// still holds, neither of which stops the other. Both survive a repeat.
pub(crate) async fn handle_schedule(
    _: ServiceCaller,
    State(state): State<AppState>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    state.calibrate().await?;
    let due_at = headers
        .get(SCHEDULE_TIME)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let due_at = due_at.unwrap_or_else(|| state.clock.now());
    let (fired, sent) = futures::join!(
        schedule::fire_due(&state, due_at.into()),
        sweep::send_outbox(&state),
    );
    let (fired, sent) = (fired?, sent?);
    Ok(Json(json!({ "fired": fired, "sent": sent })))
}

/// Handles the minute's tick of the sweeper: goes on with due executions, with deletions of accounts,
/// with the count of what models were used and with models in the making, none of which stops
/// another. It has a route of its own, because it may take as long as they do, and schedules must
/// not wait for it.
pub(crate) async fn handle_sweep(
    _: ServiceCaller,
    State(state): State<AppState>,
) -> Result<Json<Value>, ApiError> {
    state.calibrate().await?;
    let (resumed, woken, erased, cleared, tuned) = futures::join!(
        sweep::resume_due_executions(&state),
        sweep::handle_missed_wakeups(&state),
        sweep::finish_erasures(&state),
        sweep::clear_usage(&state),
        tuning::advance_due(&state),
    );
    let (resumed, woken, erased) = (resumed?, woken?, erased?);
    Ok(Json(json!({
        "resumed": resumed,
        "woken": woken,
        "erased": erased,
        "cleared": cleared?,
        "tuned": tuned?,
    })))
}

/// What an event is about.
enum Subject {
    Trigger(Box<Trigger>),
    Wakeup(Wakeup),
    /// A write that starts nothing: a change of a trigger, or a deletion.
    Nothing,
}

fn parse(event: &CloudEvent) -> Result<Subject, String> {
    let event = DocumentEvent::parse(event).map_err(|error| error.to_string())?;
    let Some(value) = event.value else {
        return Ok(Subject::Nothing);
    };
    let is_new = event.old_value.is_none();
    let document = store::document_from_wire(value).ok_or("the document has no name")?;
    match event.path.split_once('/') {
        Some(("triggers", id)) if is_new => {
            let trigger: Trigger = store::decode(&document).map_err(|error| error.to_string())?;
            let is_there = trigger.id.as_str() == id;
            is_there
                .then(|| Subject::Trigger(Box::new(trigger)))
                .ok_or_else(|| "the document is no trigger".to_owned())
        }
        Some(("wakeups", id)) => {
            let wakeup: Wakeup = store::decode(&document).map_err(|error| error.to_string())?;
            let is_there = wakeup.id.as_str() == id;
            is_there
                .then_some(Subject::Wakeup(wakeup))
                .ok_or_else(|| "the document is no wakeup".to_owned())
        }
        Some(("triggers", _)) => Ok(Subject::Nothing),
        _ => Err("the document is no trigger".to_owned()),
    }
}

/// In the trace of what has recorded the trigger.
async fn begin_traced(state: &AppState, trigger: &Trigger) -> Result<(), journal::Error> {
    let span = trace::of_trigger(trigger);
    let begun = begin(state, trigger).instrument(span.clone()).await;
    if begun.is_err() {
        fail(&span, "not_begun");
    }
    begun
}

/// Makes the trigger's execution, and goes on with it as far as one request can.
async fn begin(state: &AppState, trigger: &Trigger) -> Result<(), journal::Error> {
    let accepted = async {
        state.calibrate().await?;
        start::accept(state, trigger).await
    };
    let accepted = match accepted.await {
        // A flaw of the fault tests: the event is acknowledged although nothing is durable.
        Err(_) if is_broken(Flaw::AckFirst) => return Ok(()),
        accepted => accepted.map_err(journal::Error::Store)?,
    };
    reach(KillPoint::BeforeClaim);
    match accepted {
        Accepted::Held(journal, graph) => run::drive(state, *journal, Some(graph)).await,
        Accepted::Made(execution) if execution.resume_at.is_some() => {
            publish::follow_up(state, &execution).await;
            Ok(())
        }
        Accepted::Made(_) | Accepted::Known => {
            let (org_id, id) = (&trigger.org_id, trigger.id.clone().into());
            run::advance(state, org_id, &id, false).await.map(|_| ())
        }
    }
}

async fn wake_up(state: &AppState, wakeup: &Wakeup) -> Result<StatusCode, ApiError> {
    state.calibrate().await?;
    acknowledge(wake::handle(state, wakeup).await?)
}

/// What finds another worker at the execution comes again: that one may have looked too early.
fn acknowledge(advance: Advance) -> Result<StatusCode, ApiError> {
    match advance {
        Advance::Done => Ok(StatusCode::NO_CONTENT),
        Advance::Busy => {
            let message = "another worker is at the execution";
            Err(ApiError::new(Code::Unavailable, message))
        }
    }
}

/// Whether delivering the event again cannot help.
fn is_for_good(error: &journal::Error) -> bool {
    match error {
        journal::Error::Store(error) => !error.is_transient() && !error.is_lost_race(),
        journal::Error::Superseded => false,
    }
}

impl From<journal::Error> for ApiError {
    fn from(error: journal::Error) -> Self {
        match error {
            journal::Error::Store(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}
