//! Embeddings of OpenAI and Gemini; Vertex AI's are with it.

use serde_json::{Value, json};
use shared::llm::{
    EmbeddingRequest, Error,
    ProviderName::{Anthropic, Compatible, Gemini, Openai},
    Usage,
};

use super::{
    fixtures::embedding_request,
    server::{ok, only_request, provider, server},
};
use crate::contract::check_openai;

fn openai_answer() -> Value {
    let vector = |index, values: [f64; 2]| json!({ "object": "embedding", "index": index, "embedding": values });
    json!({
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [vector(1, [0.0, 1.0]), vector(0, [1.0, 0.0])],
        "usage": { "prompt_tokens": 3, "total_tokens": 3 },
    })
}

#[tokio::test]
async fn openais_vectors_come_in_the_order_of_the_texts() {
    check_openai("CreateEmbeddingResponse", &openai_answer()).unwrap();
    let server = server(ok(&openai_answer())).await;
    let request = embedding_request("text-embedding-3-small");
    let response = provider(Openai, &server.uri())
        .embed(&request)
        .await
        .unwrap();
    assert_eq!(response.vectors, [[1.0, 0.0], [0.0, 1.0]]);
    let used = Usage {
        input_tokens: 3,
        ..Usage::default()
    };
    assert_eq!(response.usage, used);
    let sent = only_request(&server).await;
    assert_eq!(sent.url.path(), "/embeddings");
    let body: Value = sent.body_json().unwrap();
    check_openai("CreateEmbeddingRequest", &body).unwrap();
    let expected = json!({
        "model": "text-embedding-3-small",
        "input": ["one text", "another"],
        "dimensions": 2,
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_server_that_tells_no_usage_is_estimated() {
    let mut body = openai_answer();
    body.as_object_mut().unwrap().remove("usage");
    let server = server(ok(&body)).await;
    let request = embedding_request("nomic-embed-text");
    let response = provider(Compatible, &server.uri()).embed(&request).await;
    let estimate = Usage::embedding_estimate(&request);
    assert!(estimate.is_estimated);
    assert_eq!(response.unwrap().usage, estimate);
}

#[tokio::test]
async fn a_vector_that_is_missing_or_there_twice_is_malformed() {
    for indexes in [vec![0], vec![0, 0], vec![0, 2], vec![0, 1, 2]] {
        let vectors = indexes
            .iter()
            .map(|index| json!({ "index": index, "embedding": [1.0] }));
        let body = json!({ "data": vectors.collect::<Vec<_>>() });
        let server = server(ok(&body)).await;
        let request = embedding_request("text-embedding-3-small");
        let result = provider(Openai, &server.uri()).embed(&request).await;
        assert!(
            matches!(result, Err(Error::Malformed(_))),
            "{indexes:?}: {result:?}"
        );
    }
}

/// Google describes these messages at <https://ai.google.dev/api/embeddings> only.
#[tokio::test]
async fn geminis_vectors_come_in_one_answer_and_short_ones_are_made_long_again() {
    let answer = json!({ "embeddings": [{ "values": [3.0, 4.0] }, { "values": [0.0, 2.0] }] });
    let server = server(ok(&answer)).await;
    let request = embedding_request("gemini-embedding-2");
    let provider = provider(Gemini, &server.uri());
    let response = provider.embed(&request).await.unwrap();
    assert_eq!(response.vectors, [[0.6, 0.8], [0.0, 1.0]]);
    assert_eq!(response.usage, Usage::embedding_estimate(&request));
    let sent = only_request(&server).await;
    assert_eq!(
        sent.url.path(),
        "/models/gemini-embedding-2:batchEmbedContents"
    );
    let embed = |text| {
        json!({
            "model": "models/gemini-embedding-2",
            "content": { "parts": [{ "text": text }] },
            "outputDimensionality": 2,
        })
    };
    let body: Value = sent.body_json().unwrap();
    let expected = json!({ "requests": [embed("one text"), embed("another")] });
    assert_eq!(body, expected);
    let whole = EmbeddingRequest {
        dimensions: None,
        ..request
    };
    let response = provider.embed(&whole).await.unwrap();
    assert_eq!(response.vectors[0], [3.0, 4.0]);
}

#[tokio::test]
async fn anthropic_has_no_embeddings() {
    let server = server(ok(&json!({}))).await;
    let request = embedding_request("any");
    let result = provider(Anthropic, &server.uri()).embed(&request).await;
    assert!(
        matches!(&result, Err(Error::InvalidRequest { code }) if code == "no_embeddings"),
        "{result:?}"
    );
}
