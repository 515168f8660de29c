//! Whatever breaks: every provider tells whether the model may have worked, keeps within bounds, and
//! never shows the key.

use std::time::Duration;

use serde_json::json;
use shared::{
    config::Env,
    llm::{
        ChatRequest, Error,
        ProviderName::{self, Anthropic, Compatible, Gemini, Openai, Vertex},
        collect,
    },
    retry::Transient,
    testing::{provider_of, provider_with_key},
};
use tokio::net::TcpListener;
use wiremock::ResponseTemplate;

use super::{
    fixtures::request,
    server::{KEY, chat, cut_after, env, ok, pairs, provider, providers, server, stream, streamed},
};

/// Every provider, and the two publishers that Vertex AI has.
fn all() -> Vec<(ProviderName, ChatRequest)> {
    let names = [Openai, Anthropic, Gemini, Compatible];
    let mut all: Vec<_> = names.map(|name| (name, request())).into();
    for model in ["claude-sonnet-5-5", "gemini-3.8-flash"] {
        let model = model.to_owned();
        all.push((Vertex, ChatRequest { model, ..request() }));
    }
    all
}

fn assert_key_is_hidden(error: &Error) {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary") && !shown.contains(KEY), "{shown}");
        source = error.source();
    }
}

#[tokio::test]
async fn a_connection_that_breaks_within_the_answer_has_an_unknown_outcome() {
    for (name, request) in all() {
        for bytes in ["", "{\"cho", "data: {\"type\":\"ping\"}\n\nda"] {
            let whole = async |url: String| provider(name, &url).chat(&request).await;
            let streamed = async |url: String| {
                let stream = provider(name, &url).stream(&request).await?;
                collect(stream).await
            };
            for result in [
                Box::pin(cut_after(bytes, whole)).await,
                Box::pin(cut_after(bytes, streamed)).await,
            ] {
                let error = result.unwrap_err();
                assert!(matches!(error, Error::Interrupted(_)), "{name}: {error:?}");
                assert!(!error.is_unused());
                assert_key_is_hidden(&error);
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_nothing_was_used() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for (name, request) in all() {
        let error = provider(name, &base_url).chat(&request).await.unwrap_err();
        assert!(
            matches!(error, Error::Unavailable { .. }),
            "{name}: {error:?}"
        );
        assert!(error.is_unused());
        assert_key_is_hidden(&error);
    }
}

#[tokio::test]
async fn a_slow_answer_is_a_timeout_of_unknown_outcome() {
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    let server = server(slow).await;
    let hasty = Env::from_pairs([("LLM_TIMEOUT_SECS", "1")]);
    let env = hasty.with_defaults(pairs(&server.uri()));
    for (name, request) in all() {
        let provider = provider_of(&providers(&env), name).unwrap();
        let error = provider.chat(&request).await.unwrap_err();
        assert!(matches!(error, Error::Timeout(_)), "{name}: {error:?}");
        assert!(!error.is_unused());
        assert_key_is_hidden(&error);
    }
}

#[tokio::test]
async fn answers_of_another_shape_are_malformed() {
    for (name, request) in all() {
        for body in [
            json!([]),
            json!({ "choices": "x" }),
            json!("secret text"),
            json!(null),
        ] {
            let server = server(ok(&body)).await;
            let error = provider(name, &server.uri())
                .chat(&request)
                .await
                .unwrap_err();
            assert!(matches!(error, Error::Malformed(_)), "{name}: {error:?}");
            assert!(!error.is_unused() && !error.is_transient());
            assert!(!format!("{error:?}").contains("secret text"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn streams_of_another_shape_are_malformed() {
    for (name, _) in all() {
        let not_utf8 =
            ResponseTemplate::new(200).set_body_raw(*b"data: \xff\n\n", "text/event-stream");
        for response in [
            streamed("data: \"secret text\"\n\n"),
            streamed("data: [1]\n\n"),
            not_utf8,
        ] {
            let error = stream(name, response).await.unwrap_err();
            assert!(matches!(error, Error::Malformed(_)), "{name}: {error:?}");
            assert!(!format!("{error:?}").contains("secret text"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_of_something_else_is_interrupted() {
    for (name, _) in all() {
        let error = stream(name, streamed("<html></html>")).await.unwrap_err();
        assert!(matches!(error, Error::Interrupted(_)), "{name}: {error:?}");
    }
}

/// Neither one long line nor many short ones are kept without end.
#[tokio::test]
async fn an_event_that_is_too_large_is_malformed() {
    const TOO_LARGE: usize = 9 * 1024 * 1024;
    let long = format!("data: \"{}\"\n\n", "x".repeat(TOO_LARGE));
    let lines = "data: xxxxxxxxx\n".repeat(TOO_LARGE / 16) + "\n";
    for body in [long, lines] {
        let result = stream(Openai, streamed(body)).await;
        let error = result.unwrap_err();
        let source = format!("{error:?}");
        assert!(source.contains("the stream is too large"), "{source}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_malformed() {
    let large = ResponseTemplate::new(200).set_body_string("x".repeat(17 * 1024 * 1024));
    let error = chat(Openai, large).await.0.unwrap_err();
    assert!(
        format!("{error:?}").contains("the answer is too large"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_key_that_is_no_header_is_not_accepted_and_not_shown() {
    let server = server(ok(&json!({}))).await;
    let providers = providers(&env(&server.uri()));
    for name in [Openai, Anthropic, Gemini] {
        let provider = provider_with_key(&providers, name, &"canary\n".into()).unwrap();
        let error = provider.chat(&request()).await.unwrap_err();
        assert!(matches!(error, Error::Unauthenticated), "{name}: {error:?}");
        assert_key_is_hidden(&error);
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}
