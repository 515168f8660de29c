//! OpenAI's chat completions: what is asked, and what is answered.

use serde_json::{Value, json};
use shared::llm::{
    ChatRequest, ChatResponse, Error, FinishReason, ImageDetail, ImageSource, Message,
    OutputFormat, Part,
    ProviderName::{Compatible, Openai},
    Role, ToolChoice, Usage,
};
use wiremock::{Request, ResponseTemplate};

use super::{
    fixtures::{call, json_schema, request, request_with_tools, schema, tool},
    server::{KEY, assert_refused, chat, ok, only_request, provider, server, stream, streamed},
};
use crate::contract::check_openai;

pub(super) fn answer() -> Value {
    json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": "gpt-4.1-mini-2025-04-14",
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": "{\"yes\":true}", "refusal": null },
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": {
            "prompt_tokens": 20,
            "completion_tokens": 7,
            "total_tokens": 27,
            "prompt_tokens_details": { "cached_tokens": 4, "cache_write_tokens": 3 },
            "completion_tokens_details": { "reasoning_tokens": 2 },
        },
    })
}

fn refusal(status: u16, kind: &str, code: &str) -> ResponseTemplate {
    let body = json!({ "error": { "message": "secret text", "type": kind, "code": code } });
    ResponseTemplate::new(status).set_body_json(body)
}

async fn ask(request: &ChatRequest) -> Request {
    let server = server(ok(&answer())).await;
    let base_url = format!("{}/v1/", server.uri());
    provider(Openai, &base_url).chat(request).await.unwrap();
    only_request(&server).await
}

/// The body of a request, which fits the schema.
async fn sent(request: &ChatRequest) -> Value {
    let body = ask(request).await.body_json().unwrap();
    check_openai("CreateChatCompletionRequest", &body).unwrap();
    body
}

#[tokio::test]
async fn the_request_fits_the_published_schema() {
    let request = ChatRequest {
        output: OutputFormat::JsonObject,
        ..request()
    };
    let sent = ask(&request).await;
    let target = (sent.method.as_str(), sent.url.path());
    assert_eq!(target, ("POST", "/v1/chat/completions"));
    assert_eq!(sent.headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(sent.headers["idempotency-key"], "execution-1:node-1");
    let body: Value = sent.body_json().unwrap();
    check_openai("CreateChatCompletionRequest", &body).unwrap();
    let expected = json!({
        "model": "gpt-4.1-mini",
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "Is this JSON?" },
            { "role": "assistant", "content": "Which?" },
            { "role": "user", "content": "Any JSON." },
        ],
        "max_completion_tokens": 64,
        "temperature": 0.2,
        "response_format": { "type": "json_object" },
    });
    assert_eq!(body, expected);
}

#[test]
fn the_schema_refuses_an_invented_field() {
    let body =
        json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }], "maxTokens": 1 });
    check_openai("CreateChatCompletionRequest", &body).unwrap_err();
}

#[tokio::test]
async fn tools_their_calls_and_results_and_images_are_sent() {
    let body = sent(&request_with_tools("gpt-4.1-mini")).await;
    let function = |id, arguments| {
        json!({
            "id": id,
            "type": "function",
            "function": { "name": "weather", "arguments": arguments },
        })
    };
    let expected = json!([
        { "role": "system", "content": "Be brief." },
        { "role": "user", "content": [
            { "type": "text", "text": "Where is it?" },
            {
                "type": "image_url",
                "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" },
            },
        ] },
        { "role": "assistant", "content": null, "tool_calls": [
            function("call_1", r#"{"city":"Oslo"}"#),
            function("call_2", "{broken"),
        ] },
        { "role": "tool", "tool_call_id": "call_1", "content": r#"{"degrees":4}"# },
        { "role": "tool", "tool_call_id": "call_2", "content": "no such city" },
    ]);
    assert_eq!(body["messages"], expected);
    let function = json!({
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": schema(),
    });
    let tools = json!([{ "type": "function", "function": function }]);
    assert_eq!(body["tools"], tools);
    assert_eq!(body["top_p"], 0.9);
}

#[tokio::test]
async fn an_image_may_be_somewhere_else() {
    let image = ImageSource::Url("https://example.com/a.png".to_owned());
    let message = Message {
        role: Role::User,
        parts: vec![Part::Image(image.into())],
    };
    let body = sent(&ChatRequest {
        messages: vec![message],
        ..request()
    })
    .await;
    let url = &body["messages"][0]["content"][0]["image_url"]["url"];
    assert_eq!(url, "https://example.com/a.png");
}

#[tokio::test]
async fn how_strictly_and_how_closely_is_sent_when_it_is_told() {
    let mut request = request_with_tools("gpt-4.1-mini");
    request.tools[0].strict = true;
    let parts = request
        .messages
        .iter_mut()
        .flat_map(|message| &mut message.parts);
    for part in parts {
        if let Part::Image(image) = part {
            image.detail = Some(ImageDetail::Low);
        }
    }
    let body = sent(&request).await;
    assert_eq!(body["tools"][0]["function"]["strict"], true);
    let image = &body["messages"][1]["content"][1]["image_url"];
    assert_eq!(image["detail"], "low");
}

#[tokio::test]
async fn the_choice_of_tools_is_sent_with_tools_only() {
    let named = json!({ "type": "function", "function": { "name": "weather" } });
    for (choice, expected) in [
        (ToolChoice::Auto, Value::Null),
        (ToolChoice::None, json!("none")),
        (ToolChoice::Required, json!("required")),
        (ToolChoice::Named("weather".to_owned()), named),
    ] {
        let mut request = ChatRequest {
            tools: vec![tool()],
            tool_choice: choice,
            ..request()
        };
        assert_eq!(sent(&request).await["tool_choice"], expected);
        request.tools.clear();
        assert_eq!(sent(&request).await["tool_choice"], Value::Null);
    }
}

#[tokio::test]
async fn a_schema_and_texts_that_end_the_answer_are_sent() {
    let body = sent(&ChatRequest {
        output: json_schema(),
        stop: vec!["END".to_owned()],
        ..request()
    })
    .await;
    let format = json!({
        "type": "json_schema",
        "json_schema": { "name": "place", "schema": schema(), "strict": true },
    });
    assert_eq!(body["response_format"], format);
    assert_eq!(body["stop"], json!(["END"]));
}

#[tokio::test]
async fn a_compatible_server_is_asked_by_the_old_limit_and_without_a_key() {
    let server = server(ok(&answer())).await;
    let provider = provider(Compatible, &server.uri());
    provider.chat(&request()).await.unwrap();
    let sent = only_request(&server).await;
    assert!(!sent.headers.contains_key("authorization"));
    let body: Value = sent.body_json().unwrap();
    check_openai("CreateChatCompletionRequest", &body).unwrap();
    let limits = (&body["max_tokens"], body.get("max_completion_tokens"));
    assert_eq!(limits, (&json!(64), None));
}

#[tokio::test]
async fn the_answer_is_read_with_its_usage() {
    check_openai("CreateChatCompletionResponse", &answer()).unwrap();
    let (result, _) = chat(Openai, ok(&answer())).await;
    let expected = ChatResponse {
        content: "{\"yes\":true}".to_owned(),
        tool_calls: Vec::new(),
        model: "gpt-4.1-mini-2025-04-14".to_owned(),
        usage: Usage {
            input_tokens: 20,
            output_tokens: 7,
            cached_tokens: 4,
            cache_write_tokens: 3,
            reasoning_tokens: 2,
            is_estimated: false,
        },
        finish_reason: FinishReason::Stop,
    };
    assert_eq!(result.unwrap(), expected);
}

#[tokio::test]
async fn calls_of_tools_are_read() {
    let mut body = answer();
    body["choices"][0]["finish_reason"] = json!("tool_calls");
    body["choices"][0]["message"] = json!({
        "role": "assistant",
        "content": null,
        "refusal": null,
        "tool_calls": [{
            "id": "call_1",
            "type": "function",
            "function": { "name": "weather", "arguments": "{}" },
        }],
    });
    check_openai("CreateChatCompletionResponse", &body).unwrap();
    let response = chat(Openai, ok(&body)).await.0.unwrap();
    assert_eq!(response.tool_calls, [call("call_1", "{}")]);
    assert_eq!(response.finish_reason, FinishReason::ToolCalls);
}

#[tokio::test]
async fn new_fields_and_values_do_not_break_the_reader() {
    let mut body = answer();
    body["invented"] = json!({ "a": [1] });
    body["choices"][0]["finish_reason"] = json!("tired");
    body["choices"][0]["message"]["tool_calls"] = json!([{ "id": "c", "type": "invented" }]);
    body["usage"]["prompt_tokens_details"] = Value::Null;
    let usage = body["usage"].as_object_mut().unwrap();
    usage.remove("completion_tokens_details");
    let response = chat(Openai, ok(&body)).await.0.unwrap();
    assert_eq!(response.finish_reason, FinishReason::Other);
    assert_eq!(response.tool_calls, []);
    let Usage {
        cached_tokens,
        input_tokens,
        ..
    } = response.usage;
    assert_eq!((cached_tokens, input_tokens), (0, 20));
}

#[tokio::test]
async fn a_refusal_of_the_model_is_its_answer() {
    let mut body = answer();
    body["choices"][0]["message"] =
        json!({ "role": "assistant", "content": null, "refusal": "No." });
    let (result, _) = chat(Openai, ok(&body)).await;
    assert_eq!(result.unwrap().content, "No.");
}

#[tokio::test]
async fn an_answer_without_usage_counts_as_the_most_it_can_have_used() {
    let mut body = answer();
    body.as_object_mut().unwrap().remove("usage");
    let (result, _) = chat(Openai, ok(&body)).await;
    let most = Usage {
        is_estimated: true,
        ..Usage::ceiling(&request())
    };
    assert_eq!(result.unwrap().usage, most);
}

#[tokio::test]
async fn a_usage_of_nothing_is_not_believed() {
    let mut body = answer();
    body["usage"] = json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 });
    let usage = chat(Openai, ok(&body)).await.0.unwrap().usage;
    assert_eq!(usage.total(), Usage::ceiling(&request()).total());
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for (status, kind, code, expected) in [
        (
            400,
            "invalid_request_error",
            "context_length_exceeded",
            "too long",
        ),
        (
            400,
            "invalid_request_error",
            "content_policy_violation",
            "policy",
        ),
        (400, "invalid_request_error", "invalid_prompt", "policy"),
        (400, "invalid_request_error", "unknown", "invalid unknown"),
        (
            400,
            "invalid_request_error",
            "a text",
            "invalid invalid_request_error",
        ),
        (401, "invalid_request_error", "invalid_api_key", "key"),
        (403, "permission_error", "unsupported_country", "key"),
        (404, "e", "model_not_found", "invalid model_not_found"),
        (413, "e", "too_large", "invalid too_large"),
        (422, "e", "unprocessable", "invalid unprocessable"),
        (429, "insufficient_quota", "insufficient_quota", "quota"),
        (429, "tokens", "rate_limit_exceeded", "rate"),
        (408, "e", "", "unavailable"),
        (409, "e", "", "unavailable"),
        (500, "server_error", "", "unavailable"),
        (503, "server_error", "", "unavailable"),
        (529, "server_error", "", "unavailable"),
    ] {
        assert_refused(Openai, refusal(status, kind, code), expected).await;
    }
}

/// vLLM's, as of <https://github.com/vllm-project/vllm>.
#[tokio::test]
async fn a_compatible_server_says_too_long_in_words() {
    let message = "This model's maximum context length is 4096 tokens. However, ...";
    let body = json!({ "error": { "message": message, "type": "BadRequestError", "code": 400 } });
    let response = ResponseTemplate::new(400).set_body_json(body);
    let error = chat(Compatible, response).await.0.unwrap_err();
    assert!(matches!(error, Error::ContextTooLong), "{error:?}");
}

#[tokio::test]
async fn missing_credit_is_permanent_whatever_the_header_says() {
    let response = refusal(429, "insufficient_quota", "insufficient_quota");
    let response = response.insert_header("x-should-retry", "true");
    let (result, _) = chat(Openai, response).await;
    assert!(matches!(result, Err(Error::QuotaExhausted)), "{result:?}");
}

#[tokio::test]
async fn an_answer_that_is_no_stream_is_malformed() {
    let result = stream(Openai, streamed("data: {\"choices\": 1}\n\n")).await;
    assert!(matches!(result, Err(Error::Malformed(_))), "{result:?}");
}
