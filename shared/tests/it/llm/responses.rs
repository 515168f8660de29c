//! OpenAI's Responses, for models that chat completions do not have.

use serde_json::{Value, json};
use shared::{
    llm::{
        ChatRequest, ChatResponse, Delta, Error, FinishReason, ProviderName::Openai, ToolChoice,
        Usage, collect,
    },
    retry::Transient,
};
use wiremock::ResponseTemplate;

use super::{
    fixtures::{call, json_schema, request_with_tools, schema},
    server::{named_events, ok, only_request, provider, server, streamed},
};
use crate::contract::check_openai;

const MODEL: &str = "gpt-5.5-pro";

fn request() -> ChatRequest {
    request_with_tools(MODEL)
}

fn answer(status: &str) -> Value {
    let answer = json!({
        "id": "resp_1",
        "object": "response",
        "created_at": 1_795_000_000,
        "model": "gpt-5.5-pro-2026-04-23",
        "status": status,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "metadata": {},
        "parallel_tool_calls": true,
        "temperature": 1.0,
        "top_p": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "output": [
            { "type": "reasoning", "id": "rs_1", "summary": [] },
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [
                    { "type": "output_text", "text": "Cold.", "annotations": [], "logprobs": [] },
                ],
            },
            {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "call_1",
                "name": "weather",
                "arguments": "{}",
                "status": "completed",
            },
        ],
        "usage": {
            "input_tokens": 20,
            "input_tokens_details": { "cached_tokens": 4, "cache_write_tokens": 3 },
            "output_tokens": 7,
            "output_tokens_details": { "reasoning_tokens": 2 },
            "total_tokens": 27,
        },
    });
    check_openai("Response", &answer).unwrap();
    answer
}

fn used() -> Usage {
    Usage {
        input_tokens: 20,
        output_tokens: 7,
        cached_tokens: 4,
        cache_write_tokens: 3,
        reasoning_tokens: 2,
        is_estimated: false,
    }
}

async fn chat(response: ResponseTemplate) -> Result<ChatResponse, Error> {
    let server = server(response).await;
    provider(Openai, &server.uri()).chat(&request()).await
}

async fn stream(events: &[Value]) -> Result<ChatResponse, Error> {
    let server = server(streamed(named_events(events))).await;
    let provider = provider(Openai, &server.uri());
    collect(provider.stream(&request()).await?).await
}

fn event(event: Value) -> Value {
    check_openai("ResponseStreamEvent", &event).unwrap();
    event
}

#[tokio::test]
async fn the_request_fits_the_published_schema() {
    let server = server(ok(&answer("completed"))).await;
    let request = ChatRequest {
        tool_choice: ToolChoice::Named("weather".to_owned()),
        output: json_schema(),
        ..request()
    };
    let provider = provider(Openai, &server.uri());
    provider.chat(&request).await.unwrap();
    let sent = only_request(&server).await;
    assert_eq!(sent.url.path(), "/responses");
    let body: Value = sent.body_json().unwrap();
    check_openai("CreateResponse", &body).unwrap();
    let function = |id, arguments| {
        json!({
            "type": "function_call",
            "call_id": id,
            "name": "weather",
            "arguments": arguments,
        })
    };
    let output =
        |id, output| json!({ "type": "function_call_output", "call_id": id, "output": output });
    let expected = json!({
        "model": MODEL,
        "input": [
            { "role": "system", "content": [{ "type": "input_text", "text": "Be brief." }] },
            { "role": "user", "content": [
                { "type": "input_text", "text": "Where is it?" },
                {
                    "type": "input_image",
                    "image_url": "data:image/png;base64,iVBORw0KGgo=",
                    "detail": "auto",
                },
            ] },
            function("call_1", r#"{"city":"Oslo"}"#),
            function("call_2", "{broken"),
            output("call_1", r#"{"degrees":4}"#),
            output("call_2", "no such city"),
        ],
        "max_output_tokens": 64,
        "top_p": 0.9,
        "tools": [{
            "type": "function",
            "name": "weather",
            "description": "Tells the weather.",
            "parameters": schema(),
            "strict": false,
        }],
        "tool_choice": { "type": "function", "name": "weather" },
        "text": { "format": {
            "type": "json_schema",
            "name": "place",
            "schema": schema(),
            "strict": true,
        } },
        "store": false,
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn the_answer_is_read_with_its_usage() {
    let response = chat(ok(&answer("completed"))).await.unwrap();
    let expected = ChatResponse {
        content: "Cold.".to_owned(),
        tool_calls: vec![call("call_1", "{}")],
        model: "gpt-5.5-pro-2026-04-23".to_owned(),
        usage: used(),
        finish_reason: FinishReason::ToolCalls,
    };
    assert_eq!(response, expected);
}

#[tokio::test]
async fn an_answer_that_is_not_complete_says_why() {
    for (reason, expected) in [
        ("max_output_tokens", FinishReason::Length),
        ("content_filter", FinishReason::ContentFilter),
    ] {
        let mut body = answer("incomplete");
        body["incomplete_details"] = json!({ "reason": reason });
        check_openai("Response", &body).unwrap();
        assert_eq!(chat(ok(&body)).await.unwrap().finish_reason, expected);
    }
}

#[tokio::test]
async fn a_failed_answer_is_an_error() {
    let mut body = answer("failed");
    body["error"] = json!({ "code": "server_error", "message": "secret text" });
    check_openai("Response", &body).unwrap();
    let error = chat(ok(&body)).await.unwrap_err();
    assert!(matches!(error, Error::Interrupted(_)), "{error:?}");
    assert_eq!(error.used(), Some(used()));
    body["usage"] = Value::Null;
    let error = chat(ok(&body)).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("secret text"), "{error:?}");
}

#[tokio::test]
async fn texts_that_end_the_answer_are_refused() {
    let server = server(ok(&answer("completed"))).await;
    let request = ChatRequest {
        stop: vec!["END".to_owned()],
        ..request()
    };
    let error = provider(Openai, &server.uri()).chat(&request).await;
    assert!(
        matches!(&error, Err(Error::InvalidRequest { code }) if code == "no_stop"),
        "{error:?}"
    );
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

fn text(delta: &str) -> Value {
    event(json!({
        "type": "response.output_text.delta",
        "item_id": "msg_1",
        "output_index": 1,
        "content_index": 0,
        "delta": delta,
        "logprobs": [],
        "sequence_number": 1,
    }))
}

#[tokio::test]
async fn the_stream_is_read_with_its_usage() {
    let added = event(json!({
        "type": "response.output_item.added",
        "output_index": 2,
        "sequence_number": 2,
        "item": {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "weather",
            "arguments": "",
        },
    }));
    let arguments = event(json!({
        "type": "response.function_call_arguments.delta",
        "item_id": "fc_1",
        "output_index": 2,
        "delta": "{}",
        "sequence_number": 3,
    }));
    let completed = event(json!({
        "type": "response.completed",
        "response": answer("completed"),
        "sequence_number": 4,
    }));
    let invented = json!({ "type": "response.invented" });
    let events = [
        text("Co"),
        invented,
        text("ld."),
        added,
        arguments,
        completed,
    ];
    assert_eq!(
        stream(&events).await.unwrap(),
        chat(ok(&answer("completed"))).await.unwrap()
    );
}

#[tokio::test]
async fn a_stream_that_fails_has_an_unknown_outcome_once_it_began() {
    let error = event(json!({
        "type": "error",
        "code": "rate_limit_exceeded",
        "message": "secret text",
        "param": null,
        "sequence_number": 2,
    }));
    let at_once = stream(std::slice::from_ref(&error)).await.unwrap_err();
    assert!(matches!(at_once, Error::RateLimited { .. }), "{at_once:?}");
    let later = stream(&[text("Co"), error]).await.unwrap_err();
    assert!(matches!(later, Error::Interrupted(_)), "{later:?}");
    let cut = stream(&[text("Co")]).await.unwrap_err();
    assert!(matches!(cut, Error::Interrupted(_)), "{cut:?}");
}

#[tokio::test]
async fn a_stream_without_usage_is_estimated() {
    let mut response = answer("completed");
    response["usage"] = Value::Null;
    let completed = json!({ "type": "response.completed", "response": response });
    let server = server(streamed(named_events(&[text("Cold."), completed]))).await;
    let provider = provider(Openai, &server.uri());
    let stream = provider.stream(&request()).await.unwrap();
    let pieces: Vec<Delta> = futures::TryStreamExt::try_collect(stream).await.unwrap();
    let estimate = Usage::estimate(&request(), "Cold.".len());
    assert!(
        matches!(pieces.last(), Some(Delta::End { usage, .. }) if *usage == estimate),
        "{pieces:?}"
    );
}

#[tokio::test]
async fn a_stream_that_fails_while_it_reasons_has_used_what_it_tells() {
    let reasoning = event(json!({
        "type": "response.output_item.added",
        "output_index": 0,
        "sequence_number": 1,
        "item": { "type": "reasoning", "id": "rs_1", "summary": [] },
    }));
    let mut response = answer("failed");
    response["error"] = json!({ "code": "server_error", "message": "secret text" });
    let failed = |response: &Value| {
        event(json!({
            "type": "response.failed",
            "response": response,
            "sequence_number": 2,
        }))
    };
    let told = stream(&[failed(&response)]).await.unwrap_err();
    assert_eq!(told.used(), Some(used()));
    assert!(!told.is_unused() && told.is_transient());
    response.as_object_mut().unwrap().remove("usage");
    let untold = stream(&[reasoning, failed(&response)]).await.unwrap_err();
    assert!(
        matches!(untold, Error::Interrupted(_)) && untold.used().is_none(),
        "{untold:?}"
    );
    let at_once = stream(&[failed(&response)]).await.unwrap_err();
    assert!(at_once.is_unused(), "{at_once:?}");
}
