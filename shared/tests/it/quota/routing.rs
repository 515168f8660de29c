//! Calls go to a provider that has the model, and leave alone one that fails.

use std::{collections::HashSet, sync::Arc, time::Duration};

use shared::{
    llm::{ChatRequest, Error as LlmError, Message, ProviderName, SharedProvider},
    models::Limits,
    quota::{Call, Error, MeteredLlm, Routing},
    retry::Policy,
    testing::{self, FixedClock, ScriptedLlm, memory_store},
};

use tokio::time::Instant;

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
        let shared = |provider: &Arc<ScriptedLlm>| Arc::clone(provider) as SharedProvider;
        let all = providers
            .iter()
            .map(|(name, provider)| (*name, shared(provider)));
        let all = testing::providers(all);
        let call = Call {
            org_id: create_organization(&store, Limits::default()).await,
            agent_id: None,
            workflow_id: None,
            execution_id: None,
            uid: None,
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

    /// The same, as services ask.
    fn repeating(self) -> Self {
        let llm = self.llm.with_repeats(Policy::REMOTE_CALL);
        Self { llm, ..self }
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

fn limited(retry_after_secs: u64) -> LlmError {
    let retry_after = Some(Duration::from_secs(retry_after_secs));
    LlmError::RateLimited { retry_after }
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_a_moment_is_given_it() {
    let openai = Arc::new(ScriptedLlm::in_order([
        Err(limited(2)),
        Ok("two"),
        Ok("one"),
    ]));
    let fixture = Fixture::new(&[(ProviderName::Openai, &openai)], "gpt-4.1-mini").await;
    let fixture = fixture.repeating();
    let started = Instant::now();
    let both = futures::join!(fixture.chat("a"), fixture.chat("b"));
    let mut both = [both.0.unwrap(), both.1.unwrap()];
    both.sort();
    assert_eq!(both, ["one", "two"], "the pause of one fails no other");
    assert_eq!(started.elapsed().as_secs(), 2);
    let keys: HashSet<_> = openai
        .requests()
        .into_iter()
        .map(|call| call.idempotency_key)
        .collect();
    assert_eq!(
        (openai.requests().len(), keys.len()),
        (3, 2),
        "a repeat is the same call"
    );
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_too_long_is_not_waited_for() {
    let openai = Arc::new(ScriptedLlm::in_order([Err(limited(60))]));
    let fixture = Fixture::new(&[(ProviderName::Openai, &openai)], "gpt-4.1-mini").await;
    let error = fixture.repeating().chat("k").await.unwrap_err();
    assert!(
        matches!(error, Error::Llm(LlmError::RateLimited { .. })),
        "{error}"
    );
    assert_eq!(openai.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_may_be_billed_is_not_asked_again() {
    let cut = || Err(LlmError::Interrupted("cut".into()));
    let openai = Arc::new(ScriptedLlm::in_order([cut(), Ok("late")]));
    let fixture = Fixture::new(&[(ProviderName::Openai, &openai)], "gpt-4.1-mini").await;
    let error = fixture.repeating().chat("k").await.unwrap_err();
    assert!(
        matches!(error, Error::Llm(LlmError::Interrupted(_))),
        "{error}"
    );
    assert_eq!(openai.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_one_call_is_asked_for_fails_no_other() {
    let openai = Arc::new(ScriptedLlm::in_order([Err(limited(60)), Ok("two")]));
    let fixture = Fixture::new(&[(ProviderName::Openai, &openai)], "gpt-4.1-mini").await;
    fixture.chat("a").await.unwrap_err();
    assert_eq!(fixture.chat("b").await.unwrap(), "two");
}
