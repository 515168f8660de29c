//! The OpenAI adapter against a server on a local port.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    config::Env,
    http::client,
    llm::{
        ChatRequest, ChatResponse, Error, FinishReason, Message, OpenAi, OpenAiConfig,
        OutputFormat, Provider, Usage,
    },
    retry::{Policy, Transient},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use crate::contract::check_openai;

/// Three attempts without noticeable waits.
fn quick_retry() -> Policy {
    let millisecond = Duration::from_millis(1);
    Policy::new(3, millisecond, millisecond, Duration::from_secs(5)).unwrap()
}

fn open_ai(base_url: &str) -> OpenAi {
    let env = Env::from_pairs([("OPENAI_API_KEY", "sk-test"), ("OPENAI_BASE_URL", base_url)]);
    let mut config = OpenAiConfig::load(&env).unwrap();
    config.timeout = Duration::from_secs(5);
    config.retry = quick_retry();
    OpenAi::new(config, client().unwrap())
}

fn request() -> ChatRequest {
    ChatRequest {
        model: "gpt-4.1-mini".to_owned(),
        messages: vec![
            Message::system("Be brief."),
            Message::user("Is this JSON?"),
            Message::assistant("Which?"),
            Message::user("Any JSON."),
        ],
        max_output_tokens: 64,
        temperature: Some(0.2),
        output: OutputFormat::JsonObject,
        idempotency_key: "execution-1:node-1".to_owned(),
        ..ChatRequest::default()
    }
}

fn answer() -> Value {
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
            "prompt_tokens_details": { "cached_tokens": 4 },
            "completion_tokens_details": { "reasoning_tokens": 2 },
        },
    })
}

async fn server(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let mock = Mock::given(matchers::any()).respond_with(response);
    mock.mount(&server).await;
    server
}

fn refusal(status: u16, kind: &str, code: &str) -> ResponseTemplate {
    let body = json!({ "error": { "message": "secret text", "type": kind, "code": code } });
    ResponseTemplate::new(status).set_body_json(body)
}

/// What `chat` made of a response, and how many requests it took.
async fn chat_against(response: ResponseTemplate) -> (Result<ChatResponse, Error>, usize) {
    let server = server(response).await;
    let result = open_ai(&server.uri()).chat(&request()).await;
    (result, server.received_requests().await.unwrap().len())
}

#[tokio::test]
async fn the_request_fits_the_published_schema() {
    let server = server(ResponseTemplate::new(200).set_body_json(answer())).await;
    let base_url = format!("{}/v1/", server.uri());
    open_ai(&base_url).chat(&request()).await.unwrap();
    let sent = &server.received_requests().await.unwrap()[0];
    assert_eq!(
        (sent.method.as_str(), sent.url.path()),
        ("POST", "/v1/chat/completions")
    );
    assert_eq!(sent.headers["authorization"], "Bearer sk-test");
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
async fn the_answer_is_read_with_its_usage() {
    check_openai("CreateChatCompletionResponse", &answer()).unwrap();
    let (result, _) = chat_against(ResponseTemplate::new(200).set_body_json(answer())).await;
    let expected = ChatResponse {
        content: "{\"yes\":true}".to_owned(),
        tool_calls: Vec::new(),
        model: "gpt-4.1-mini-2025-04-14".to_owned(),
        usage: Usage {
            input_tokens: 20,
            output_tokens: 7,
            cached_tokens: 4,
            reasoning_tokens: 2,
            is_estimated: false,
        },
        finish_reason: FinishReason::Stop,
    };
    assert_eq!(result.unwrap(), expected);
}

#[tokio::test]
async fn new_fields_and_values_do_not_break_the_reader() {
    let mut body = answer();
    body["invented"] = json!({ "a": [1] });
    body["choices"][0]["finish_reason"] = json!("tired");
    body["usage"]["prompt_tokens_details"] = Value::Null;
    body["usage"]
        .as_object_mut()
        .unwrap()
        .remove("completion_tokens_details");
    let (result, _) = chat_against(ResponseTemplate::new(200).set_body_json(body)).await;
    let response = result.unwrap();
    assert_eq!(response.finish_reason, FinishReason::Other);
    assert_eq!(
        (response.usage.cached_tokens, response.usage.input_tokens),
        (0, 20)
    );
}

#[tokio::test]
async fn a_refusal_of_the_model_is_its_answer() {
    let mut body = answer();
    body["choices"][0]["message"] =
        json!({ "role": "assistant", "content": null, "refusal": "No." });
    let (result, _) = chat_against(ResponseTemplate::new(200).set_body_json(body)).await;
    assert_eq!(result.unwrap().content, "No.");
}

#[tokio::test]
async fn an_answer_without_usage_counts_as_the_most_it_can_have_used() {
    let mut body = answer();
    body.as_object_mut().unwrap().remove("usage");
    let (result, _) = chat_against(ResponseTemplate::new(200).set_body_json(body)).await;
    assert_eq!(result.unwrap().usage, Usage::ceiling(&request()));
}

#[tokio::test]
async fn an_answer_of_another_shape_is_malformed_and_not_asked_for_again() {
    for body in [
        json!({ "choices": [] }),
        json!({ "choices": "x" }),
        json!([]),
    ] {
        let (result, requests) = chat_against(ResponseTemplate::new(200).set_body_json(body)).await;
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Malformed(_)), "{error:?}");
        assert_eq!((requests, error.is_unused()), (1, false));
    }
}

#[tokio::test]
async fn permanent_refusals_are_not_repeated() {
    let cases = [
        (400, "invalid_request_error", "context_length_exceeded"),
        (401, "invalid_request_error", "invalid_api_key"),
        (403, "permission_error", "unsupported_country"),
        (404, "invalid_request_error", "model_not_found"),
        (413, "invalid_request_error", "too_large"),
        (422, "invalid_request_error", "unprocessable"),
        (429, "insufficient_quota", "insufficient_quota"),
    ];
    for (status, kind, code) in cases {
        let (result, requests) = chat_against(refusal(status, kind, code)).await;
        let error = result.unwrap_err();
        assert_eq!(
            (requests, error.is_transient()),
            (1, false),
            "{status}: {error:?}"
        );
        assert!(error.is_unused(), "{status}: {error:?}");
        let right = match status {
            401 | 403 => matches!(error, Error::Unauthenticated),
            429 => matches!(error, Error::QuotaExhausted),
            _ => matches!(&error, Error::InvalidRequest { code: found } if found == code),
        };
        assert!(right, "{status}: {error:?}");
        assert!(!format!("{error:?}").contains("secret text"), "{error:?}");
    }
}

#[tokio::test]
async fn transient_refusals_are_repeated() {
    for status in [408, 409, 429, 500, 502, 503, 504, 529] {
        let (result, requests) = chat_against(refusal(status, "server_error", "")).await;
        let error = result.unwrap_err();
        assert_eq!(
            (requests, error.is_transient()),
            (3, true),
            "{status}: {error:?}"
        );
        assert_eq!(
            matches!(error, Error::RateLimited { .. }),
            status == 429,
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn the_providers_word_on_retrying_wins_over_the_status() {
    let told = |status, should_retry| {
        refusal(status, "t", "c").insert_header("x-should-retry", should_retry)
    };
    assert_eq!(chat_against(told(500, "false")).await.1, 1);
    assert_eq!(chat_against(told(429, "false")).await.1, 1);
    assert_eq!(chat_against(told(400, "true")).await.1, 3);
}

#[tokio::test]
async fn missing_credit_is_permanent_whatever_the_header_says() {
    let response = refusal(429, "insufficient_quota", "insufficient_quota");
    let (result, requests) = chat_against(response.insert_header("x-should-retry", "true")).await;
    assert!(matches!(result, Err(Error::QuotaExhausted)), "{result:?}");
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn the_asked_wait_is_passed_on_and_a_long_one_ends_the_attempts() {
    for (header, value, expected) in [
        ("retry-after", "3600", Duration::from_secs(3_600)),
        ("retry-after-ms", "60000", Duration::from_secs(60)),
    ] {
        let response = refusal(429, "tokens", "rate_limit_exceeded").insert_header(header, value);
        let (result, requests) = chat_against(response).await;
        assert_eq!(result.unwrap_err().retry_after(), Some(expected));
        assert_eq!(requests, 1, "the wait is beyond the policy's budget");
    }
}

#[tokio::test]
async fn a_transient_refusal_followed_by_an_answer_is_an_answer() {
    let server = MockServer::start().await;
    let first = Mock::given(matchers::any()).respond_with(refusal(503, "server_error", ""));
    first.up_to_n_times(1).with_priority(1).mount(&server).await;
    let then = ResponseTemplate::new(200).set_body_json(answer());
    Mock::given(matchers::any())
        .respond_with(then)
        .mount(&server)
        .await;
    open_ai(&server.uri()).chat(&request()).await.unwrap();
}

#[tokio::test]
async fn a_slow_answer_is_a_timeout_of_unknown_outcome() {
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    let server = server(slow).await;
    let env = Env::from_pairs([
        ("OPENAI_API_KEY", "sk-test"),
        ("OPENAI_BASE_URL", &server.uri()),
    ]);
    let mut config = OpenAiConfig::load(&env).unwrap();
    config.timeout = Duration::from_millis(50);
    config.retry = quick_retry();
    let error = OpenAi::new(config, client().unwrap())
        .chat(&request())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error:?}");
    assert!(!error.is_unused());
    assert_eq!(
        server.received_requests().await.unwrap().len(),
        1,
        "it may be billed"
    );
}

#[tokio::test]
async fn a_connection_that_breaks_within_the_answer_has_an_unknown_outcome() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let cut = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1_024];
        let _read = stream.read(&mut request).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"cho";
        stream.write_all(head).await.unwrap();
    };
    let model = open_ai(&base_url);
    let request = request();
    let (result, ()) = tokio::join!(model.chat(&request), cut);
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Interrupted(_)), "{error:?}");
    assert!(!error.is_unused());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_nothing_was_used() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = open_ai(&base_url).chat(&request()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(error.is_unused());
}
