//! A local model that speaks OpenAI's wire: chat completions, embeddings, speech and models.
//!
//! Wire: <https://platform.openai.com/docs/api-reference>. The answers are data, in
//! `emulator-tests/stubs/openai`; a prompt that none of them fits is echoed.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jsonschema::Validator;
use serde_json::{Value, json};
use shared::clock::{Clock, SystemClock};

use super::contract;
use crate::emulators::LocalServer;
use answers::Script;
use error::ApiError;

pub use answers::{Answer, Outcome, ScriptedCall, ScriptedError};

mod answers;
mod chat;
mod embedding;
mod error;
mod quote;
mod speech;
mod validate;

/// What `/v1/models` lists; any other name works as well.
const MODELS: [&str; 6] = [
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-5-mini",
    "text-embedding-3-small",
    "text-embedding-3-large",
    "tts-1",
];

/// What an [`OpenAi`] starts with.
#[derive(Debug, Clone, Default)]
pub struct OpenAiOptions {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Looked at before the built-in answers.
    pub answers: Vec<Answer>,
}

/// A request that came in; its content exists in memory only.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedRequest {
    /// As `/v1/chat/completions`.
    pub path: &'static str,
    /// As it was sent.
    pub body: Value,
}

/// A running model; dropping it stops it.
#[derive(Debug)]
pub struct OpenAi {
    server: LocalServer,
    state: Arc<OpenAiState>,
}

#[derive(Debug)]
struct OpenAiState {
    script: Script,
    requests: Mutex<Vec<ReceivedRequest>>,
    chat_schema: Validator,
    chat_fields: Vec<String>,
    embedding_schema: Validator,
    embedding_fields: Vec<String>,
    speech_schema: Validator,
    speech_fields: Vec<String>,
}

type Shared = State<Arc<OpenAiState>>;

impl OpenAi {
    /// Reads the answers and starts to serve.
    ///
    /// # Errors
    /// When the data does not parse or the port is taken.
    pub async fn start(options: OpenAiOptions) -> anyhow::Result<Self> {
        let state = Arc::new(OpenAiState {
            script: Script::new(options.answers)?,
            requests: Mutex::default(),
            chat_schema: contract::openai("CreateChatCompletionRequest")?,
            chat_fields: contract::openai_fields("CreateChatCompletionRequest")?,
            embedding_schema: contract::openai("CreateEmbeddingRequest")?,
            embedding_fields: contract::openai_fields("CreateEmbeddingRequest")?,
            speech_schema: contract::openai("CreateSpeechRequest")?,
            speech_fields: contract::openai_fields("CreateSpeechRequest")?,
        });
        let router = Router::new()
            .route("/v1/chat/completions", post(create_chat_completion))
            .route("/v1/embeddings", post(create_embedding))
            .route("/v1/audio/speech", post(create_speech))
            .route("/v1/models", get(list_models))
            .fallback(async || ApiError::unknown_url())
            .method_not_allowed_fallback(async || ApiError::unknown_url())
            .with_state(Arc::clone(&state));
        let server = LocalServer::start("openai", options.port, router).await?;
        Ok(Self { server, state })
    }

    /// The value for `OPENAI_BASE_URL`, as `http://127.0.0.1:4010/v1`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.server.url())
    }

    /// The requests so far, refused ones included, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        let requests = &self.state.requests;
        requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Stops it and waits until its port is closed.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

impl OpenAiState {
    /// The body, once it is written down; only then is the key looked at.
    fn receive(
        &self,
        path: &'static str,
        headers: &HeaderMap,
        bytes: &Bytes,
    ) -> Result<Value, ApiError> {
        let parsed = serde_json::from_slice(bytes);
        let request = ReceivedRequest {
            path,
            body: parsed.as_ref().map_or(Value::Null, Value::clone),
        };
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
        check_key(headers)?;
        parsed.map_err(|_| ApiError::unreadable())
    }
}

async fn create_chat_completion(
    State(state): Shared,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let body = state.receive("/v1/chat/completions", &headers, &bytes)?;
    validate::chat(&body, &state.chat_fields, &state.chat_schema)?;
    let prompt = chat::Prompt::of(&body);
    let said = state.script.answer(&prompt).await?;
    let completion = chat::Completion::new(&body, &prompt, &said, SystemClock.now());
    if body["stream"] != json!(true) {
        return Ok(Json(completion.whole()).into_response());
    }
    let events = completion.events(body["stream_options"]["include_usage"] == json!(true));
    let events = events.into_iter().map(Ok::<_, std::convert::Infallible>);
    let kind = [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")];
    Ok((kind, Body::from_stream(futures::stream::iter(events))).into_response())
}

async fn create_embedding(
    State(state): Shared,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Value>, ApiError> {
    let body = state.receive("/v1/embeddings", &headers, &bytes)?;
    validate::embedding(&body, &state.embedding_fields, &state.embedding_schema)?;
    Ok(Json(embedding::embed(&body)))
}

async fn create_speech(
    State(state): Shared,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let body = state.receive("/v1/audio/speech", &headers, &bytes)?;
    validate::speech(&body, &state.speech_fields, &state.speech_schema)?;
    let kind = [(header::CONTENT_TYPE, "audio/mpeg")];
    Ok((kind, speech::speak(&body)).into_response())
}

async fn list_models(headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    check_key(&headers)?;
    let model = |id| json!({ "id": id, "object": "model", "created": 0, "owned_by": "local" });
    Ok(Json(json!({ "object": "list", "data": MODELS.map(model) })))
}

fn check_key(headers: &HeaderMap) -> Result<(), ApiError> {
    let header = headers.get(header::AUTHORIZATION);
    let header = header.and_then(|value| value.to_str().ok());
    match header.and_then(|text| text.strip_prefix("Bearer ")) {
        Some(key) if !key.is_empty() => Ok(()),
        _ => Err(ApiError::missing_key()),
    }
}

#[cfg(test)]
mod tests;
