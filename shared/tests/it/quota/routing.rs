//! Calls go to a provider that has the model, and leave alone one that fails.

use std::sync::Arc;

use shared::{
    config::Env,
    http::client,
    llm::{ChatRequest, Error as LlmError, Message, ProviderName, Providers, SharedProvider},
    models::Limits,
    quota::{Call, Error, MeteredLlm, Routing},
    service_identity::ServiceIdentity,
    testing::{FixedClock, ScriptedLlm, memory_store},
};

use crate::support::create_organization;

/// A way to providers, and a call of a model.
struct Fixture {
    llm: MeteredLlm,
    call: Call,
}

impl Fixture {
    async fn new(providers: &[(ProviderName, &Arc<ScriptedLlm>)], model: &str) -> Self {
        let (store, _) = memory_store();
        let clock = FixedClock::at("2026-11-30T12:00:00Z");
        let identity = Arc::new(ServiceIdentity::new());
        let mut all = Providers::load(&Env::default(), client().unwrap(), identity).unwrap();
        for (name, provider) in providers {
            all.insert(*name, Arc::clone(provider) as SharedProvider);
        }
        let call = Call {
            org_id: create_organization(&store, Limits::default()).await,
            agent_id: None,
            workflow_id: None,
            execution_id: None,
            request: ChatRequest {
                model: model.to_owned(),
                messages: vec![Message::user("Hello")],
                max_output_tokens: 10,
                ..ChatRequest::default()
            },
        };
        let llm = MeteredLlm::routed(Routing::new(all), store, clock.shared());
        Self { llm, call }
    }

    async fn chat(&self, key: &str) -> Result<String, Error> {
        let mut call = self.call.clone();
        call.request.idempotency_key = key.to_owned();
        let answer = self.llm.chat(&call).await?;
        Ok(answer.response.content)
    }
}

fn saying(text: &str) -> Arc<ScriptedLlm> {
    Arc::new(ScriptedLlm::answering(text))
}

#[tokio::test]
async fn a_model_is_asked_of_the_provider_that_has_it() {
    let (openai, anthropic) = (saying("openai"), saying("anthropic"));
    let providers = [
        (ProviderName::Openai, &openai),
        (ProviderName::Anthropic, &anthropic),
    ];
    for (model, provider) in [("gpt-4.1-mini", "openai"), ("claude-sonnet-5", "anthropic")] {
        let fixture = Fixture::new(&providers, model).await;
        assert_eq!(fixture.chat("k").await.unwrap(), provider);
    }
}

#[tokio::test]
async fn a_model_of_two_providers_is_asked_of_the_one_that_there_is() {
    let vertex = saying("vertex");
    let fixture = Fixture::new(&[(ProviderName::Vertex, &vertex)], "claude-sonnet-5").await;
    assert_eq!(fixture.chat("k").await.unwrap(), "vertex");
}

#[tokio::test]
async fn a_model_that_no_provider_has_is_unknown() {
    let openai = saying("openai");
    for model in ["claude-sonnet-5", "unheard-of"] {
        let fixture = Fixture::new(&[(ProviderName::Openai, &openai)], model).await;
        let error = fixture.chat("k").await.unwrap_err();
        assert!(matches!(error, Error::UnknownModel(_)), "{error}");
    }
    assert!(openai.requests().is_empty());
}

#[tokio::test]
async fn what_nobody_else_has_goes_to_a_server_of_ones_own() {
    let (openai, own) = (saying("openai"), saying("own"));
    let providers = [
        (ProviderName::Openai, &openai),
        (ProviderName::Compatible, &own),
    ];
    for (model, provider) in [("gpt-4.1-mini", "openai"), ("llama-4", "own")] {
        let fixture = Fixture::new(&providers, model).await;
        assert_eq!(fixture.chat("k").await.unwrap(), provider);
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_fails_again_and_again_is_left_alone() {
    let openai = Arc::new(ScriptedLlm::new(|_| {
        Err(LlmError::Unavailable {
            retry_after: None,
            source: "down".into(),
        })
    }));
    let fixture = Fixture::new(&[(ProviderName::Openai, &openai)], "gpt-4.1-mini").await;
    for number in 0..8 {
        let error = fixture.chat(&number.to_string()).await.unwrap_err();
        assert!(matches!(error, Error::Llm(LlmError::Unavailable { .. })));
    }
    assert_eq!(openai.requests().len(), 5);
}
