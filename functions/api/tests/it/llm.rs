//! Vision Cortex as OpenAI's API.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use shared::{
    llm::{ChatRequest, ChatResponse, Error, Provider},
    models::{UsageEntry, UsageState},
    store::decode,
    testing::ScriptedLlm,
};

use tokio::time::timeout;

use crate::app::{TestApp, json_body, request};

const CHAT: &str = "/llm/chat/completions";

fn hello() -> Value {
    json!({ "model": "gpt-4.1-mini", "messages": [{ "role": "user", "content": "Hello there" }] })
}

fn with(more: Value) -> Value {
    let mut body = hello();
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    body
}

async fn app(llm: ScriptedLlm) -> TestApp {
    TestApp::with_llm(Arc::new(llm)).await
}

fn ledger(app: &TestApp) -> Vec<UsageEntry> {
    let entries = app.db.documents("usage_ledger/");
    entries.iter().map(|entry| decode(entry).unwrap()).collect()
}

/// The events of a stream; `[DONE]` as a text.
fn events(bytes: &[u8]) -> Vec<Value> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| data.into()))
        .collect()
}

#[tokio::test]
async fn an_answer_is_booked_on_the_organization_of_the_caller() {
    let app = app(ScriptedLlm::answering("Hi Ada")).await;
    let answer = app.post("user", CHAT, &hello()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let choice = &answer.body["choices"][0];
    assert_eq!(choice["message"]["content"], "Hi Ada");
    assert_eq!(answer.body["usage"]["total_tokens"], 4);
    let entries = ledger(&app);
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].org_id.as_str(), "o1");
    assert_eq!(entries[0].state, UsageState::Settled);
    assert_eq!(entries[0].input_tokens + entries[0].output_tokens, 4);
}

#[tokio::test]
async fn a_stream_ends_with_done_and_is_booked() {
    let app = app(ScriptedLlm::answering("Hi Ada")).await;
    let more = json!({ "stream": true, "stream_options": { "include_usage": true } });
    let answer = app.post("user", CHAT, &with(more)).await;
    assert_eq!(answer.status, 200);
    let events = events(&answer.bytes);
    let texts = events.iter();
    let texts = texts.filter_map(|event| event["choices"][0]["delta"]["content"].as_str());
    assert_eq!(texts.collect::<String>(), "Hi Ada");
    let [.., usage, done] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(
        (&usage["usage"]["total_tokens"], done),
        (&json!(4), &json!("[DONE]"))
    );
    assert_eq!(ledger(&app)[0].state, UsageState::Settled);
}

#[tokio::test]
async fn a_caller_that_goes_away_is_booked_when_the_process_ends() {
    let app = app(ScriptedLlm::answering("Hi Ada")).await;
    let streamed = json_body(
        request(Method::POST, CHAT, "user"),
        &with(json!({ "stream": true })),
    );
    let mut answer = app.open(streamed).await;
    answer.body_mut().frame().await.unwrap().unwrap();
    drop(answer);
    assert_eq!(ledger(&app)[0].state, UsageState::Reserved);
    app.state.end().await;
    let entry = &ledger(&app)[0];
    assert_eq!(entry.state, UsageState::Settled);
    assert_eq!(entry.input_tokens + entry.output_tokens, 4);
}

#[tokio::test]
async fn what_the_plan_does_not_allow_is_asked_of_nobody() {
    let llm = Arc::new(ScriptedLlm::answering("Hi"));
    let app = TestApp::with_llm(llm.clone()).await;
    let text = "x".repeat(900_000);
    let body = json!({ "model": "gpt-4.1-mini", "max_tokens": 128_000,
        "messages": [{ "role": "user", "content": text }] });
    let refused = app.post("user", CHAT, &body).await;
    assert_eq!(refused.refusal(), (429, "resource_exhausted"));
    assert!(llm.requests().is_empty());
}

#[tokio::test]
async fn failures_of_the_provider_are_told_apart() {
    for (error, status, code) in [
        (Error::ContextTooLong, 400, "invalid_argument"),
        (Error::ContentPolicy, 400, "invalid_argument"),
        (
            Error::RateLimited { retry_after: None },
            429,
            "resource_exhausted",
        ),
        (Error::Unauthenticated, 503, "unavailable"),
        (Error::Timeout("late".into()), 503, "unavailable"),
    ] {
        let app = app(ScriptedLlm::in_order([Err(error)])).await;
        let answer = app.post("user", CHAT, &hello()).await;
        assert_eq!(answer.refusal(), (status, code), "{}", answer.body);
    }
}

#[tokio::test]
async fn an_unknown_model_and_a_wrong_field_are_named() {
    let app = app(ScriptedLlm::answering("Hi")).await;
    for (more, field) in [
        (json!({ "model": "unheard-of" }), "model"),
        (json!({ "n": 2 }), "n"),
    ] {
        let answer = app.post("user", CHAT, &with(more)).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"));
        assert_eq!(answer.fields(), [field]);
    }
    assert!(ledger(&app).is_empty());
}

#[tokio::test]
async fn models_with_a_price_are_listed() {
    let app = app(ScriptedLlm::answering("Hi")).await;
    let models = app.get("user", "/llm/models").await.body;
    let ids = models["data"].as_array().unwrap().iter();
    let ids: Vec<_> = ids.filter_map(|model| model["id"].as_str()).collect();
    assert!(
        ids.contains(&"gpt-4.1-mini") && ids.contains(&"claude-sonnet-5"),
        "{ids:?}"
    );
}

#[tokio::test]
async fn without_a_provider_nothing_is_asked() {
    let app = TestApp::without_llm().await;
    let answer = app.post("user", CHAT, &hello()).await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
}

#[tokio::test]
async fn a_conversation_with_a_large_image_is_taken() {
    let app = app(ScriptedLlm::answering("A cat")).await;
    let url = format!("data:image/png;base64,{}", "A".repeat(2_000_000));
    let image = json!({ "type": "image_url", "image_url": { "url": url } });
    let message = json!({ "role": "user", "content": [image] });
    let answer = app
        .post("user", CHAT, &with(json!({ "messages": [message] })))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_longer_than_other_requests() {
    let app = TestApp::with_llm(Arc::new(Slow)).await;
    let answer = app.post("user", CHAT, &hello()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// A model that thinks for a minute and a half.
struct Slow;

#[async_trait]
impl Provider for Slow {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        let never = std::future::pending::<()>();
        let _ = timeout(Duration::from_secs(90), never).await;
        ScriptedLlm::answering("Well").chat(request).await
    }
}
