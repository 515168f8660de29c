//! Agents that speak.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
    routing::post,
};
use garde::Validate;
use http::{
    Method,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Deserialize;
use shared::{
    auth::Action,
    http::{Allowed, ApiError, Code, Json, Path, can},
    ids::AgentId,
};

use super::{Route, route};
use crate::{AppState, speech};

/// Where it is, below [`PREFIX`](super::PREFIX).
pub(crate) const PATH: &str = "/agents/{id}/speech";

pub(super) const ROUTES: &[Route] = &[route(Method::POST, PATH, Action::TalkToAgents, || {
    post(create_speech)
})];

/// What is to be spoken.
#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct CreateSpeechRequest {
    text: String,
}

/// Answers the whole audio at once.
pub(super) async fn create_speech(
    State(state): State<AppState>,
    caller: Allowed<can::TalkToAgents>,
    Path(agent_id): Path<AgentId>,
    Json(request): Json<CreateSpeechRequest>,
) -> Result<Response, ApiError> {
    let Ok(_place) = state.speeches.try_acquire() else {
        let message = "too much is being spoken at once, try again";
        return Err(ApiError::new(Code::Unavailable, message));
    };
    let (store, llm, text) = (&state.store, state.llm.as_ref(), request.text);
    let audio = speech::speak(store, llm, &caller.0, &agent_id, text).await?;
    let headers = [
        (CONTENT_TYPE, audio.media_type),
        (CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, audio.bytes).into_response())
}
