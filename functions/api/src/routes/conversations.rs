//! Talking with agents.

use axum::{
    Json as Body,
    extract::State,
    response::Response,
    routing::{delete, get, post},
};
use garde::Validate;
use http::{HeaderMap, Method, StatusCode, header::ACCEPT, request::Parts};
use serde::{Deserialize, Serialize};
use shared::{
    auth::Action,
    http::{Allowed, ApiError, Json, Path, Query, can},
    ids::{AgentId, ExecutionId, RecordId},
    models::{ChatMessage, ChatRole, Session, Timestamp},
};

use super::{
    Route,
    answer::{ListResponse, made},
    idempotency_key::IdempotencyKey,
    route, stream,
};
use crate::{
    AppState,
    conversations::{self, Message},
    idempotency::Once,
    page,
};

/// The routes of conversations.
pub(super) const ROUTES: &[Route] = &[
    route(
        Method::POST,
        "/agents/{id}/messages",
        Action::TalkToAgents,
        || post(create_message),
    ),
    route(
        Method::GET,
        "/agents/{id}/sessions",
        Action::TalkToAgents,
        || get(list_sessions),
    ),
    route(
        Method::GET,
        "/agents/{id}/sessions/{sessionId}/messages",
        Action::TalkToAgents,
        || get(list_messages),
    ),
    route(
        Method::DELETE,
        "/agents/{id}/sessions/{sessionId}",
        Action::TalkToAgents,
        || delete(delete_session),
    ),
];

const SAY: &str = "agents.messages";

/// What is said to an agent.
#[derive(Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct CreateMessageRequest {
    #[garde(length(chars, min = 1, max = 32_000))]
    text: String,
    /// The conversation; a new one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_id: Option<RecordId>,
}

/// Which conversations to list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListSessionsQuery {
    limit: Option<u32>,
    page_token: Option<String>,
}

/// Which messages to list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListMessagesQuery {
    after: Option<u32>,
    limit: Option<u32>,
}

/// A conversation of the caller's.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionResponse {
    id: RecordId,
    agent_id: AgentId,
    last_seq: i64,
    /// Until when what was said is approved for training, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_for_training: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Messages in order; `after` of the next request is the last `seq`.
#[derive(Serialize)]
pub(super) struct MessagesResponse {
    items: Vec<MessageResponse>,
}

/// One message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageResponse {
    seq: i64,
    role: ChatRole,
    text: String,
    /// What the agent has done in its turn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    done: Vec<String>,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    execution_id: ExecutionId,
    created_at: Timestamp,
}

/// Answers where the agent's answer will be, or shows it as it comes to a client that accepts
/// `text/event-stream`.
pub(super) async fn create_message(
    State(state): State<AppState>,
    caller: Allowed<can::TalkToAgents>,
    Path(agent_id): Path<AgentId>,
    IdempotencyKey(key): IdempotencyKey,
    parts: Parts,
    Json(request): Json<CreateMessageRequest>,
) -> Result<Response, ApiError> {
    let (principal, now) = (&caller.0, state.now());
    let endpoint = format!("{SAY}/{agent_id}");
    let once = Once::new(&endpoint, principal, key.as_deref(), &request, now)?;
    let message = Message {
        agent_id: &agent_id,
        session_id: request.session_id.as_ref(),
        text: &request.text,
    };
    let done = conversations::say(&state.store, principal, &once, &message, now).await?;
    if accepts_events(&parts.headers) {
        return Ok(stream::talk(state, caller.0, done.value, parts));
    }
    let path = format!("/executions/{}", done.value.execution_id);
    made(StatusCode::ACCEPTED, &path, &done)
}

pub(super) async fn list_sessions(
    State(state): State<AppState>,
    caller: Allowed<can::TalkToAgents>,
    Path(agent_id): Path<AgentId>,
    Query(query): Query<ListSessionsQuery>,
) -> Result<Body<ListResponse<SessionResponse>>, ApiError> {
    let page = page::parse("sessions", query.limit, query.page_token.as_deref())?;
    let listing = conversations::list(&state.store, &caller.0, &agent_id, &page).await?;
    let listing = shared::store::Listing {
        items: listing.items.into_iter().map(Into::into).collect(),
        next: listing.next,
    };
    Ok(Body(ListResponse::new("sessions", listing)))
}

pub(super) async fn list_messages(
    State(state): State<AppState>,
    caller: Allowed<can::TalkToAgents>,
    Path((agent_id, id)): Path<(AgentId, RecordId)>,
    Query(query): Query<ListMessagesQuery>,
) -> Result<Body<MessagesResponse>, ApiError> {
    let limit = page::parse("messages", query.limit, None)?.limit;
    let (store, after) = (&state.store, query.after.unwrap_or(0).into());
    let place = (&agent_id, &id);
    let messages = conversations::list_messages(store, &caller.0, place, after, limit).await?;
    Ok(Body(MessagesResponse {
        items: messages.into_iter().map(Into::into).collect(),
    }))
}

pub(super) async fn delete_session(
    State(state): State<AppState>,
    caller: Allowed<can::TalkToAgents>,
    Path((agent_id, id)): Path<(AgentId, RecordId)>,
) -> Result<StatusCode, ApiError> {
    let (store, trail, now) = (&state.store, &state.trail, state.now());
    conversations::delete(store, trail, &caller.0, (&agent_id, &id), now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether the client names `text/event-stream` among what it accepts
/// (<https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1>).
fn accepts_events(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter();
    let mut ranges = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    ranges.any(|range| {
        let media_type = range.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("text/event-stream")
    })
}

impl From<Session> for SessionResponse {
    fn from(session: Session) -> Self {
        Self {
            id: session.id,
            agent_id: session.agent_id,
            last_seq: session.last_seq,
            approved_for_training: session.approved_for_training,
            created_at: session.created_at,
            updated_at: session.updated_at,
        }
    }
}

impl From<ChatMessage> for MessageResponse {
    fn from(message: ChatMessage) -> Self {
        Self {
            seq: message.seq,
            role: message.role,
            text: message.content,
            done: message.done,
            failure: message.failure,
            execution_id: message.execution_id,
            created_at: message.created_at,
        }
    }
}
