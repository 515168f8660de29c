//! Gemini and Claude on Vertex AI.

use serde_json::{Value, json};
use shared::llm::{ChatRequest, Error, ProviderName::Vertex, Usage, collect};
use wiremock::ResponseTemplate;

use super::{
    anthropic, anthropic_stream,
    fixtures::{embedding_request, request_with_tools},
    gemini, gemini_stream,
    server::{events, named_events, ok, only_request, provider, server, streamed},
};
use crate::contract::{check_ai_platform, check_anthropic};

const PUBLISHERS: &str = "/projects/demo/locations/europe-west1/publishers";

#[tokio::test]
async fn gemini_is_asked_and_answers_as_at_gemini() {
    let server = server(ok(&gemini::answer())).await;
    let request = request_with_tools("gemini-3.8-flash");
    let response = provider(Vertex, &server.uri()).chat(&request).await;
    assert_eq!(response.unwrap(), gemini::answered());
    let sent = only_request(&server).await;
    let path = format!("{PUBLISHERS}/google/models/gemini-3.8-flash:generateContent");
    assert_eq!(sent.url.path(), path);
    let body: Value = sent.body_json().unwrap();
    check_ai_platform("GenerateContentRequest", &body).unwrap();
    assert!(
        !sent.headers.contains_key("authorization"),
        "a stand-in is shown no token"
    );
}

#[tokio::test]
async fn gemini_streams_as_at_gemini() {
    let server = server(streamed(events(&gemini_stream::answer_events()))).await;
    let request = request_with_tools("gemini-3.8-flash");
    let stream = provider(Vertex, &server.uri()).stream(&request).await;
    let response = collect(stream.unwrap()).await.unwrap();
    assert_eq!(response, gemini::answered());
    let sent = only_request(&server).await;
    assert!(sent.url.path().ends_with(":streamGenerateContent"));
    assert_eq!(sent.url.query(), Some("alt=sse"));
}

/// Claude's body has the version in it and the model in the address; all else is Anthropic's.
fn check_claude(body: &Value, definition: &str) {
    assert_eq!(body["anthropic_version"], "vertex-2023-10-16");
    assert_eq!(body.get("model"), None);
    let mut body = body.clone();
    body.as_object_mut().unwrap().remove("anthropic_version");
    body["model"] = json!("claude-sonnet-5-5");
    check_anthropic(definition, &body).unwrap();
}

#[tokio::test]
async fn claude_is_asked_and_answers_as_at_anthropic() {
    let server = server(ok(&anthropic::answer())).await;
    let request = request_with_tools("claude-sonnet-5-5");
    let response = provider(Vertex, &server.uri())
        .chat(&request)
        .await
        .unwrap();
    assert_eq!(
        (response.content.as_str(), response.usage.total()),
        ("Cold.", 24)
    );
    let sent = only_request(&server).await;
    let path = format!("{PUBLISHERS}/anthropic/models/claude-sonnet-5-5:rawPredict");
    assert_eq!(sent.url.path(), path);
    check_claude(&sent.body_json().unwrap(), "MsgReq");
}

#[tokio::test]
async fn claude_streams_as_at_anthropic() {
    let events = anthropic_stream::answer_events();
    let server = server(streamed(named_events(&events))).await;
    let request = request_with_tools("claude-sonnet-5-5");
    let stream = provider(Vertex, &server.uri()).stream(&request).await;
    let response = collect(stream.unwrap()).await.unwrap();
    assert_eq!(
        (response.content.as_str(), response.usage.total()),
        ("Cold.", 24)
    );
    let sent = only_request(&server).await;
    assert!(sent.url.path().ends_with(":streamRawPredict"));
    check_claude(&sent.body_json().unwrap(), "MsgStreamReq");
}

#[tokio::test]
async fn each_publisher_refuses_in_its_own_words() {
    let overloaded = json!({ "type": "error", "error": { "type": "rate_limit_error" } });
    let exhausted = json!({ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED" } });
    for (model, body) in [
        ("claude-sonnet-5-5", overloaded),
        ("claude-sonnet-5-5", exhausted.clone()),
        ("gemini-3.8-flash", exhausted),
    ] {
        let server = server(ResponseTemplate::new(429).set_body_json(body)).await;
        let request = ChatRequest {
            model: model.to_owned(),
            ..request_with_tools(model)
        };
        let result = provider(Vertex, &server.uri()).chat(&request).await;
        assert!(
            matches!(result, Err(Error::RateLimited { .. })),
            "{result:?}"
        );
    }
}

#[tokio::test]
async fn geminis_embeddings_are_asked_for_one_by_one() {
    let answer = json!({
        "embedding": { "values": [3.0, 4.0] },
        "usageMetadata": { "promptTokenCount": 2 },
    });
    check_ai_platform("EmbedContentResponse", &answer).unwrap();
    let server = server(ok(&answer)).await;
    let request = embedding_request("gemini-embedding-2");
    let response = provider(Vertex, &server.uri())
        .embed(&request)
        .await
        .unwrap();
    assert_eq!(response.vectors, [[0.6, 0.8], [0.6, 0.8]]);
    let used = Usage {
        input_tokens: 4,
        ..Usage::default()
    };
    assert_eq!(response.usage, used);
    let sent = server.received_requests().await.unwrap();
    assert_eq!(sent.len(), 2);
    let path = format!("{PUBLISHERS}/google/models/gemini-embedding-2:embedContent");
    assert_eq!(sent[0].url.path(), path);
    let body: Value = sent[1].body_json().unwrap();
    check_ai_platform("EmbedContentRequest", &body).unwrap();
    let expected = json!({
        "content": { "parts": [{ "text": "another" }] },
        "embedContentConfig": { "outputDimensionality": 2 },
    });
    assert_eq!(body, expected);
}

/// Vertex AI's description leaves the shape of predictions open; this is what Google's own client
/// reads (`embedContentResponseFromVertex` of `@google/genai`).
#[tokio::test]
async fn older_embeddings_are_predicted() {
    let embeddings = json!({ "values": [3.0, 4.0], "statistics": { "token_count": 2.0 } });
    let answer = json!({ "predictions": [{ "embeddings": embeddings }] });
    let server = server(ok(&answer)).await;
    let request = embedding_request("text-embedding-005");
    let response = provider(Vertex, &server.uri())
        .embed(&request)
        .await
        .unwrap();
    assert_eq!(
        (response.vectors.len(), response.usage.input_tokens),
        (2, 4)
    );
    assert!(!response.usage.is_estimated);
    let sent = server.received_requests().await.unwrap();
    assert!(sent[0].url.path().ends_with("/text-embedding-005:predict"));
    let body: Value = sent[0].body_json().unwrap();
    let expected = json!({
        "instances": [{ "content": "one text" }],
        "parameters": { "outputDimensionality": 2 },
    });
    assert_eq!(body, expected);
}
