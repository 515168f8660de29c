//! What models learn from, and models that are made from it.

use axum::{
    Json as Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use garde::Validate;
use http::{
    Method, StatusCode,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE},
};
use serde::{Deserialize, Serialize};
use shared::{
    auth::Action,
    http::{Allowed, ApiError, Json, Path, Query, can},
    ids::{AgentId, RecordId},
    models::{LastError, Timestamp, Tuning, TuningState},
    store::Listing,
};

use super::{
    Route,
    answer::{ListResponse, made},
    idempotency_key::IdempotencyKey,
    route,
};
use crate::{
    AppState, conversations,
    idempotency::Once,
    page,
    tunings::{self, Order},
};

const CREATE: &str = "agents.tunings";

/// <https://jsonlines.org>; OpenAI takes a file by its extension.
const MEDIA_TYPE: &str = "application/jsonl";

/// Where they are.
pub(super) const ROUTES: &[Route] = &[
    route(
        Method::PUT,
        "/agents/{id}/sessions/{sessionId}/approval",
        Action::TalkToAgents,
        || put(approve_session),
    ),
    route(
        Method::DELETE,
        "/agents/{id}/sessions/{sessionId}/approval",
        Action::TalkToAgents,
        || delete(withdraw_session),
    ),
    route(
        Method::GET,
        "/agents/{id}/dataset",
        Action::TrainAgents,
        || get(export_dataset),
    ),
    route(
        Method::GET,
        "/agents/{id}/tunings",
        Action::TrainAgents,
        || get(list_tunings),
    ),
    route(
        Method::POST,
        "/agents/{id}/tunings",
        Action::TrainAgents,
        || post(create_tuning),
    ),
    route(
        Method::GET,
        "/agents/{id}/tunings/{tuningId}",
        Action::TrainAgents,
        || get(get_tuning),
    ),
    route(
        Method::POST,
        "/agents/{id}/tunings/{tuningId}/cancel",
        Action::TrainAgents,
        || post(cancel_tuning),
    ),
];

/// What a tuning is to be.
#[derive(Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateTuningRequest {
    #[garde(length(chars, min = 1, max = 100))]
    base_model: String,
    /// How often the model sees each example.
    #[serde(default = "default_epochs")]
    #[garde(range(min = 1, max = 10))]
    epochs: i64,
}

/// Which tunings to list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListTuningsQuery {
    limit: Option<u32>,
    page_token: Option<String>,
}

/// How a tuning is doing.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TuningResponse {
    id: RecordId,
    agent_id: AgentId,
    base_model: String,
    epochs: i64,
    state: TuningState,
    is_cancelling: bool,
    examples: i64,
    /// The most that it may cost until it has ended, and what it has cost then.
    cost_micro_usd: i64,
    trained_tokens: Option<i64>,
    tuned_model: Option<String>,
    error: Option<LastError>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

async fn approve_session(
    State(state): State<AppState>,
    caller: Allowed<can::TalkToAgents>,
    Path((agent_id, id)): Path<(AgentId, RecordId)>,
) -> Result<StatusCode, ApiError> {
    let (store, trail, now) = (&state.store, &state.trail, state.now());
    conversations::approve(store, trail, &caller.0, (&agent_id, &id), true, now).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn withdraw_session(
    State(state): State<AppState>,
    caller: Allowed<can::TalkToAgents>,
    Path((agent_id, id)): Path<(AgentId, RecordId)>,
) -> Result<StatusCode, ApiError> {
    let (store, trail, now) = (&state.store, &state.trail, state.now());
    conversations::approve(store, trail, &caller.0, (&agent_id, &id), false, now).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn export_dataset(
    State(state): State<AppState>,
    caller: Allowed<can::TrainAgents>,
    Path(agent_id): Path<AgentId>,
) -> Result<Response, ApiError> {
    let (store, trail, now) = (&state.store, &state.trail, state.now());
    let lines = tunings::export(store, trail, &caller.0, &agent_id, now).await?;
    let headers = [
        (CONTENT_TYPE, MEDIA_TYPE),
        (
            CONTENT_DISPOSITION,
            "attachment; filename=\"dataset.jsonl\"",
        ),
    ];
    Ok((headers, lines).into_response())
}

async fn create_tuning(
    State(state): State<AppState>,
    caller: Allowed<can::TrainAgents>,
    Path(agent_id): Path<AgentId>,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<CreateTuningRequest>,
) -> Result<Response, ApiError> {
    let (principal, now) = (&caller.0, state.now());
    let endpoint = format!("{CREATE}/{agent_id}");
    let once = Once::new(&endpoint, principal, key.as_deref(), &request, now)?;
    let order = Order {
        agent_id: &agent_id,
        base_model: &request.base_model,
        epochs: request.epochs,
    };
    let (store, llm) = (&state.store, state.llm.as_ref());
    let done = tunings::start((store, llm), &state.trail, principal, &once, &order, now).await?;
    let path = format!("/agents/{agent_id}/tunings/{}", done.value.id);
    made(StatusCode::ACCEPTED, &path, &done.map(TuningResponse::from))
}

async fn list_tunings(
    State(state): State<AppState>,
    caller: Allowed<can::TrainAgents>,
    Path(agent_id): Path<AgentId>,
    Query(query): Query<ListTuningsQuery>,
) -> Result<Body<ListResponse<TuningResponse>>, ApiError> {
    let page = page::parse("tunings", query.limit, query.page_token.as_deref())?;
    let listing = tunings::list(&state.store, &caller.0, &agent_id, &page).await?;
    let listing = Listing {
        items: listing.items.into_iter().map(Into::into).collect(),
        next: listing.next,
    };
    Ok(Body(ListResponse::new("tunings", listing)))
}

async fn get_tuning(
    State(state): State<AppState>,
    caller: Allowed<can::TrainAgents>,
    Path((agent_id, id)): Path<(AgentId, RecordId)>,
) -> Result<Body<TuningResponse>, ApiError> {
    let tuning = tunings::find(&state.store, &caller.0, (&agent_id, &id)).await?;
    Ok(Body(tuning.value.into()))
}

async fn cancel_tuning(
    State(state): State<AppState>,
    caller: Allowed<can::TrainAgents>,
    Path((agent_id, id)): Path<(AgentId, RecordId)>,
) -> Result<Body<TuningResponse>, ApiError> {
    let (store, trail, now) = (&state.store, &state.trail, state.now());
    let tuning = tunings::cancel(store, trail, &caller.0, (&agent_id, &id), now).await?;
    Ok(Body(tuning.into()))
}

fn default_epochs() -> i64 {
    3
}

impl From<Tuning> for TuningResponse {
    fn from(tuning: Tuning) -> Self {
        Self {
            id: tuning.id,
            agent_id: tuning.agent_id,
            base_model: tuning.base_model,
            epochs: tuning.epochs,
            state: tuning.state,
            is_cancelling: tuning.is_cancelling,
            examples: tuning.examples,
            cost_micro_usd: tuning.cost_micro_usd,
            trained_tokens: tuning.trained_tokens,
            tuned_model: tuning.tuned_model,
            error: tuning.error,
            created_at: tuning.created_at,
            updated_at: tuning.updated_at,
        }
    }
}
