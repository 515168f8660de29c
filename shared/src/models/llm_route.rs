use std::fmt;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use crate::ids::{OrgId, RecordId, RouteAlias};

/// `organizations/{id}/llm_routes/{alias}`: a name of the organization's own for models, and where its
/// calls go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LlmRoute {
    /// What is asked for as a model; equal to the document id.
    pub alias: RouteAlias,
    /// The organization.
    pub org_id: OrgId,
    /// Where calls go.
    pub route: Route,
    /// Whether answers are kept, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheSettings>,
    /// When it was last set.
    pub updated_at: Timestamp,
}

/// How answers are kept for the same question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CacheSettings {
    /// For how long, in seconds.
    pub ttl_secs: u32,
    /// Whether answers are kept that another call would have differently: those of a temperature
    /// that is not 0.
    #[serde(default)]
    pub any_temperature: bool,
}

/// `organizations/{id}/llm_cache/{id}`: an answer that is kept for the same question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CachedAnswer {
    /// Derived from the question, equal to the document id.
    pub id: RecordId,
    /// The organization.
    pub org_id: OrgId,
    /// The answer, in JSON.
    pub answer: String,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it is given no more, and deleted.
    pub expires_at: Timestamp,
}

/// Where calls of a model go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Asked one after the other.
    pub steps: Vec<RouteStep>,
    /// Failures after which somebody else is asked.
    #[serde(default = "default_fallback")]
    pub fallback_on: Vec<FailureClass>,
    /// How long is waited.
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// Candidates of which one is drawn by weight; then the others, likewise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteStep {
    /// The candidates.
    pub candidates: Vec<Weighted>,
}

/// A candidate and its share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Weighted {
    /// Who is asked.
    #[serde(flatten)]
    pub candidate: Candidate,
    /// Its share of the calls, from 1 to 1,000.
    #[serde(default = "default_weight")]
    pub weight: u32,
}

/// A model at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// Who runs the model.
    pub provider: ProviderName,
    /// The model's name there.
    pub model: String,
}

/// What kind of failure it is: routes say by kind whether somebody else is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Too many requests, or no credit left.
    RateLimited,
    /// Not to be reached, failing, or answering nonsense.
    Unavailable,
    /// No answer in time, or one that broke off.
    Timeout,
    /// The key is not accepted.
    Unauthenticated,
    /// More than the model can take.
    ContextTooLong,
    /// Against the provider's policy.
    ContentPolicy,
    /// Any other fault of the request. Nobody else is asked: it would be refused again.
    InvalidRequest,
}

/// How long is waited for a candidate, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Timeouts {
    /// Until the first piece of a stream.
    pub first_token_ms: u64,
    /// From one piece of a stream to the next.
    pub between_chunks_ms: u64,
    /// Until the answer is complete.
    pub total_ms: u64,
}

/// Who runs a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderName {
    /// <https://platform.openai.com>.
    Openai,
    /// <https://platform.claude.com>.
    Anthropic,
    /// <https://ai.google.dev>.
    Gemini,
    /// Gemini and Claude on Vertex AI.
    Vertex,
    /// A server of one's own that speaks OpenAI's chat completions, such as Ollama or vLLM.
    Compatible,
}

impl Route {
    /// Failures after which somebody else is asked unless a route tells: what is about the provider,
    /// not about what it was asked.
    pub const DEFAULT_FALLBACK: [FailureClass; 5] = [
        FailureClass::RateLimited,
        FailureClass::Unavailable,
        FailureClass::Timeout,
        FailureClass::Unauthenticated,
        FailureClass::ContextTooLong,
    ];
}

impl Weighted {
    /// The weight of a candidate that names none.
    pub const DEFAULT_WEIGHT: u32 = 1;
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            first_token_ms: 60_000,
            between_chunks_ms: 30_000,
            total_ms: 120_000,
        }
    }
}

impl ProviderName {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Openai,
        Self::Anthropic,
        Self::Gemini,
        Self::Vertex,
        Self::Compatible,
    ];

    /// The name as it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Vertex => "vertex",
            Self::Compatible => "compatible",
        }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

fn default_fallback() -> Vec<FailureClass> {
    Route::DEFAULT_FALLBACK.to_vec()
}

fn default_weight() -> u32 {
    Weighted::DEFAULT_WEIGHT
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_is_stored_as_it_is_shown() {
        for name in ProviderName::ALL {
            assert_eq!(json!(name), json!(name.to_string()));
        }
    }
}
