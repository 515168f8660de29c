//! Anthropic's Messages (<https://platform.claude.com/docs/en/api/messages>).

mod refusal;
mod request;
mod response;
mod stream;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Response};
use secrecy::SecretString;

pub(super) use self::{
    refusal::{ErrorBody, from_refusal},
    request::RequestBody,
    response::ResponseBody,
    stream::EventReader,
};
use super::{
    http::{Mode, base_url, post, read_json, secret_header, send, timeout},
    sse::deltas,
};
use crate::{
    config::{self, Env},
    llm::{ChatRequest, ChatResponse, ChatStream, Error, Provider},
};

/// Anthropic itself.
const DEFAULT_BASE_URL: &str = "https://api.anthropic.com";

/// <https://platform.claude.com/docs/en/api/versioning>.
const VERSION: &str = "2023-06-01";

/// Where and how to call.
#[derive(Clone, Debug)]
pub struct AnthropicConfig {
    /// `ANTHROPIC_BASE_URL`: what `/v1/messages` is appended to; default
    /// `https://api.anthropic.com`.
    pub base_url: String,
    /// `ANTHROPIC_API_KEY`: the key.
    pub api_key: SecretString,
    /// `LLM_TIMEOUT_SECS`: the longest wait for a whole answer; default 120.
    pub timeout: Duration,
}

impl AnthropicConfig {
    /// Reads the variables but that of the key.
    ///
    /// # Errors
    /// Returns the first variable that is invalid.
    pub fn load_with_key(env: &Env, api_key: SecretString) -> Result<Self, config::Error> {
        Ok(Self {
            base_url: base_url(env, "ANTHROPIC_BASE_URL", DEFAULT_BASE_URL)?,
            api_key,
            timeout: timeout(env)?,
        })
    }
}

/// A client for Anthropic's Messages.
///
/// The interface has no sampling parameters, so [`ChatRequest::temperature`] and
/// [`ChatRequest::top_p`] are left out. Objects without a schema are asked for in the system prompt.
/// There are no embeddings.
pub struct Anthropic {
    config: AnthropicConfig,
    client: Client,
}

impl Anthropic {
    /// A client that shares `client`'s connections.
    #[must_use]
    pub fn new(config: AnthropicConfig, client: Client) -> Self {
        Self { config, client }
    }

    async fn call(&self, request: &ChatRequest, mode: Mode) -> Result<Response, Error> {
        let url = format!("{}/v1/messages", self.config.base_url.trim_end_matches('/'));
        let body = RequestBody::new(request, mode)?;
        let request = post(&self.client, &url, &body, mode, self.config.timeout)
            .header("anthropic-version", VERSION)
            .header("x-api-key", secret_header(&self.config.api_key)?);
        let response = send(request).await?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(from_refusal(response).await)
        }
    }
}

#[async_trait]
impl Provider for Anthropic {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        let response = self.call(request, Mode::Whole).await?;
        let body: ResponseBody = read_json(response).await?;
        Ok(body.into_response(request))
    }

    async fn stream(&self, request: &ChatRequest) -> Result<ChatStream, Error> {
        let response = self.call(request, Mode::Stream).await?;
        Ok(deltas(response, EventReader::new(request)))
    }
}
