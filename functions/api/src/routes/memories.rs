use axum::{
    Json as Body,
    extract::State,
    response::Response,
    routing::{delete, get},
};
use futures::TryStreamExt;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use shared::{
    auth::Action,
    http::{Allowed, ApiError, Path, Query, can},
    ids::{AgentId, ExecutionId, RecordId, Uid},
    models::{Memory, Timestamp},
    store::Listing,
};

use super::{Route, answer::ListResponse, lines, route};
use crate::{
    AppState,
    memories::{self, Deleted},
    page,
};

/// The routes to what agents remember.
pub(super) const ROUTES: &[Route] = &[
    route(
        Method::GET,
        "/agents/{id}/memories",
        Action::ReadMemories,
        || get(list_memories),
    ),
    route(
        Method::GET,
        "/agents/{id}/memories/export",
        Action::ReadMemories,
        || get(export_memories),
    ),
    route(
        Method::DELETE,
        "/agents/{id}/memories",
        Action::DeleteMemories,
        || delete(delete_memories),
    ),
    route(
        Method::DELETE,
        "/agents/{id}/memories/{memoryId}",
        Action::DeleteMemories,
        || delete(delete_memory),
    ),
];

/// Which memories to list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ListMemoriesQuery {
    limit: Option<u32>,
    page_token: Option<String>,
}

/// One memory, without its vector.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MemoryResponse {
    id: RecordId,
    agent_id: AgentId,
    text: String,
    /// The user with whom alone the agent remembers it; anybody when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_uid: Option<Uid>,
    /// The execution in which it was learnt.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<ExecutionId>,
    created_at: Timestamp,
}

pub(super) async fn list_memories(
    State(state): State<AppState>,
    caller: Allowed<can::ReadMemories>,
    Path(id): Path<AgentId>,
    Query(query): Query<ListMemoriesQuery>,
) -> Result<Body<ListResponse<MemoryResponse>>, ApiError> {
    let page = page::parse_by_time("memories", query.limit, query.page_token.as_deref())?;
    let listing = memories::list(&state.store, &caller.0, &id, &page).await?;
    let listing = Listing {
        items: to_responses(listing.items),
        next: listing.next,
    };
    Ok(Body(ListResponse::new("memories", listing)))
}

pub(super) async fn export_memories(
    State(state): State<AppState>,
    caller: Allowed<can::ReadMemories>,
    Path(id): Path<AgentId>,
) -> Result<Response, ApiError> {
    let (store, trail) = (&state.store, &state.trail);
    let kept = memories::export(store, trail, &caller.0, &id, state.now()).await?;
    Ok(lines::respond("memories.jsonl", kept.map_ok(to_responses)))
}

pub(super) async fn delete_memory(
    State(state): State<AppState>,
    caller: Allowed<can::DeleteMemories>,
    Path((agent_id, id)): Path<(AgentId, RecordId)>,
) -> Result<StatusCode, ApiError> {
    let (store, trail) = (&state.store, &state.trail);
    memories::delete(store, trail, &caller.0, &agent_id, &id, state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete_memories(
    State(state): State<AppState>,
    caller: Allowed<can::DeleteMemories>,
    Path(id): Path<AgentId>,
) -> Result<Body<Deleted>, ApiError> {
    let (store, trail) = (&state.store, &state.trail);
    let deleted = memories::delete_all(store, trail, &caller.0, &id, state.now()).await?;
    Ok(Body(deleted))
}

fn to_responses(memories: Vec<Memory>) -> Vec<MemoryResponse> {
    memories.into_iter().map(MemoryResponse::from).collect()
}

impl From<Memory> for MemoryResponse {
    fn from(memory: Memory) -> Self {
        Self {
            id: memory.id,
            agent_id: memory.agent_id,
            text: memory.text,
            subject_uid: memory.subject_uid,
            source: memory.source,
            created_at: memory.created_at,
        }
    }
}
