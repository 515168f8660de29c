//! Google's Gemini API (<https://ai.google.dev/api/generate-content>).

mod embeddings;
mod refusal;
mod request;
mod response;
mod stream;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Response};
use secrecy::SecretString;
use serde::Serialize;

use self::embeddings::{BatchAnswer, BatchBody};
pub(super) use self::{
    embeddings::normalized,
    refusal::{ErrorBody, from_refusal},
    request::RequestBody,
    response::ResponseBody,
    stream::ChunkReader,
};
use super::{
    http::{Mode, base_url, invalid, post, read_json, secret_header, send, timeout},
    sse::deltas,
};
use crate::{
    config::{self, Env},
    llm::{
        ChatRequest, ChatResponse, ChatStream, EmbeddingRequest, EmbeddingResponse, Error, Provider,
    },
};

/// Google itself; the version has what `@google/genai` calls.
const DEFAULT_BASE_URL: &str = "https://generativelanguage.googleapis.com/v1beta";

/// Where and how to call.
#[derive(Clone, Debug)]
pub struct GeminiConfig {
    /// `GEMINI_BASE_URL`: what `/models/…` is appended to; default
    /// `https://generativelanguage.googleapis.com/v1beta`.
    pub base_url: String,
    /// `GEMINI_API_KEY`: the key.
    pub api_key: SecretString,
    /// `LLM_TIMEOUT_SECS`: the longest wait for a whole answer; default 120.
    pub timeout: Duration,
}

impl GeminiConfig {
    /// Reads the variables but that of the key.
    ///
    /// # Errors
    /// Returns the first variable that is invalid.
    pub fn load_with_key(env: &Env, api_key: SecretString) -> Result<Self, config::Error> {
        Ok(Self {
            base_url: base_url(env, "GEMINI_BASE_URL", DEFAULT_BASE_URL)?,
            api_key,
            timeout: timeout(env)?,
        })
    }
}

/// A client for the Gemini API. Images must be sent along: it does not fetch any.
pub struct Gemini {
    config: GeminiConfig,
    client: Client,
}

impl Gemini {
    /// A client that shares `client`'s connections.
    #[must_use]
    pub fn new(config: GeminiConfig, client: Client) -> Self {
        Self { config, client }
    }

    async fn call(
        &self,
        model: &str,
        method: &str,
        body: &impl Serialize,
        mode: Mode,
    ) -> Result<Response, Error> {
        let base_url = self.config.base_url.trim_end_matches('/');
        let url = format!("{base_url}/models/{}:{method}", path_segment(model)?);
        let request = post(&self.client, &url, body, mode, self.config.timeout)
            .header("x-goog-api-key", secret_header(&self.config.api_key)?);
        let response = send(request).await?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(from_refusal(response).await)
        }
    }
}

#[async_trait]
impl Provider for Gemini {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        let body = RequestBody::new(request)?;
        let response = self.call(&request.model, "generateContent", &body, Mode::Whole);
        let body: ResponseBody = read_json(response.await?).await?;
        body.into_response(request)
    }

    async fn stream(&self, request: &ChatRequest) -> Result<ChatStream, Error> {
        let body = RequestBody::new(request)?;
        let method = "streamGenerateContent?alt=sse";
        let response = self
            .call(&request.model, method, &body, Mode::Stream)
            .await?;
        Ok(deltas(response, ChunkReader::new(request)))
    }

    async fn embed(&self, request: &EmbeddingRequest) -> Result<EmbeddingResponse, Error> {
        let body = BatchBody::new(request);
        let response = self.call(&request.model, "batchEmbedContents", &body, Mode::Whole);
        let answer: BatchAnswer = read_json(response.await?).await?;
        answer.into_response(request)
    }
}

/// A model's name as a part of an address. A name that would lead elsewhere is not known there.
pub(super) fn path_segment(model: &str) -> Result<&str, Error> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    let is_model = !model.is_empty() && !model.contains("..") && model.chars().all(is_part);
    is_model
        .then_some(model)
        .ok_or_else(|| invalid("unknown_model"))
}
