//! Asking a provider again.

use std::time::Duration;

use serde_json::json;
use shared::{
    llm::{Error, ProviderName::Openai},
    retry::{Policy, Transient, retry},
};
use wiremock::ResponseTemplate;

use super::{
    fixtures::{embedding_request, request},
    server::{provider, server},
};

/// Three attempts without noticeable waits.
fn quick_retry() -> Policy {
    let millisecond = Duration::from_millis(1);
    Policy::new(3, millisecond, millisecond, Duration::from_secs(5)).unwrap()
}

fn refusal(status: u16, code: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({ "error": { "code": code } }))
}

/// How many requests each kind of call takes, and what the first fails with.
async fn requests_for(response: ResponseTemplate) -> ([usize; 3], Error) {
    let server = server(response).await;
    let openai = provider(Openai, &server.uri());
    let count = async || server.received_requests().await.unwrap().len();
    let chat = retry(quick_retry(), async || openai.chat(&request()).await);
    let error = chat.await.unwrap_err();
    let after_chat = count().await;
    let stream = retry(quick_retry(), async || openai.stream(&request()).await);
    assert!(stream.await.is_err());
    let after_stream = count().await;
    let embed = retry(quick_retry(), async || {
        openai.embed(&embedding_request("m")).await
    });
    embed.await.unwrap_err();
    let after_embed = count().await;
    let requests = [
        after_chat,
        after_stream - after_chat,
        after_embed - after_stream,
    ];
    (requests, error)
}

#[tokio::test]
async fn refusals_for_the_moment_are_repeated() {
    for status in [408, 409, 429, 500, 502, 503, 504, 529] {
        let (requests, error) = requests_for(refusal(status, "")).await;
        assert_eq!((requests, error.is_transient()), ([3; 3], true), "{status}");
    }
}

#[tokio::test]
async fn refusals_for_good_are_not_repeated() {
    for (status, code) in [
        (400, "context_length_exceeded"),
        (400, "unknown"),
        (401, "invalid_api_key"),
        (404, "model_not_found"),
        (429, "insufficient_quota"),
    ] {
        let (requests, error) = requests_for(refusal(status, code)).await;
        assert_eq!(
            (requests, error.is_transient()),
            ([1; 3], false),
            "{status}"
        );
    }
}

#[tokio::test]
async fn the_providers_word_on_retrying_wins_over_the_status() {
    let told = |status, word: &str| refusal(status, "c").insert_header("x-should-retry", word);
    for (response, expected) in [
        (told(500, "false"), 1),
        (told(429, "false"), 1),
        (told(400, "true"), 3),
    ] {
        assert_eq!(requests_for(response).await.0, [expected; 3]);
    }
}

#[tokio::test]
async fn a_long_wait_that_is_asked_for_ends_the_attempts() {
    for (header, value, expected) in [
        ("retry-after", "3600", Duration::from_secs(3_600)),
        ("retry-after-ms", "60000", Duration::from_secs(60)),
    ] {
        let response = refusal(429, "rate_limit_exceeded").insert_header(header, value);
        let (requests, error) = requests_for(response).await;
        assert_eq!(error.retry_after(), Some(expected));
        assert_eq!(requests, [1; 3], "the wait is beyond the policy's budget");
    }
}
