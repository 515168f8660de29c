//! Gemini and Claude on Vertex AI, as the service itself: no key of anyone's
//! (<https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest>).

mod embeddings;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use reqwest::{Client, Response};
use serde::Serialize;

use self::embeddings::{Answer, Embedded, EmbeddingCall};
use super::{
    anthropic,
    gemini::{self, path_segment},
    http::{Mode, post, read_json, send, timeout},
    sse::deltas,
};
use crate::{
    config::{self, Env},
    llm::{
        ChatRequest, ChatResponse, ChatStream, EmbeddingRequest, EmbeddingResponse, Error, Provider,
    },
    service_identity::ServiceIdentity,
};

/// What Claude's wire format is called here, by Anthropic's own client
/// (<https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai>).
const ANTHROPIC_VERSION: &str = "vertex-2023-10-16";

/// A stand-in for Vertex AI, which is shown no token.
const EMULATOR_URL: &str = "VERTEX_EMULATOR_URL";

/// Where and how to call.
#[derive(Clone, Debug)]
pub struct VertexConfig {
    /// `VERTEX_PROJECT`: the project that is billed.
    pub project: String,
    /// `VERTEX_LOCATION`: a region, `us`, `eu` or `global`; default `global`.
    pub location: String,
    /// `VERTEX_EMULATOR_URL`: what `/projects/…` is appended to instead of Google's address;
    /// development only.
    pub emulator_url: Option<String>,
    /// `LLM_TIMEOUT_SECS`: the longest wait for a whole answer; default 120.
    pub timeout: Duration,
}

impl VertexConfig {
    /// Reads the variables; none when no project is named.
    ///
    /// # Errors
    /// Returns the first variable that is invalid or not allowed here.
    pub fn load_optional(env: &Env) -> Result<Option<Self>, config::Error> {
        let emulator_url = env.development_only(EMULATOR_URL)?;
        let emulator_url = emulator_url.map(|url| url.trim_end_matches('/').to_owned());
        let Some(project) = env.optional("VERTEX_PROJECT") else {
            return Ok(None);
        };
        Ok(Some(Self {
            project: named("VERTEX_PROJECT", project)?,
            location: named(
                "VERTEX_LOCATION",
                env.optional("VERTEX_LOCATION").unwrap_or("global"),
            )?,
            emulator_url,
            timeout: timeout(env)?,
        }))
    }

    /// Where the models are, by the rules of Google's own clients (`_api_client` of `google-genai`).
    fn base_url(&self) -> String {
        let Self {
            project, location, ..
        } = self;
        let google = || match location.as_str() {
            "global" => "https://aiplatform.googleapis.com/v1".to_owned(),
            "us" | "eu" => format!("https://aiplatform.{location}.rep.googleapis.com/v1"),
            region => format!("https://{region}-aiplatform.googleapis.com/v1"),
        };
        let host = self.emulator_url.clone().unwrap_or_else(google);
        format!("{host}/projects/{project}/locations/{location}/publishers")
    }
}

/// Names are parts of the address, and of its host: others would lead the token elsewhere.
fn named(name: &'static str, value: &str) -> Result<String, config::Error> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if value.chars().all(is_part) {
        return Ok(value.to_owned());
    }
    let reason = "small letters, digits and hyphens are allowed".to_owned();
    Err(config::Error::Invalid { name, reason })
}

/// A client for Vertex AI.
pub struct Vertex {
    config: VertexConfig,
    client: Client,
    identity: Arc<ServiceIdentity>,
}

impl Vertex {
    /// A client that shares `client`'s connections and calls as `identity`.
    #[must_use]
    pub fn new(config: VertexConfig, client: Client, identity: Arc<ServiceIdentity>) -> Self {
        Self {
            config,
            client,
            identity,
        }
    }

    async fn call(
        &self,
        model: &str,
        method: &str,
        body: &impl Serialize,
        mode: Mode,
    ) -> Result<Response, Error> {
        let publisher = if is_claude(model) {
            "anthropic"
        } else {
            "google"
        };
        let model = path_segment(model)?;
        let base_url = self.config.base_url();
        let url = format!("{base_url}/{publisher}/models/{model}:{method}");
        let mut request = post(&self.client, &url, body, mode, self.config.timeout);
        if self.config.emulator_url.is_none() {
            let headers = self.identity.headers().await;
            request = request.headers(headers.map_err(|source| Error::Unavailable {
                retry_after: None,
                source,
            })?);
        }
        let response = send(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(match publisher {
            "anthropic" => anthropic::from_refusal(response).await,
            _ => gemini::from_refusal(response).await,
        })
    }
}

impl Vertex {
    async fn embed_one(&self, request: &EmbeddingRequest, input: &str) -> Result<Answer, Error> {
        let call = EmbeddingCall::new(request, input);
        let response = self.call(&request.model, call.method(), &call, Mode::Whole);
        read_json(response.await?).await
    }
}

#[async_trait]
impl Provider for Vertex {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        let model = &request.model;
        if is_claude(model) {
            let body = anthropic::RequestBody::new(request, Mode::Whole)?;
            let body = body.for_vertex(ANTHROPIC_VERSION);
            let response = self.call(model, "rawPredict", &body, Mode::Whole).await?;
            let body: anthropic::ResponseBody = read_json(response).await?;
            return Ok(body.into_response(request));
        }
        let body = gemini::RequestBody::new(request)?;
        let response = self.call(model, "generateContent", &body, Mode::Whole);
        let body: gemini::ResponseBody = read_json(response.await?).await?;
        body.into_response(request)
    }

    async fn stream(&self, request: &ChatRequest) -> Result<ChatStream, Error> {
        let model = &request.model;
        if is_claude(model) {
            let body = anthropic::RequestBody::new(request, Mode::Stream)?;
            let body = body.for_vertex(ANTHROPIC_VERSION);
            let response = self.call(model, "streamRawPredict", &body, Mode::Stream);
            return Ok(deltas(
                response.await?,
                anthropic::EventReader::new(request),
            ));
        }
        let body = gemini::RequestBody::new(request)?;
        let method = "streamGenerateContent?alt=sse";
        let response = self.call(model, method, &body, Mode::Stream).await?;
        Ok(deltas(response, gemini::ChunkReader::new(request)))
    }

    /// Vertex AI takes one text a call; they are asked for one after the other.
    async fn embed(&self, request: &EmbeddingRequest) -> Result<EmbeddingResponse, Error> {
        let mut embedded = Embedded::new(request);
        for input in &request.inputs {
            let answer = self.embed_one(request, input).await;
            let added = answer.and_then(|answer| embedded.add(answer, input));
            added.map_err(|error| embedded.broken_off(error, input))?;
        }
        Ok(embedded.into_response())
    }
}

fn is_claude(model: &str) -> bool {
    model.starts_with("claude")
}
