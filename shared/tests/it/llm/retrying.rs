//! Asking a provider again.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use shared::{
    llm::{Error, Provider, ProviderName::Openai, Retrying},
    retry::{Policy, Transient},
    testing::ScriptedLlm,
};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use super::{
    fixtures::{embedding_request, request},
    openai,
    server::{ok, provider, server},
};

/// Three attempts without noticeable waits.
fn quick_retry() -> Policy {
    let millisecond = Duration::from_millis(1);
    Policy::new(3, millisecond, millisecond, Duration::from_secs(5)).unwrap()
}

fn retrying(base_url: &str) -> Retrying {
    Retrying::new(provider(Openai, base_url), quick_retry())
}

fn refusal(status: u16, code: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({ "error": { "code": code } }))
}

/// How many requests each kind of call takes, and what the first fails with.
async fn requests_for(response: ResponseTemplate) -> ([usize; 3], Error) {
    let server = server(response).await;
    let retrying = Arc::new(retrying(&server.uri()));
    let count = async || server.received_requests().await.unwrap().len();
    let error = retrying.chat(&request()).await.unwrap_err();
    let after_chat = count().await;
    assert!(retrying.stream(&request()).await.is_err());
    let after_stream = count().await;
    retrying.embed(&embedding_request("m")).await.unwrap_err();
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

#[tokio::test]
async fn an_answer_that_may_be_billed_is_not_asked_for_again() {
    let broken = Arc::new(ScriptedLlm::new(|_| Err(Error::Interrupted("cut".into()))));
    let retrying = Retrying::new(broken.clone(), quick_retry());
    let error = retrying.chat(&request()).await.unwrap_err();
    assert!(error.is_transient() && !error.is_unused(), "{error:?}");
    assert_eq!(broken.requests().len(), 1);
}

#[tokio::test]
async fn a_refusal_followed_by_an_answer_is_an_answer() {
    let server = MockServer::start().await;
    let first = Mock::given(matchers::any()).respond_with(refusal(503, ""));
    first.up_to_n_times(1).with_priority(1).mount(&server).await;
    let then = Mock::given(matchers::any()).respond_with(ok(&openai::answer()));
    then.mount(&server).await;
    retrying(&server.uri()).chat(&request()).await.unwrap();
}
