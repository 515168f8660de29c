//! OpenAI, and everyone who speaks its chat completions
//! (<https://github.com/openai/openai-openapi>, `POST /chat/completions`).

mod embeddings;
mod refusal;
mod request;
mod response;
mod responses;
mod speech;
mod stream;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Response, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use self::{
    embeddings::{EmbeddingAnswer, EmbeddingBody},
    refusal::from_refusal,
    request::RequestBody,
    response::ResponseBody,
    responses::{EventReader, ResponsesAnswer, ResponsesBody},
    stream::ChunkReader,
};
use super::{
    http::{Mode, base_url, post, read_json, secret_header, send, timeout},
    sse::deltas,
};
use crate::{
    config::{self, Env},
    llm::{
        ChatRequest, ChatResponse, ChatStream, EmbeddingRequest, EmbeddingResponse, Error,
        Provider, price,
    },
};

/// OpenAI itself.
const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";

/// Where and how to call.
#[derive(Clone, Debug)]
pub struct OpenAiConfig {
    /// `OPENAI_BASE_URL`: what `/chat/completions` is appended to; default
    /// `https://api.openai.com/v1`. `COMPATIBLE_BASE_URL` for a server of one's own.
    pub base_url: String,
    /// `OPENAI_API_KEY`: the bearer token. `COMPATIBLE_API_KEY` for a server of one's own; empty
    /// when it takes none.
    pub api_key: SecretString,
    /// `LLM_TIMEOUT_SECS`: the longest wait for a whole answer; default 120.
    pub timeout: Duration,
    /// What the server understands.
    pub dialect: Dialect,
}

/// What a server understands of OpenAI's interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// What OpenAI does today.
    OpenAi,
    /// What others do as well: `max_tokens`, and chat completions alone.
    Compatible,
}

impl OpenAiConfig {
    /// Reads the variables, with the key from `OPENAI_API_KEY`.
    ///
    /// # Errors
    /// Returns the first variable that is missing or invalid.
    pub fn load(env: &Env) -> Result<Self, config::Error> {
        Self::load_with_key(env, env.secret("OPENAI_API_KEY")?)
    }

    /// Reads the variables but that of the key.
    ///
    /// # Errors
    /// Returns the first variable that is invalid.
    pub fn load_with_key(env: &Env, api_key: SecretString) -> Result<Self, config::Error> {
        Ok(Self {
            base_url: base_url(env, "OPENAI_BASE_URL", DEFAULT_BASE_URL)?,
            api_key,
            timeout: timeout(env)?,
            dialect: Dialect::OpenAi,
        })
    }

    /// Reads `COMPATIBLE_BASE_URL`, which ends in `/v1` for Ollama and vLLM, and
    /// `COMPATIBLE_API_KEY`; none when there is no such server.
    ///
    /// # Errors
    /// Returns the first variable that is invalid.
    pub fn load_compatible(env: &Env) -> Result<Option<Self>, config::Error> {
        if env.optional("COMPATIBLE_BASE_URL").is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            base_url: base_url(env, "COMPATIBLE_BASE_URL", DEFAULT_BASE_URL)?,
            api_key: env
                .optional("COMPATIBLE_API_KEY")
                .unwrap_or_default()
                .into(),
            timeout: timeout(env)?,
            dialect: Dialect::Compatible,
        }))
    }
}

/// A client for OpenAI's wire formats.
///
/// Models that OpenAI has in its Responses interface only are called by that; what the caller sees
/// is the same.
pub struct OpenAi {
    config: OpenAiConfig,
    client: Client,
}

impl OpenAi {
    /// A client that shares `client`'s connections.
    #[must_use]
    pub fn new(config: OpenAiConfig, client: Client) -> Self {
        Self { config, client }
    }

    fn uses_responses(&self, request: &ChatRequest) -> bool {
        self.config.dialect == Dialect::OpenAi && price::needs_responses(&request.model)
    }

    async fn call(
        &self,
        path: &str,
        body: &impl Serialize,
        idempotency_key: &str,
        mode: Mode,
    ) -> Result<Response, Error> {
        let base_url = self.config.base_url.trim_end_matches('/');
        let url = format!("{base_url}/{path}");
        let mut request = post(&self.client, &url, body, mode, self.config.timeout)
            .header("Idempotency-Key", idempotency_key);
        let key = &self.config.api_key;
        if !key.expose_secret().is_empty() {
            let bearer = format!("Bearer {}", key.expose_secret());
            request = request.header(AUTHORIZATION, secret_header(&bearer.into())?);
        }
        let response = send(request).await?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(from_refusal(response).await)
        }
    }
}

#[async_trait]
impl Provider for OpenAi {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        let key = &request.idempotency_key;
        if self.uses_responses(request) {
            let body = ResponsesBody::new(request, Mode::Whole)?;
            let response = self.call("responses", &body, key, Mode::Whole).await?;
            let answer: ResponsesAnswer = read_json(response).await?;
            return answer.into_response(request);
        }
        let body = RequestBody::new(request, self.config.dialect, Mode::Whole);
        let response = self.call("chat/completions", &body, key, Mode::Whole);
        let answer: ResponseBody = read_json(response.await?).await?;
        answer.into_response(request)
    }

    async fn stream(&self, request: &ChatRequest) -> Result<ChatStream, Error> {
        let key = &request.idempotency_key;
        if self.uses_responses(request) {
            let body = ResponsesBody::new(request, Mode::Stream)?;
            let response = self.call("responses", &body, key, Mode::Stream).await?;
            return Ok(deltas(response, EventReader::new(request)));
        }
        let body = RequestBody::new(request, self.config.dialect, Mode::Stream);
        let response = self.call("chat/completions", &body, key, Mode::Stream);
        Ok(deltas(response.await?, ChunkReader::new(request)))
    }

    async fn embed(&self, request: &EmbeddingRequest) -> Result<EmbeddingResponse, Error> {
        let body = EmbeddingBody::new(request);
        let key = &request.idempotency_key;
        let response = self.call("embeddings", &body, key, Mode::Whole).await?;
        let answer: EmbeddingAnswer = read_json(response).await?;
        answer.into_response(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_that_is_none_is_refused_at_start() {
        let env = Env::from_pairs([
            ("OPENAI_API_KEY", "sk-test"),
            ("OPENAI_BASE_URL", "nowhere"),
        ]);
        let error = OpenAiConfig::load(&env).unwrap_err();
        assert!(error.to_string().contains("OPENAI_BASE_URL"), "{error}");
    }

    #[test]
    fn the_key_does_not_show_in_debug_output() {
        let env = Env::from_pairs([("OPENAI_API_KEY", "sk-canary")]);
        let config = OpenAiConfig::load(&env).unwrap();
        assert!(!format!("{config:?}").contains("canary"));
    }
}
