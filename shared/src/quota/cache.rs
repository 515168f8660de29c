//! Answers that are kept for the same question, where a route says so.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, Call, routing::Way};
use crate::{
    ids::{OrgId, RecordId},
    llm::{ChatResponse, FinishReason, OutputFormat, ToolCall, Usage},
    models::{CachedAnswer, Timestamp},
    store::{Store, llm_cache},
};

/// Raised when answers that were kept before must not be given any more, or cannot be read.
const VERSION: &str = "1";

/// Longest answer that is kept, in bytes; a document has 1 MiB
/// (<https://firebase.google.com/docs/firestore/quotas>).
const MAX_BYTES: usize = 256 * 1024;

/// Where the answer of a call is kept.
pub(super) struct Place {
    org_id: OrgId,
    id: RecordId,
    ttl_secs: u32,
    /// What an answer has to look like to be kept.
    output: OutputFormat,
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    content: String,
    tool_calls: Vec<KeptCall>,
    model: String,
    input_tokens: i64,
    output_tokens: i64,
}

#[derive(Serialize, Deserialize)]
struct KeptCall {
    id: String,
    name: String,
    arguments: String,
    signature: Option<String>,
}

impl Place {
    /// Where the answer of a call is kept, if it may be. The route is a part of its name, so that
    /// nothing is left of what another one has answered.
    pub(super) fn of(call: &Call, way: &Way) -> Option<Self> {
        let cache = way.cache?;
        let is_repeatable = call.request.temperature == Some(0.0);
        if !is_repeatable && !cache.any_temperature {
            return None;
        }
        let mut request = call.request.clone();
        request.idempotency_key.clear();
        // All that a request is, by its derived `Debug`.
        let (request, route) = (format!("{request:?}"), format!("{:?}", way.route));
        let org_id = call.org_id.clone();
        let parts = ["llm_cache", VERSION, org_id.as_str(), &route, &request];
        Some(Self {
            id: RecordId::derive(&parts),
            ttl_secs: cache.ttl_secs,
            output: call.request.output.clone(),
            org_id,
        })
    }

    /// The answer that is kept. What cannot be read is none: the model is asked instead.
    pub(super) async fn find(&self, store: &Store, now: Timestamp) -> Option<Answer> {
        let found = store.find_cached_answer(&self.org_id, &self.id).await;
        let found = found.unwrap_or_else(|error| {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(org.id = %self.org_id, error, "kept answers cannot be read");
            None
        });
        // Firestore deletes what has expired within a day
        // (https://firebase.google.com/docs/firestore/ttl).
        let found = found.filter(|found| found.expires_at > now)?;
        let kept = serde_json::from_str::<Kept>(&found.answer).ok()?;
        Some(Answer {
            response: kept.into(),
            cost_micro_usd: 0,
            is_cached: true,
        })
    }

    /// Keeps an answer that is complete, not too long, and in the format asked for. The caller has its answer whether or not
    /// that works.
    pub(super) async fn keep(&self, store: &Store, response: &ChatResponse, now: Timestamp) {
        let is_complete = match response.finish_reason {
            FinishReason::Stop => has_format(&self.output, &response.content),
            FinishReason::ToolCalls => true,
            FinishReason::Length | FinishReason::ContentFilter | FinishReason::Other => false,
        };
        let answer = serde_json::to_string(&Kept::of(response)).unwrap_or_default();
        if !is_complete || answer.is_empty() || answer.len() > MAX_BYTES {
            return;
        }
        let cached = CachedAnswer {
            id: self.id.clone(),
            org_id: self.org_id.clone(),
            answer,
            created_at: now,
            expires_at: now.plus_seconds(self.ttl_secs.into()),
        };
        let kept = async { store.commit(vec![llm_cache::set(&cached)?]).await };
        if let Err(error) = kept.await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(org.id = %self.org_id, error, "an answer is not kept");
        }
    }
}

/// Whether an answer is in JSON if it has to be. Whether it fits a schema is for whoever asks.
fn has_format(output: &OutputFormat, content: &str) -> bool {
    let value = || serde_json::from_str::<Value>(content);
    match output {
        OutputFormat::Text => true,
        OutputFormat::JsonObject => value().is_ok_and(|value| value.is_object()),
        OutputFormat::JsonSchema { .. } => value().is_ok(),
    }
}

impl Kept {
    fn of(response: &ChatResponse) -> Self {
        let calls = response.tool_calls.iter().map(|call| KeptCall {
            id: call.id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
            signature: call.signature.clone(),
        });
        Self {
            content: response.content.clone(),
            tool_calls: calls.collect(),
            model: response.model.clone(),
            input_tokens: response.usage.input_tokens,
            output_tokens: response.usage.output_tokens,
        }
    }
}

impl From<Kept> for ChatResponse {
    fn from(kept: Kept) -> Self {
        let calls = kept.tool_calls.into_iter().map(|call| ToolCall {
            id: call.id,
            name: call.name,
            arguments: call.arguments,
            signature: call.signature,
        });
        let tool_calls: Vec<_> = calls.collect();
        Self {
            content: kept.content,
            model: kept.model,
            usage: Usage {
                input_tokens: kept.input_tokens,
                output_tokens: kept.output_tokens,
                ..Usage::default()
            },
            finish_reason: match tool_calls.is_empty() {
                true => FinishReason::Stop,
                false => FinishReason::ToolCalls,
            },
            tool_calls,
        }
    }
}
