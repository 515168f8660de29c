use axum::{Json as Body, extract::State, routing::post};
use garde::Validate;
use http::Method;
use serde::{Deserialize, Serialize};
use shared::{
    auth::Action,
    http::{Allowed, ApiError, Json, can},
    ids::{IntegrationId, RecordId},
    knowledge::{Hit, MAX_HITS, MAX_QUERY_CHARS},
    models::{KnowledgeKind, Timestamp},
};

use super::{Route, idempotency_key::IdempotencyKey, route};
use crate::{
    AppState,
    knowledge::{self, Wanted},
};

/// Hits, unless told.
const DEFAULT_HITS: u32 = 10;

/// The route to what was synced.
pub(super) const ROUTES: &[Route] = &[route(
    Method::POST,
    "/knowledge/search",
    Action::SearchKnowledge,
    || post(search_knowledge),
)];

/// What is looked for.
#[derive(Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct SearchKnowledgeRequest {
    #[garde(length(chars, min = 1, max = MAX_QUERY_CHARS))]
    query: String,
    #[garde(range(min = 1, max = MAX_HITS))]
    limit: Option<u32>,
    /// Only what was synced through this one.
    integration_id: Option<IntegrationId>,
}

/// What was found, best first.
#[derive(Serialize)]
pub(super) struct SearchKnowledgeResponse {
    hits: Vec<HitResponse>,
}

/// A piece of a mail or file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HitResponse {
    text: String,
    score: f64,
    citation: CitationResponse,
    document_id: RecordId,
}

/// Where a text comes from, for people.
#[derive(Serialize)]
struct CitationResponse {
    source: KnowledgeKind,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<Timestamp>,
}

pub(super) async fn search_knowledge(
    State(state): State<AppState>,
    caller: Allowed<can::SearchKnowledge>,
    IdempotencyKey(key): IdempotencyKey,
    Json(request): Json<SearchKnowledgeRequest>,
) -> Result<Body<SearchKnowledgeResponse>, ApiError> {
    let wanted = Wanted {
        query: request.query,
        limit: request.limit.unwrap_or(DEFAULT_HITS),
        integration_id: request.integration_id,
        key,
    };
    let (store, llm) = (&state.store, state.llm.as_ref());
    let hits = knowledge::search(store, llm, &caller.0, wanted).await?;
    let hits = hits.into_iter().map(HitResponse::from).collect();
    Ok(Body(SearchKnowledgeResponse { hits }))
}

impl From<Hit> for HitResponse {
    fn from(hit: Hit) -> Self {
        Self {
            text: hit.text,
            score: hit.score,
            citation: CitationResponse {
                source: hit.source.kind,
                title: hit.source.title,
                link: hit.source.link,
                date: hit.source.date,
            },
            document_id: hit.document_id,
        }
    }
}
