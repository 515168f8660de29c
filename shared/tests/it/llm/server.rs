//! Servers that say what a test tells them to.

use std::sync::Arc;

use futures::StreamExt;
use serde_json::Value;
use shared::{
    config::Env,
    http::client,
    llm::{ChatResponse, Delta, Error, ProviderName, Providers, SharedProvider, collect},
    service_identity::ServiceIdentity,
    testing::provider_of,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

use super::fixtures::request;

/// The key that no error may show.
pub(crate) const KEY: &str = "sk-canary-7f3a";

/// Variables that lead all providers to one server.
pub(crate) fn pairs(base_url: &str) -> [(&'static str, &str); 11] {
    [
        ("OPENAI_API_KEY", KEY),
        ("OPENAI_BASE_URL", base_url),
        ("ANTHROPIC_API_KEY", KEY),
        ("ANTHROPIC_BASE_URL", base_url),
        ("GEMINI_API_KEY", KEY),
        ("GEMINI_BASE_URL", base_url),
        ("VERTEX_PROJECT", "demo"),
        ("VERTEX_LOCATION", "europe-west1"),
        ("VERTEX_EMULATOR_URL", base_url),
        ("COMPATIBLE_BASE_URL", base_url),
        ("LLM_TIMEOUT_SECS", "30"),
    ]
}

pub(crate) fn env(base_url: &str) -> Env {
    Env::from_pairs(pairs(base_url))
}

pub(crate) fn providers(env: &Env) -> Providers {
    Providers::load(env, client().unwrap(), Arc::new(ServiceIdentity::new())).unwrap()
}

pub(crate) fn provider(name: ProviderName, base_url: &str) -> SharedProvider {
    provider_of(&providers(&env(base_url)), name).unwrap()
}

pub(crate) async fn server(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let mock = Mock::given(matchers::any()).respond_with(response);
    mock.mount(&server).await;
    server
}

/// The only request that a server was sent.
pub(crate) async fn only_request(server: &MockServer) -> Request {
    let mut requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

pub(crate) fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// Events without names, as OpenAI and Google send them.
pub(crate) fn events(events: &[Value]) -> String {
    let lines = events.iter().map(|event| format!("data: {event}\n\n"));
    lines.collect()
}

/// Events with the name that is their type, as Anthropic and OpenAI's Responses send them.
pub(crate) fn named_events(events: &[Value]) -> String {
    let lines = events.iter().map(|event| {
        let name = event["type"].as_str().unwrap();
        format!("event: {name}\ndata: {event}\n\n")
    });
    lines.collect()
}

pub(crate) fn streamed(body: impl Into<String>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body.into(), "text/event-stream")
}

/// What a provider's `chat` makes of a response, and how many requests it took.
pub(crate) async fn chat(
    name: ProviderName,
    response: ResponseTemplate,
) -> (Result<ChatResponse, Error>, usize) {
    let server = server(response).await;
    let result = provider(name, &server.uri()).chat(&request()).await;
    (result, server.received_requests().await.unwrap().len())
}

/// What a provider's `stream` makes of a response.
pub(crate) async fn stream(
    name: ProviderName,
    response: ResponseTemplate,
) -> Result<ChatResponse, Error> {
    let server = server(response).await;
    let provider = provider(name, &server.uri());
    collect(provider.stream(&request()).await?).await
}

/// The pieces that a provider's `stream` makes of a response.
pub(crate) async fn pieces(name: ProviderName, response: ResponseTemplate) -> Vec<Delta> {
    let server = server(response).await;
    let provider = provider(name, &server.uri());
    let stream = provider.stream(&request()).await.unwrap();
    stream.map(Result::unwrap).collect().await
}

/// The outcome of a call to a server that breaks off after some bytes of a body.
pub(crate) async fn cut_after<T>(
    bytes: &str,
    call: impl AsyncFnOnce(String) -> Result<T, Error>,
) -> Result<T, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    let cut = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 16_384];
        let _read = stream.read(&mut request).await.unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99999";
        let response = format!("{head}\r\n\r\n{bytes}");
        stream.write_all(response.as_bytes()).await.unwrap();
    };
    tokio::join!(call(base_url), cut).0
}

/// The error's kind by name, and what the provider calls it where that is told.
pub(crate) fn kind(error: &Error) -> String {
    let kind = match error {
        Error::InvalidRequest { code } => return format!("invalid {code}"),
        Error::ContextTooLong => "too long",
        Error::ContentPolicy => "policy",
        Error::Unauthenticated => "key",
        Error::QuotaExhausted => "quota",
        Error::RateLimited { .. } => "rate",
        Error::Unavailable { .. } => "unavailable",
        Error::Timeout(_) => "timeout",
        Error::Interrupted(_) => "interrupted",
        Error::Malformed(_) => "malformed",
    };
    kind.to_owned()
}

/// A refusal is what is expected, from either kind of call, has used nothing and says nothing that
/// may quote the request.
pub(crate) async fn assert_refused(name: ProviderName, response: ResponseTemplate, expected: &str) {
    let (result, requests) = chat(name, response.clone()).await;
    let error = result.unwrap_err();
    assert_eq!(kind(&error), expected, "{error:?}");
    assert!(error.is_unused());
    assert!(!format!("{error:?}").contains("secret text"), "{error:?}");
    assert_eq!(requests, 1, "a provider tries once");
    let error = stream(name, response).await.unwrap_err();
    assert_eq!(kind(&error), expected, "streamed: {error:?}");
}
