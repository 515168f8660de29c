//! Gemini in pieces.

use serde_json::{Value, json};
use shared::llm::{Delta, Error, ProviderName::Gemini, collect};

use super::{
    fixtures::request,
    gemini::{answer, answer_of, answered},
    server::{events, only_request, pieces, provider, server, stream, streamed},
};

/// The answer above, in pieces.
pub(super) fn answer_events() -> Vec<Value> {
    let whole = answer();
    let part = |index: usize| json!([whole["candidates"][0]["content"]["parts"][index]]);
    vec![
        answer_of(part(0), None),
        answer_of(json!([{ "text": "Co" }]), None),
        answer_of(json!([{ "text": "ld." }]), None),
        answer_of(part(2), None),
        answer_of(json!([{ "text": "" }]), Some("STOP")),
    ]
}

#[tokio::test]
async fn the_stream_is_read_with_its_last_usage() {
    let mut chunks = answer_events();
    chunks[1]["usageMetadata"]["candidatesTokenCount"] = json!(1);
    let server = server(streamed(events(&chunks))).await;
    let provider = provider(Gemini, &server.uri());
    let stream = provider.stream(&request()).await.unwrap();
    assert_eq!(collect(stream).await.unwrap(), answered());
    let sent = only_request(&server).await;
    assert!(sent.url.path().ends_with(":streamGenerateContent"));
    assert_eq!(sent.url.query(), Some("alt=sse"));
}

#[tokio::test]
async fn what_is_used_so_far_is_told_with_each_chunk() {
    let mut chunks = answer_events();
    chunks[1]["usageMetadata"]["candidatesTokenCount"] = json!(1);
    let pieces = pieces(Gemini, streamed(events(&chunks))).await;
    let told = pieces.iter().filter_map(|piece| match piece {
        Delta::Usage(usage) => Some(usage.output_tokens),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    let whole = answered().usage;
    let second = whole.reasoning_tokens + 1;
    let all = whole.output_tokens;
    assert_eq!(told, [all, second, all, all, all]);
}

#[tokio::test]
async fn a_stream_that_ends_early_is_interrupted() {
    let mut chunks = answer_events();
    chunks.pop();
    let result = stream(Gemini, streamed(events(&chunks))).await;
    assert!(matches!(result, Err(Error::Interrupted(_))), "{result:?}");
}

#[tokio::test]
async fn an_error_within_the_stream_has_an_unknown_outcome_once_it_began() {
    let error =
        json!({ "error": { "code": 503, "status": "UNAVAILABLE", "message": "secret text" } });
    let at_once = stream(Gemini, streamed(events(std::slice::from_ref(&error))))
        .await
        .unwrap_err();
    assert!(matches!(at_once, Error::Unavailable { .. }), "{at_once:?}");
    let chunks = [answer_events().remove(1), error];
    let later = stream(Gemini, streamed(events(&chunks))).await.unwrap_err();
    assert!(matches!(later, Error::Interrupted(_)), "{later:?}");
    assert!(!format!("{later:?}").contains("secret text"), "{later:?}");
}
