//! A run as server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::{str::FromStr, time::Duration};

use axum::{
    extract::{FromRequestParts, State},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt, stream};
use http::{HeaderMap, request::Parts};
use serde::Deserialize;
use serde_json::json;
use shared::{
    http::{Allowed, ApiError, Path, Permission, Query, can},
    ids::ExecutionId,
    models::Principal,
};

use super::executions::response::ExecutionSummary;
use crate::{
    AppState,
    conversations::Taken,
    error::Error,
    execution_stream::{self, Sight},
    executions,
};

/// The last line that a client has seen, as its `EventSource` tells when it comes again.
const LAST_EVENT_ID: &str = "Last-Event-ID";
/// Proxies close a connection on which nothing happens.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// When a client comes again after a stream without `end`.
pub(super) const RECONNECT: Duration = Duration::from_secs(1);

/// From where on to show the log.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StreamQuery {
    last_event_id: Option<u32>,
}

pub(super) async fn stream_execution(
    State(state): State<AppState>,
    caller: Allowed<can::ReadExecutions>,
    Path(id): Path<ExecutionId>,
    Query(query): Query<StreamQuery>,
    parts: Parts,
) -> Result<Response, ApiError> {
    // The header is newer: a client that comes again sends the same query.
    let after = last_event_id(&parts.headers)?.or(query.last_event_id);
    let after = after.unwrap_or_default().into();
    executions::find(&state.store, &caller.0, &id).await?;
    let events = watch(state, caller.0, id, after, parts);
    Ok(respond(events))
}

/// The run in which an agent answers, after an event that tells where it is.
pub(super) fn talk(state: AppState, principal: Principal, taken: Taken, parts: Parts) -> Response {
    let begins = Event::default().event("session").json_data(&taken);
    let events = watch(state, principal, taken.execution_id, 0, parts);
    respond(stream::iter([begins]).chain(events))
}

fn watch(
    state: AppState,
    principal: Principal,
    id: ExecutionId,
    after: i64,
    parts: Parts,
) -> impl Stream<Item = Result<Event, axum::Error>> + Send + 'static {
    let (store, watcher) = (state.store.clone(), principal.clone());
    let may_watch =
        move || may_watch::<can::ReadExecutions>(state.clone(), parts.clone(), watcher.clone());
    let sights = execution_stream::watch(store, principal, id, after, may_watch);
    until_failure(sights).map(event)
}

/// The answer, which a client that was cut off asks for again.
pub(super) fn respond(
    events: impl Stream<Item = Result<Event, axum::Error>> + Send + 'static,
) -> Response {
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    Sse::new(events).keep_alive(keep_alive).into_response()
}

/// `EventSource` sends what the last `id` was.
pub(super) fn last_event_id<T: FromStr>(headers: &HeaderMap) -> Result<Option<T>, ApiError> {
    let values: Vec<_> = headers.get_all(LAST_EVENT_ID).iter().collect();
    let id = match values.as_slice() {
        [] => return Ok(None),
        [value] => value.to_str().ok().and_then(|text| text.parse().ok()),
        _ => None,
    };
    match id {
        Some(id) => Ok(Some(id)),
        None => Err(ApiError::invalid_field(
            LAST_EVENT_ID,
            "must be the `id` of an event",
        )),
    }
}

/// The whole of what let the caller in, once more: token, session, membership and role.
pub(super) async fn may_watch<P: Permission>(
    state: AppState,
    mut parts: Parts,
    watcher: Principal,
) -> bool {
    let caller = Allowed::<P>::from_request_parts(&mut parts, &state).await;
    caller.is_ok_and(|caller| caller.0.org_id == watcher.org_id)
}

/// What failed is told to nobody but the log: the client comes again and goes on where it was.
pub(super) fn until_failure<T: Send>(
    sights: impl Stream<Item = Result<T, Error>> + Send,
) -> impl Stream<Item = T> + Send {
    let report = |error: &Error| {
        let error = error as &dyn std::error::Error;
        tracing::error!(error, "stream cut off");
    };
    sights
        .map(move |sight| sight.inspect_err(report).ok())
        .take_while(|sight| std::future::ready(sight.is_some()))
        .flat_map(stream::iter)
}

/// Only lines have an id, so that `Last-Event-ID` is always the number of one.
fn event(sight: Sight) -> Result<Event, axum::Error> {
    match sight {
        Sight::Status(run) => Event::default()
            .event("status")
            .retry(RECONNECT)
            .json_data(ExecutionSummary::from(*run)),
        Sight::Line(line) => Event::default()
            .id(line.seq.to_string())
            .event("log")
            .json_data(line),
        Sight::Draft(piece) => Event::default().event("delta").json_data(piece),
        Sight::Answer(answer) => Event::default().event("message").json_data(answer.0),
        Sight::End(status) => Event::default()
            .event("end")
            .json_data(json!({ "status": status })),
    }
}
