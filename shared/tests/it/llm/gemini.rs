//! Google's Gemini.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    llm::{
        ChatRequest, ChatResponse, FinishReason, ImageSource, Message, OutputFormat, Part,
        ProviderName::Gemini, Role, ToolCall, ToolChoice, Usage,
    },
    retry::Transient,
};
use wiremock::{Request, ResponseTemplate};

use super::{
    fixtures::{json_schema, request, request_with_tools, schema, tool},
    server::{
        KEY, assert_refused, chat, events, kind, ok, only_request, provider, server, stream,
        streamed,
    },
};
use crate::contract::check_ai_platform;

const MODEL: &str = "gemini-3.8-flash";

pub(super) fn answer_of(parts: Value, finish_reason: Option<&str>) -> Value {
    let mut answer = json!({
        "candidates": [{ "content": { "role": "model", "parts": parts }, "index": 0 }],
        "usageMetadata": {
            "promptTokenCount": 20,
            "cachedContentTokenCount": 4,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 2,
            "totalTokenCount": 27,
        },
        "modelVersion": "gemini-3.8-flash-001",
        "responseId": "r1",
    });
    if let Some(reason) = finish_reason {
        answer["candidates"][0]["finishReason"] = json!(reason);
    }
    check_ai_platform("GenerateContentResponse", &answer).unwrap();
    answer
}

pub(super) fn answer() -> Value {
    let call = json!({ "id": "f1", "name": "weather", "args": { "city": "Oslo" } });
    let parts = json!([
        { "text": "Hm.", "thought": true },
        { "text": "Cold." },
        { "functionCall": call, "thoughtSignature": "c2ln" },
    ]);
    answer_of(parts, Some("STOP"))
}

pub(super) fn answered() -> ChatResponse {
    ChatResponse {
        content: "Cold.".to_owned(),
        tool_calls: vec![ToolCall {
            id: "f1".to_owned(),
            name: "weather".to_owned(),
            arguments: r#"{"city":"Oslo"}"#.to_owned(),
            signature: Some("c2ln".to_owned()),
        }],
        model: "gemini-3.8-flash-001".to_owned(),
        usage: Usage {
            input_tokens: 20,
            output_tokens: 7,
            cached_tokens: 4,
            reasoning_tokens: 2,
            ..Usage::default()
        },
        finish_reason: FinishReason::ToolCalls,
    }
}

async fn ask(request: &ChatRequest) -> Request {
    let server = server(ok(&answer())).await;
    provider(Gemini, &server.uri()).chat(request).await.unwrap();
    only_request(&server).await
}

/// The body of a request, which fits the schema.
async fn sent(request: &ChatRequest) -> Value {
    let body = ask(request).await.body_json().unwrap();
    check_ai_platform("GenerateContentRequest", &body).unwrap();
    body
}

#[tokio::test]
async fn the_request_fits_the_published_schema() {
    let sent = ask(&request_with_tools(MODEL)).await;
    let target = (sent.method.as_str(), sent.url.path());
    assert_eq!(target, ("POST", "/models/gemini-3.8-flash:generateContent"));
    assert_eq!(sent.headers["x-goog-api-key"], KEY);
    assert_eq!(sent.url.query(), None, "a key in an address is logged");
    let body: Value = sent.body_json().unwrap();
    check_ai_platform("GenerateContentRequest", &body).unwrap();
    let call = |id, args| json!({ "id": id, "name": "weather", "args": args });
    let result = |id, response| json!({ "functionResponse": { "id": id, "name": "weather", "response": response } });
    let declaration = json!({
        "name": "weather",
        "description": "Tells the weather.",
        "parametersJsonSchema": schema(),
    });
    let expected = json!({
        "systemInstruction": { "parts": [{ "text": "Be brief." }] },
        "contents": [
            { "role": "user", "parts": [
                { "text": "Where is it?" },
                { "inlineData": { "mimeType": "image/png", "data": "iVBORw0KGgo=" } },
            ] },
            { "role": "model", "parts": [
                {
                    "functionCall": call("call_1", json!({ "city": "Oslo" })),
                    "thoughtSignature": "skip_thought_signature_validator",
                },
                { "functionCall": call("call_2", json!({})) },
            ] },
            { "role": "user", "parts": [
                result("call_1", json!({ "degrees": 4 })),
                result("call_2", json!({ "output": "no such city" })),
            ] },
        ],
        "tools": [{ "functionDeclarations": [declaration] }],
        "generationConfig": { "maxOutputTokens": 64, "topP": 0.9 },
    });
    assert_eq!(body, expected);
}

#[test]
fn the_schema_refuses_an_invented_field() {
    let body = json!({ "contents": [], "generationConfig": { "maxTokens": 1 } });
    check_ai_platform("GenerateContentRequest", &body).unwrap_err();
}

#[tokio::test]
async fn a_call_goes_back_with_its_signature() {
    let response = chat(Gemini, ok(&answer())).await.0.unwrap();
    let message = Message {
        role: Role::Assistant,
        parts: response
            .tool_calls
            .into_iter()
            .map(Part::ToolCall)
            .collect(),
    };
    let body = sent(&ChatRequest {
        messages: vec![message],
        ..request()
    })
    .await;
    let part = &body["contents"][0]["parts"][0];
    assert_eq!(part["thoughtSignature"], "c2ln");
    assert_eq!(part["functionCall"]["id"], "f1");
}

#[tokio::test]
async fn an_id_that_gemini_did_not_give_is_not_told_to_it() {
    let parts = json!([{ "functionCall": { "name": "weather" } }]);
    let (result, _) = chat(Gemini, ok(&answer_of(parts, Some("STOP")))).await;
    let call = result.unwrap().tool_calls.remove(0);
    assert!(!call.id.is_empty());
    assert_eq!(call.arguments, "{}");
    let said = Message {
        role: Role::Assistant,
        parts: vec![Part::ToolCall(call.clone())],
    };
    let body = sent(&ChatRequest {
        messages: vec![said, Message::tool_result(&call, "cold")],
        ..request()
    })
    .await;
    let contents = &body["contents"];
    assert_eq!(contents[0]["parts"][0]["functionCall"].get("id"), None);
    assert_eq!(contents[1]["parts"][0]["functionResponse"].get("id"), None);
}

#[tokio::test]
async fn a_schema_and_texts_that_end_the_answer_are_sent() {
    let body = sent(&ChatRequest {
        output: json_schema(),
        stop: vec!["END".to_owned()],
        ..request()
    })
    .await;
    let config = json!({
        "maxOutputTokens": 64,
        "temperature": 0.2,
        "stopSequences": ["END"],
        "responseMimeType": "application/json",
        "responseJsonSchema": schema(),
    });
    assert_eq!(body["generationConfig"], config);
    let body = sent(&ChatRequest {
        output: OutputFormat::JsonObject,
        ..request()
    })
    .await;
    let config = &body["generationConfig"];
    assert_eq!(config["responseMimeType"], "application/json");
    assert_eq!(config.get("responseJsonSchema"), None);
}

#[tokio::test]
async fn the_choice_of_tools_is_sent() {
    let named = json!({ "mode": "ANY", "allowedFunctionNames": ["weather"] });
    for (choice, expected) in [
        (ToolChoice::None, json!({ "mode": "NONE" })),
        (ToolChoice::Required, json!({ "mode": "ANY" })),
        (ToolChoice::Named("weather".to_owned()), named),
    ] {
        let request = ChatRequest {
            tools: vec![tool()],
            tool_choice: choice,
            ..request()
        };
        let config = &sent(&request).await["toolConfig"];
        assert_eq!(config["functionCallingConfig"], expected);
    }
}

async fn refused(request: &ChatRequest) -> String {
    let server = server(ok(&answer())).await;
    let result = provider(Gemini, &server.uri()).chat(request).await;
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
    kind(&result.unwrap_err())
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused() {
    let image = ImageSource::Url("https://example.com/a.png".to_owned());
    let message = Message {
        role: Role::User,
        parts: vec![Part::Image(image.into())],
    };
    let by_url = ChatRequest {
        messages: vec![message],
        ..request()
    };
    assert_eq!(refused(&by_url).await, "invalid image_by_url");
    for model in ["../tunedModels/x", "a/b", "a:b", "a?b", "a%2fb", ""] {
        let elsewhere = ChatRequest {
            model: model.to_owned(),
            ..request()
        };
        assert_eq!(
            refused(&elsewhere).await,
            "invalid unknown_model",
            "{model}"
        );
    }
}

#[tokio::test]
async fn the_answer_is_read_without_its_thoughts() {
    let (result, _) = chat(Gemini, ok(&answer())).await;
    assert_eq!(result.unwrap(), answered());
}

#[tokio::test]
async fn a_blocked_prompt_is_an_answer_that_was_withheld() {
    let body = json!({
        "promptFeedback": { "blockReason": "PROHIBITED_CONTENT" },
        "usageMetadata": { "promptTokenCount": 20, "totalTokenCount": 20 },
    });
    check_ai_platform("GenerateContentResponse", &body).unwrap();
    for response in [
        chat(Gemini, ok(&body)).await.0,
        stream(Gemini, streamed(events(&[body]))).await,
    ] {
        let response = response.unwrap();
        assert_eq!(response.finish_reason, FinishReason::ContentFilter);
        assert_eq!(
            (response.usage.total(), response.content.as_str()),
            (20, "")
        );
    }
}

#[tokio::test]
async fn the_reasons_to_end_are_told_apart_and_new_ones_do_not_break_the_reader() {
    for (reason, expected) in [
        ("STOP", FinishReason::Stop),
        ("MAX_TOKENS", FinishReason::Length),
        ("SAFETY", FinishReason::ContentFilter),
        ("RECITATION", FinishReason::ContentFilter),
        ("MALFORMED_FUNCTION_CALL", FinishReason::Other),
        ("INVENTED", FinishReason::Other),
    ] {
        let body = json!({ "candidates": [{ "finishReason": reason, "invented": 1 }] });
        let response = chat(Gemini, ok(&body)).await.0.unwrap();
        assert_eq!(response.finish_reason, expected, "{reason}");
        assert!(response.usage.is_estimated);
    }
}

fn refusal(status: u16, name: &str, message: &str, details: &Value) -> ResponseTemplate {
    let error = json!({ "code": status, "status": name, "message": message, "details": details });
    ResponseTemplate::new(status).set_body_json(json!({ "error": error }))
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let key = json!([{ "@type": "ErrorInfo", "reason": "API_KEY_INVALID" }]);
    let quota = |id| json!([{ "violations": [{ "quotaId": id }] }]);
    let day = quota("GenerateRequestsPerDayPerProject");
    let minute = quota("GenerateRequestsPerMinutePerProject");
    let none = json!([]);
    for (status, name, details, expected) in [
        (400, "INVALID_ARGUMENT", &none, "invalid INVALID_ARGUMENT"),
        (400, "INVALID_ARGUMENT", &key, "key"),
        (401, "UNAUTHENTICATED", &none, "key"),
        (403, "PERMISSION_DENIED", &none, "key"),
        (404, "NOT_FOUND", &none, "invalid NOT_FOUND"),
        (429, "RESOURCE_EXHAUSTED", &day, "quota"),
        (429, "RESOURCE_EXHAUSTED", &minute, "rate"),
        (500, "INTERNAL", &none, "unavailable"),
        (503, "UNAVAILABLE", &none, "unavailable"),
    ] {
        let response = refusal(status, name, "secret text", details);
        assert_refused(Gemini, response, expected).await;
    }
    let long = "The input token count (9) exceeds the maximum number of tokens allowed (8).";
    let response = refusal(400, "INVALID_ARGUMENT", long, &none);
    assert_refused(Gemini, response, "too long").await;
}

#[tokio::test]
async fn the_asked_wait_is_passed_on() {
    let details = json!([{ "@type": "RetryInfo", "retryDelay": "34.5s" }]);
    let response = refusal(429, "RESOURCE_EXHAUSTED", "", &details);
    let error = chat(Gemini, response).await.0.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_millis(34_500)));
}
