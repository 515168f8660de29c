//! OpenAI's chat completions in pieces.

use serde_json::{Value, json};
use shared::llm::{
    ChatResponse, Delta, Error, FinishReason,
    ProviderName::{Compatible, Openai},
    ToolCall, Usage,
};

use super::{
    fixtures::{call, request},
    server::{events, only_request, pieces, provider, server, stream, streamed},
};
use crate::contract::check_openai;

const DONE: &str = "data: [DONE]\n\n";

fn chunk(choices: Value) -> Value {
    let chunk = json!({
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_795_000_000,
        "model": "gpt-4.1-mini-2025-04-14",
        "choices": choices,
        "usage": null,
    });
    check_openai("CreateChatCompletionStreamResponse", &chunk).unwrap();
    chunk
}

fn choice(delta: Value, finish_reason: Option<&str>) -> Value {
    chunk(json!([{ "index": 0, "delta": delta, "finish_reason": finish_reason }]))
}

fn usage() -> Value {
    let mut chunk = chunk(json!([]));
    chunk["usage"] = json!({ "prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27 });
    check_openai("CreateChatCompletionStreamResponse", &chunk).unwrap();
    chunk
}

fn hello() -> Vec<Value> {
    vec![
        choice(json!({ "role": "assistant", "content": "" }), None),
        choice(json!({ "content": "Hel" }), None),
        choice(json!({ "content": "lo" }), None),
        choice(json!({}), Some("stop")),
    ]
}

#[tokio::test]
async fn a_stream_is_asked_for_with_its_usage() {
    let server = server(streamed(events(&hello()) + DONE)).await;
    let provider = provider(Openai, &server.uri());
    let _stream = provider.stream(&request()).await.unwrap();
    let body: Value = only_request(&server).await.body_json().unwrap();
    check_openai("CreateChatCompletionRequest", &body).unwrap();
    assert_eq!(body["stream"], true);
    assert_eq!(body["stream_options"], json!({ "include_usage": true }));
}

#[tokio::test]
async fn text_comes_piece_by_piece_and_usage_at_the_end() {
    let mut chunks = hello();
    chunks.push(usage());
    let pieces = pieces(Openai, streamed(events(&chunks) + DONE)).await;
    let usage = Usage {
        input_tokens: 20,
        output_tokens: 7,
        ..Usage::default()
    };
    let end = Delta::End {
        model: "gpt-4.1-mini-2025-04-14".to_owned(),
        usage,
        finish_reason: FinishReason::Stop,
    };
    let text = |text: &str| Delta::Text(text.to_owned());
    assert_eq!(pieces, [text("Hel"), text("lo"), Delta::Usage(usage), end]);
}

#[tokio::test]
async fn calls_of_tools_are_put_together() {
    let piece = |index: u64, function: Value| json!({ "index": index, "function": function });
    let mut first = piece(0, json!({ "name": "weather", "arguments": "" }));
    first["id"] = json!("call_1");
    first["type"] = json!("function");
    let mut second = first.clone();
    second["index"] = json!(7);
    second["id"] = json!("call_2");
    let pieces = [
        first,
        piece(0, json!({ "arguments": "{\"city\":" })),
        second,
        piece(7, json!({ "arguments": "{}" })),
        piece(0, json!({ "arguments": "\"Oslo\"}" })),
    ];
    let chunks = pieces.map(|piece| choice(json!({ "tool_calls": [piece] }), None));
    let mut chunks = chunks.to_vec();
    chunks.push(choice(json!({}), Some("tool_calls")));
    let response = stream(Openai, streamed(events(&chunks) + DONE)).await;
    let response: ChatResponse = response.unwrap();
    let expected = [call("call_1", r#"{"city":"Oslo"}"#), call("call_2", "{}")];
    assert_eq!(response.tool_calls, expected);
    assert_eq!(response.finish_reason, FinishReason::ToolCalls);
}

#[tokio::test]
async fn a_call_numbered_high_makes_no_room_for_those_before() {
    let call = json!({ "index": u64::MAX, "id": "c", "function": { "name": "weather" } });
    let chunk = choice(json!({ "tool_calls": [call] }), Some("tool_calls"));
    let pieces = pieces(Openai, streamed(events(&[chunk]) + DONE)).await;
    let piece = ToolCall {
        id: "c".to_owned(),
        name: "weather".to_owned(),
        ..ToolCall::default()
    };
    assert_eq!(pieces[0], Delta::ToolCall { index: 0, piece });
}

#[tokio::test]
async fn more_calls_than_tools_can_be_offered_are_malformed() {
    let calls = (0..129_u64).map(|index| json!({ "index": index, "id": "c" }));
    let calls: Vec<_> = calls.collect();
    let chunk = choice(json!({ "tool_calls": calls }), None);
    let result = stream(Openai, streamed(events(&[chunk]) + DONE)).await;
    assert!(matches!(result, Err(Error::Malformed(_))), "{result:?}");
}

#[tokio::test]
async fn a_stream_without_usage_is_estimated() {
    let response = stream(Compatible, streamed(events(&hello()) + DONE)).await;
    let estimate = Usage::estimate(&request(), "Hello".len());
    assert!(estimate.is_estimated);
    assert_eq!(response.unwrap().usage, estimate);
}

#[tokio::test]
async fn a_stream_may_end_without_its_mark_but_not_without_a_reason() {
    let chunks = hello();
    let response = stream(Compatible, streamed(events(&chunks))).await;
    assert_eq!(response.unwrap().content, "Hello");
    let response = stream(Compatible, streamed(events(&chunks[..3]))).await;
    assert!(
        matches!(response, Err(Error::Interrupted(_))),
        "{response:?}"
    );
}

#[tokio::test]
async fn an_error_within_the_stream_has_an_unknown_outcome_once_it_began() {
    let error = json!({ "error": { "message": "secret text", "code": "rate_limit_exceeded" } });
    let at_once = stream(Openai, streamed(events(std::slice::from_ref(&error))))
        .await
        .unwrap_err();
    assert!(matches!(at_once, Error::RateLimited { .. }), "{at_once:?}");
    let mut chunks = hello();
    chunks.truncate(2);
    chunks.push(error);
    let later = stream(Openai, streamed(events(&chunks))).await.unwrap_err();
    assert!(matches!(later, Error::Interrupted(_)), "{later:?}");
    assert!(!later.is_unused());
    assert!(!format!("{later:?}").contains("secret text"), "{later:?}");
}
