//! `knowledge`: finds what was synced, as far as the person for whom the run is may find it.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::{
    auth::{Action, is_allowed},
    graph::KnowledgeData,
    ids::{AgentId, RecordId, fingerprint},
    inputs::Bindings,
    knowledge::{self, Hit, MAX_HITS, Search, principals_of},
    models::{KnowledgeKind, Timestamp},
    quota,
};

use super::{
    Call, Effect, Failure, Outcome, Prepared, Stop,
    approval::{self, Root},
    llm,
};
use crate::AppState;

/// Hits, unless told.
const DEFAULT_HITS: u32 = 10;

const _: () = assert!(KnowledgeData::MAX_HITS == MAX_HITS);

/// A search with its expressions resolved.
pub(super) struct Lookup {
    pub(super) agent_id: Option<AgentId>,
    pub(super) query: String,
    pub(super) limit: u32,
}

/// What a search has come to, as the journal keeps it.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) hits: Vec<FoundText>,
}

/// A piece of a mail or file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FoundText {
    pub(super) text: String,
    score: f64,
    pub(super) citation: Citation,
    pub(super) document_id: RecordId,
}

/// Where a text comes from, for people.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Citation {
    pub(super) source: KnowledgeKind,
    pub(super) title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) date: Option<Timestamp>,
}

pub(super) fn prepare(data: &KnowledgeData, bindings: &Bindings) -> Result<Prepared, Failure> {
    let limit = data.limit.as_ref().map(|limit| limit.render(bindings));
    let limit = match limit.transpose()? {
        None | Some(Value::Null) => DEFAULT_HITS,
        Some(limit) => KnowledgeData::hits(&limit).ok_or_else(|| {
            let message = "`limit`: must be a whole number from 1 to 20";
            Failure::permanent("invalid_argument", message)
        })?,
    };
    Ok(Prepared::Effect(Box::new(Lookup {
        agent_id: None,
        query: data.query.render_text(bindings)?,
        limit,
    })))
}

#[async_trait]
impl Effect for Lookup {
    fn request_hash(&self) -> String {
        fingerprint(&["knowledge", &self.query])
    }

    /// Nothing happens that has not: a repeat finds what there is then, and its query is paid once.
    async fn perform(&self, state: &AppState, call: &Call) -> Result<Outcome, Stop> {
        let (store, org_id) = (&state.store, &call.execution.org_id);
        let allowed = quota::allows_knowledge(store, org_id).await;
        if !allowed.map_err(llm::to_stop)? {
            let message = "searching knowledge needs the pro tier";
            return Err(Failure::permanent("failed_precondition", message).into());
        }
        let search = Search {
            principals: principals(state, call).await?,
            query: self.query.clone(),
            limit: self.limit,
            integration_id: None,
        };
        let key = &call.idempotency_key;
        let request = knowledge::to_embed(store, org_id, &search, key).await;
        let Some(request) = request.map_err(to_stop)? else {
            return to_outcome(Vec::new());
        };
        let model = request.model.clone();
        let placed = llm::embed(state, call, self.agent_id.as_ref(), request).await?;
        let found = knowledge::find(store, org_id, &search, &model, placed.vector).await;
        let used = placed.used;
        let hits = found.map_err(|error| match to_stop(error) {
            Stop::Failed(failure) => failure.having_used(used.tokens, used.cost_micro_usd).into(),
            stop => stop,
        })?;
        Ok(Outcome {
            tokens: used.tokens,
            cost_micro_usd: used.cost_micro_usd,
            ..to_outcome(hits)?
        })
    }
}

/// For whom the run searches: everybody, and the person who has started it or whose mail has. The
/// run may last for days: who may not search any more when it happens, for that person nothing is
/// found.
async fn principals(state: &AppState, call: &Call) -> Result<Vec<String>, Stop> {
    let execution = &call.execution;
    match approval::root(state, execution).await? {
        Some(Root { uid: Some(uid), .. }) => {
            let member = state.store.find_member(&execution.org_id, &uid).await?;
            let may_search = member.is_some_and(|member| {
                let user = member.value;
                !user.disabled && is_allowed(user.role, Action::SearchKnowledge)
            });
            if may_search {
                return Ok(principals_of(Some(&uid)));
            }
        }
        Some(Root { uid: None, kind }) if !kind.is_of_a_person() => return Ok(principals_of(None)),
        _ => {}
    }
    let message = "whoever started the run may not search any more";
    Err(Failure::permanent("permission_denied", message).into())
}

fn to_outcome(hits: Vec<Hit>) -> Result<Outcome, Stop> {
    let hits = hits.into_iter().map(FoundText::from).collect();
    let output = serde_json::to_value(Found { hits });
    let output = output.map_err(|error| Failure::permanent("internal", error.to_string()))?;
    Ok(Outcome::of(output))
}

fn to_stop(error: knowledge::Error) -> Stop {
    match error {
        // The index of the vectors is not there, or not yet.
        knowledge::Error::Store(error @ shared::store::Error::Rejected(_)) => {
            let source = &error as &dyn std::error::Error;
            tracing::error!(error = source, "knowledge cannot be searched");
            Failure::permanent("failed_precondition", error.to_string()).into()
        }
        knowledge::Error::Store(error) => Stop::Database(error),
        knowledge::Error::Quota(error) => llm::to_stop(error),
        error @ knowledge::Error::Dimension => {
            Failure::permanent("failed_precondition", error.to_string()).into()
        }
    }
}

impl From<Hit> for FoundText {
    fn from(hit: Hit) -> Self {
        Self {
            text: hit.text,
            score: hit.score,
            citation: Citation {
                source: hit.source.kind,
                title: hit.source.title,
                link: hit.source.link,
                date: hit.source.date,
            },
            document_id: hit.document_id,
        }
    }
}
