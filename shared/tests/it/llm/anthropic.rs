//! Anthropic's Messages.

use serde_json::{Value, json};
use shared::{
    llm::{
        ChatRequest, ChatResponse, Error, FinishReason, ImageSource, Message, OutputFormat, Part,
        ProviderName::Anthropic, Role, ToolChoice, Usage,
    },
    retry::Transient,
};
use std::time::Duration;
use wiremock::{Request, ResponseTemplate};

use super::{
    fixtures::{call, json_schema, request, request_with_tools, schema, tool},
    server::{KEY, assert_refused, chat, ok, only_request, provider, server},
};
use crate::contract::check_anthropic;

pub(super) fn usage(output_tokens: i64) -> Value {
    json!({
        "input_tokens": 10,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 4,
        "cache_creation": null,
        "inference_geo": null,
        "output_tokens": output_tokens,
        "output_tokens_details": { "thinking_tokens": 2 },
        "server_tool_use": null,
        "service_tier": "standard",
        "speed": null,
    })
}

pub(super) fn used() -> Usage {
    Usage {
        input_tokens: 17,
        output_tokens: 7,
        cached_tokens: 4,
        cache_write_tokens: 3,
        reasoning_tokens: 2,
        is_estimated: false,
    }
}

pub(super) fn message(content: Value, stop_reason: Option<&str>, output_tokens: i64) -> Value {
    json!({
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "container": null,
        "content": content,
        "diagnostics": null,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "stop_details": null,
        "usage": usage(output_tokens),
    })
}

pub(super) fn answer() -> Value {
    let content = json!([
        { "type": "thinking", "thinking": "Hm.", "signature": "c2ln" },
        { "type": "text", "text": "Cold.", "citations": null },
        {
            "type": "tool_use",
            "id": "toolu_1",
            "name": "weather",
            "input": { "city": "Oslo" },
            "caller": { "type": "direct" },
        },
    ]);
    let answer = message(content, Some("tool_use"), 7);
    check_anthropic("MsgRes", &answer).unwrap();
    answer
}

async fn ask(request: &ChatRequest) -> Request {
    let server = server(ok(&answer())).await;
    provider(Anthropic, &server.uri())
        .chat(request)
        .await
        .unwrap();
    only_request(&server).await
}

/// The body of a request, which fits the schema.
async fn sent(request: &ChatRequest) -> Value {
    let body = ask(request).await.body_json().unwrap();
    check_anthropic("MsgReq", &body).unwrap();
    body
}

#[tokio::test]
async fn the_request_fits_the_published_schema() {
    let sent = ask(&request_with_tools("claude-sonnet-5-5")).await;
    let target = (sent.method.as_str(), sent.url.path());
    assert_eq!(target, ("POST", "/v1/messages"));
    assert_eq!(sent.headers["x-api-key"], KEY);
    assert_eq!(sent.headers["anthropic-version"], "2023-06-01");
    let body: Value = sent.body_json().unwrap();
    check_anthropic("MsgReq", &body).unwrap();
    let tool_use =
        |id, input| json!({ "type": "tool_use", "id": id, "name": "weather", "input": input });
    let result =
        |id, content| json!({ "type": "tool_result", "tool_use_id": id, "content": content });
    let source = json!({ "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" });
    let expected = json!({
        "model": "claude-sonnet-5-5",
        "max_tokens": 64,
        "system": "Be brief.",
        "messages": [
            { "role": "user", "content": [
                { "type": "text", "text": "Where is it?" },
                { "type": "image", "source": source },
            ] },
            { "role": "assistant", "content": [
                tool_use("call_1", json!({ "city": "Oslo" })),
                tool_use("call_2", json!({})),
            ] },
            { "role": "user", "content": [
                result("call_1", r#"{"degrees":4}"#),
                result("call_2", "no such city"),
            ] },
        ],
        "tools": [{
            "name": "weather",
            "description": "Tells the weather.",
            "input_schema": schema(),
        }],
    });
    assert_eq!(body, expected);
}

#[test]
fn the_schema_refuses_an_invented_field() {
    let body = json!({ "model": "m", "max_tokens": 1, "messages": [], "temperature": 1 });
    check_anthropic("MsgReq", &body).unwrap_err();
}

#[tokio::test]
async fn a_schema_and_texts_that_end_the_answer_are_sent() {
    let body = sent(&ChatRequest {
        output: json_schema(),
        stop: vec!["END".to_owned()],
        ..request()
    })
    .await;
    let format = json!({ "type": "json_schema", "schema": schema() });
    assert_eq!(body["output_config"], json!({ "format": format }));
    assert_eq!(body["stop_sequences"], json!(["END"]));
}

#[tokio::test]
async fn an_object_without_a_schema_is_asked_for_in_words() {
    let body = sent(&ChatRequest {
        output: OutputFormat::JsonObject,
        ..request()
    })
    .await;
    let system = "Be brief.\n\nAnswer with one JSON object and nothing else.";
    assert_eq!(body["system"], system);
    assert_eq!(body.get("output_config"), None);
}

#[tokio::test]
async fn the_choice_of_tools_is_sent() {
    for (choice, expected) in [
        (ToolChoice::Auto, Value::Null),
        (ToolChoice::None, json!({ "type": "none" })),
        (ToolChoice::Required, json!({ "type": "any" })),
        (
            ToolChoice::Named("weather".to_owned()),
            json!({ "type": "tool", "name": "weather" }),
        ),
    ] {
        let request = ChatRequest {
            tools: vec![tool()],
            tool_choice: choice,
            ..request()
        };
        assert_eq!(sent(&request).await["tool_choice"], expected);
    }
}

fn with_image(image: ImageSource) -> ChatRequest {
    let message = Message {
        role: Role::User,
        parts: vec![Part::Text(" ".to_owned()), Part::Image(image.into())],
    };
    ChatRequest {
        messages: vec![message],
        ..request()
    }
}

#[tokio::test]
async fn an_image_may_be_somewhere_else_and_blank_texts_are_left_out() {
    let url = "https://example.com/a.png".to_owned();
    let body = sent(&with_image(ImageSource::Url(url.clone()))).await;
    let image = json!([{ "type": "image", "source": { "type": "url", "url": url } }]);
    assert_eq!(body["messages"][0]["content"], image);
}

#[tokio::test]
async fn an_image_that_claude_does_not_see_is_refused() {
    let server = server(ok(&answer())).await;
    let request = with_image(ImageSource::Data {
        media_type: "image/tiff".to_owned(),
        base64: "AA==".to_owned(),
    });
    let result = provider(Anthropic, &server.uri()).chat(&request).await;
    assert!(
        matches!(&result, Err(Error::InvalidRequest { code }) if code == "unsupported_image"),
        "{result:?}"
    );
}

#[tokio::test]
async fn the_answer_is_read_and_cached_tokens_are_added_up() {
    let expected = ChatResponse {
        content: "Cold.".to_owned(),
        tool_calls: vec![call("toolu_1", r#"{"city":"Oslo"}"#)],
        model: "claude-sonnet-5-5".to_owned(),
        usage: used(),
        finish_reason: FinishReason::ToolCalls,
    };
    let (result, _) = chat(Anthropic, ok(&answer())).await;
    assert_eq!(result.unwrap(), expected);
}

#[tokio::test]
async fn the_reasons_to_end_are_told_apart_and_new_ones_do_not_break_the_reader() {
    for (reason, expected) in [
        ("end_turn", FinishReason::Stop),
        ("stop_sequence", FinishReason::Stop),
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("refusal", FinishReason::ContentFilter),
        ("pause_turn", FinishReason::Other),
        ("invented", FinishReason::Other),
    ] {
        let mut body = answer();
        body["stop_reason"] = json!(reason);
        body["content"] = json!([{ "type": "invented" }]);
        let response = chat(Anthropic, ok(&body)).await.0.unwrap();
        assert_eq!(response.finish_reason, expected, "{reason}");
    }
}

#[tokio::test]
async fn an_answer_without_usage_counts_as_the_most_it_can_have_used() {
    let mut body = answer();
    for untold in [
        Value::Null,
        json!({ "input_tokens": 0, "output_tokens": 0 }),
    ] {
        body["usage"] = untold;
        let usage = chat(Anthropic, ok(&body)).await.0.unwrap().usage;
        assert!(usage.is_estimated);
        assert_eq!(usage.total(), Usage::ceiling(&request()).total());
    }
}

pub(super) fn error(kind: &str, message: &str) -> Value {
    let error = json!({
        "type": "error",
        "error": { "type": kind, "message": message },
        "request_id": "req_1",
    });
    check_anthropic("AErr", &error).unwrap();
    error
}

fn refusal(status: u16, kind: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(error(kind, "secret text"))
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (status, kind, expected) in [
        (
            400,
            "invalid_request_error",
            "invalid invalid_request_error",
        ),
        (401, "authentication_error", "key"),
        (402, "billing_error", "quota"),
        (403, "permission_error", "key"),
        (404, "not_found_error", "invalid not_found_error"),
        (429, "rate_limit_error", "rate"),
        (500, "api_error", "unavailable"),
        (504, "timeout_error", "unavailable"),
        (529, "overloaded_error", "unavailable"),
    ] {
        assert_refused(Anthropic, refusal(status, kind), expected).await;
    }
}

#[tokio::test]
async fn refusals_without_a_body_are_told_apart_by_their_status() {
    for (status, is_transient) in [
        (408, true),
        (409, true),
        (429, true),
        (529, true),
        (418, false),
    ] {
        let (result, _) = chat(Anthropic, ResponseTemplate::new(status)).await;
        let error = result.unwrap_err();
        assert_eq!(error.is_transient(), is_transient, "{status}: {error:?}");
    }
    let (result, _) = chat(Anthropic, ResponseTemplate::new(413)).await;
    assert!(matches!(result, Err(Error::ContextTooLong)), "{result:?}");
}

#[tokio::test]
async fn what_is_too_long_is_said_in_words() {
    let body = error(
        "invalid_request_error",
        "prompt is too long: 9 tokens > 8 maximum",
    );
    let (result, _) = chat(Anthropic, ResponseTemplate::new(400).set_body_json(body)).await;
    assert!(matches!(result, Err(Error::ContextTooLong)), "{result:?}");
}

#[tokio::test]
async fn a_limit_of_money_is_not_waited_for() {
    let mut body = error("rate_limit_error", "secret text");
    body["error"]["details"] = json!({ "error_code": "enforced_spend_limit_reached" });
    let (result, _) = chat(Anthropic, ResponseTemplate::new(429).set_body_json(body)).await;
    assert!(matches!(result, Err(Error::QuotaExhausted)), "{result:?}");
}

#[tokio::test]
async fn the_asked_wait_is_passed_on() {
    let response = refusal(429, "rate_limit_error").insert_header("retry-after", "17");
    let error = chat(Anthropic, response).await.0.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
}
