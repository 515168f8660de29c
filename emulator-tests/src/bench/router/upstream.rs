//! The model: it answers the same to everything, after a time that is set.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
    routing::post,
};
use futures::stream;
use serde_json::{Value, json};

use crate::emulators::LocalServer;

/// What is said, in so many pieces if it is streamed.
pub(super) const PIECE: &str = "word ";
pub(super) const PIECES: usize = 50;
pub(super) const INPUT_TOKENS: u64 = 12;

pub(super) struct Upstream {
    server: LocalServer,
    delay_ms: Arc<AtomicU64>,
}

struct Answers {
    delay_ms: Arc<AtomicU64>,
    whole: Bytes,
    events: Vec<Bytes>,
}

impl Upstream {
    pub(super) async fn start() -> Result<Self> {
        let delay_ms = Arc::new(AtomicU64::new(0));
        let answers = Arc::new(Answers {
            delay_ms: Arc::clone(&delay_ms),
            whole: whole().to_string().into(),
            events: events(),
        });
        let router = Router::new()
            .route("/v1/chat/completions", post(answer))
            .with_state(answers);
        let server = LocalServer::start("upstream", 0, router).await?;
        Ok(Self { server, delay_ms })
    }

    /// As `http://127.0.0.1:4010/v1`.
    pub(super) fn base_url(&self) -> String {
        format!("{}/v1", self.server.url())
    }

    /// How long it thinks from now on.
    pub(super) fn think(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.delay_ms.store(delay, Ordering::Relaxed);
    }
}

async fn answer(State(answers): State<Arc<Answers>>, Json(asked): Json<Value>) -> Response {
    let delay_ms = answers.delay_ms.load(Ordering::Relaxed);
    if delay_ms > 0 {
        wait(Duration::from_millis(delay_ms)).await;
    }
    if asked["stream"] != json!(true) {
        let kind = [(CONTENT_TYPE, "application/json")];
        return (kind, answers.whole.clone()).into_response();
    }
    let events = answers.events.clone().into_iter().map(Ok::<_, Infallible>);
    let kind = [(CONTENT_TYPE, "text/event-stream")];
    (kind, Body::from_stream(stream::iter(events))).into_response()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the delay is the model's thinking, not a wait for something"
)]
async fn wait(delay: Duration) {
    tokio::time::sleep(delay).await;
}

fn object(kind: &str, choices: Value) -> Value {
    json!({
        "id": "chatcmpl-1",
        "object": kind,
        "created": 1_795_000_000,
        "model": super::MODEL,
        "choices": choices,
    })
}

fn usage() -> Value {
    let output = PIECES as u64;
    json!({
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": output,
        "total_tokens": INPUT_TOKENS + output,
    })
}

fn whole() -> Value {
    let message = json!({ "role": "assistant", "content": PIECE.repeat(PIECES) });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    let mut whole = object("chat.completion", json!([choice]));
    whole["usage"] = usage();
    whole
}

fn events() -> Vec<Bytes> {
    let chunk = |delta: Value, reason: Value| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": reason });
        object("chat.completion.chunk", json!([choice]))
    };
    let first = chunk(json!({ "role": "assistant", "content": "" }), Value::Null);
    let mut chunks = vec![first];
    chunks.extend((0..PIECES).map(|_| chunk(json!({ "content": PIECE }), Value::Null)));
    chunks.push(chunk(json!({}), json!("stop")));
    let mut last = object("chat.completion.chunk", json!([]));
    last["usage"] = usage();
    chunks.push(last);
    let events = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
    let done = ["data: [DONE]\n\n".to_owned()];
    events.chain(done).map(Bytes::from).collect()
}
