//! Names of an organization for models, and who is asked in whose place.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use shared::{
    ids::OrgId,
    llm::{Error, ProviderName, SharedProvider},
    models::{UsageEntry, UsageState},
    store::decode,
    testing::{ScriptedLlm, providers},
};

use crate::app::{Answer, TestApp};

pub(crate) const FAST: &str = "/llm/routes/fast";

fn candidate(provider: &str, model: &str) -> Value {
    json!({ "provider": provider, "model": model })
}

/// OpenAI first, then Anthropic.
pub(crate) fn two() -> Value {
    let (one, other) = (
        candidate("openai", "gpt-4.1-mini"),
        candidate("anthropic", "claude-sonnet-5"),
    );
    json!({ "steps": [{ "candidates": [one] }, { "candidates": [other] }] })
}

pub(crate) fn question(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "Hello there" }] })
}

/// The API between two providers of which the first fails, or answers.
pub(crate) struct Upstreams {
    pub(crate) app: TestApp,
    openai: Arc<ScriptedLlm>,
    anthropic: Arc<ScriptedLlm>,
}

impl Upstreams {
    pub(crate) async fn new(openai: ScriptedLlm) -> Self {
        let (openai, anthropic) = (Arc::new(openai), Arc::new(ScriptedLlm::answering("Claude")));
        let all: [(_, SharedProvider); 2] = [
            (ProviderName::Openai, openai.clone()),
            (ProviderName::Anthropic, anthropic.clone()),
        ];
        let app = TestApp::with_providers(providers(all)).await;
        Self {
            app,
            openai,
            anthropic,
        }
    }

    pub(crate) async fn set(&self, route: &Value) {
        let set = self.app.put("admin", FAST, route).await;
        assert_eq!(set.status, 200, "{}", set.body);
    }

    async fn ask(&self) -> Answer {
        self.app
            .post("user", "/llm/chat/completions", &question("fast"))
            .await
    }

    pub(crate) fn asked(&self) -> [usize; 2] {
        [&self.openai, &self.anthropic].map(|llm| llm.requests().len())
    }

    /// Models and states of the ledger.
    pub(crate) fn booked(&self) -> Vec<(String, UsageState)> {
        let entries = self.app.db.documents("usage_ledger/");
        let entries = entries
            .iter()
            .map(|entry| decode::<UsageEntry>(entry).unwrap());
        let mut entries: Vec<_> = entries.map(|entry| (entry.model, entry.state)).collect();
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        entries
    }
}

fn unavailable() -> Error {
    Error::Unavailable {
        retry_after: None,
        source: "down".into(),
    }
}

#[tokio::test]
async fn a_provider_that_fails_is_replaced_and_each_attempt_is_booked_once() {
    for (error, state) in [
        (
            Error::RateLimited { retry_after: None },
            UsageState::Released,
        ),
        (unavailable(), UsageState::Released),
        // Nobody knows what it has used: an estimate is booked.
        (Error::Timeout("late".into()), UsageState::Settled),
    ] {
        let told = error.to_string();
        let upstreams = Upstreams::new(ScriptedLlm::in_order([Err(error)])).await;
        upstreams.set(&two()).await;
        let answer = upstreams.ask().await;
        assert_eq!(answer.status, 200, "{told}: {}", answer.body);
        assert_eq!(answer.body["choices"][0]["message"]["content"], "Claude");
        assert_eq!(answer.body["model"], "claude-sonnet-5");
        assert_eq!(upstreams.asked(), [1, 1], "{told}");
        let expected = [
            ("claude-sonnet-5", UsageState::Settled),
            ("gpt-4.1-mini", state),
        ];
        let expected = expected.map(|(model, state)| (model.to_owned(), state));
        assert_eq!(upstreams.booked(), expected, "{told}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_request_is_asked_of_nobody_else() {
    let code = "invalid".to_owned();
    let refused = ScriptedLlm::in_order([Err(Error::InvalidRequest { code })]);
    let upstreams = Upstreams::new(refused).await;
    upstreams.set(&two()).await;
    assert_eq!(upstreams.ask().await.refusal(), (400, "invalid_argument"));
    assert_eq!(upstreams.asked(), [1, 0]);
}

#[tokio::test]
async fn a_provider_that_fails_again_and_again_is_left_alone() {
    let upstreams = Upstreams::new(ScriptedLlm::new(|_| Err(unavailable()))).await;
    upstreams.set(&two()).await;
    for _ in 0..8 {
        assert_eq!(upstreams.ask().await.status, 200);
    }
    assert_eq!(upstreams.asked(), [5, 8]);
}

#[tokio::test]
async fn a_route_says_after_which_failures_somebody_else_is_asked() {
    let upstreams = Upstreams::new(ScriptedLlm::in_order([Err(unavailable())])).await;
    let mut route = two();
    route["fallbackOn"] = json!(["timeout"]);
    upstreams.set(&route).await;
    assert_eq!(upstreams.ask().await.refusal(), (503, "unavailable"));
    assert_eq!(upstreams.asked(), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_route_says_how_long_is_waited() {
    let slow = Arc::new(Slow);
    let anthropic = Arc::new(ScriptedLlm::answering("Claude"));
    let all: [(_, SharedProvider); 2] = [
        (ProviderName::Openai, slow),
        (ProviderName::Anthropic, anthropic.clone()),
    ];
    let app = TestApp::with_providers(providers(all)).await;
    let mut route = two();
    route["timeouts"] = json!({ "totalMs": 50 });
    app.put("admin", FAST, &route).await;
    let answer = app
        .post("user", "/llm/chat/completions", &question("fast"))
        .await;
    assert_eq!(answer.body["choices"][0]["message"]["content"], "Claude");
}

#[tokio::test]
async fn a_change_works_within_five_seconds_and_a_removal_too() {
    let upstreams = Upstreams::new(ScriptedLlm::answering("GPT")).await;
    assert_eq!(
        upstreams.ask().await.fields(),
        ["model"],
        "there is no such name"
    );
    upstreams.set(&two()).await;
    let content = async || {
        upstreams.app.clock.advance(Duration::from_secs(5));
        let answer = upstreams.ask().await;
        answer.body["choices"][0]["message"]["content"].clone()
    };
    assert_eq!(content().await, "GPT");
    let claude =
        json!({ "steps": [{ "candidates": [candidate("anthropic", "claude-sonnet-5")] }] });
    upstreams.set(&claude).await;
    assert_eq!(content().await, "Claude");
    assert_eq!(upstreams.app.delete("admin", FAST).await.status, 204);
    assert_eq!(content().await, Value::Null);
    assert_eq!(
        upstreams.app.delete("admin", FAST).await.refusal(),
        (404, "not_found")
    );
}

#[tokio::test]
async fn members_see_routes_and_their_names_are_models() {
    let upstreams = Upstreams::new(ScriptedLlm::answering("GPT")).await;
    upstreams.set(&two()).await;
    let routes = upstreams.app.get("viewer", "/llm/routes").await.body;
    let route = &routes["routes"][0];
    assert_eq!(
        (&route["alias"], &route["cache"]),
        (&json!("fast"), &Value::Null)
    );
    assert_eq!(route["steps"][1]["candidates"][0]["provider"], "anthropic");
    assert_eq!(route["timeouts"]["totalMs"], 120_000);
    let models = upstreams.app.get("user", "/llm/models").await.body;
    let ids = models["data"].as_array().unwrap().iter();
    let ids: Vec<_> = ids.filter_map(|model| model["id"].as_str()).collect();
    for (model, is_there) in [
        ("fast", true),
        ("claude-sonnet-5", true),
        ("gemini-3.5-flash", false),
    ] {
        assert_eq!(ids.contains(&model), is_there, "{model} {ids:?}");
    }
    let other = upstreams.app.get("stranger", "/llm/routes").await.body;
    assert_eq!(other, json!({ "routes": [] }));
    let foreign = upstreams
        .app
        .post("stranger", "/llm/chat/completions", &question("fast"))
        .await;
    assert_eq!(foreign.fields(), ["model"]);
}

#[tokio::test]
async fn a_route_that_cannot_be_is_refused_by_its_field() {
    let upstreams = Upstreams::new(ScriptedLlm::answering("GPT")).await;
    let step = |candidates: Value| json!({ "steps": [{ "candidates": candidates }] });
    let good = candidate("openai", "gpt-4.1-mini");
    let with = |more: Value| {
        let mut route = step(json!([good]));
        route
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        route
    };
    let weighted = json!([{ "provider": "openai", "model": "gpt-4.1-mini", "weight": 0 }]);
    for (route, field) in [
        (json!({ "steps": [] }), "steps"),
        (step(json!([])), "steps[0].candidates"),
        (step(json!([good, good])), "steps[0].candidates[1]"),
        (step(weighted), "steps[0].candidates[0].weight"),
        (
            step(json!([candidate("openai", "unheard-of")])),
            "steps[0].candidates[0].model",
        ),
        (
            step(json!([candidate("openai", "claude-sonnet-5")])),
            "steps[0].candidates[0].model",
        ),
        (
            step(json!([candidate("nobody", "gpt-4.1-mini")])),
            "steps[0].candidates[0].provider",
        ),
        (
            with(json!({ "fallbackOn": ["invalid_request"] })),
            "fallbackOn",
        ),
        (
            with(json!({ "timeouts": { "totalMs": 0 } })),
            "timeouts.totalMs",
        ),
        (with(json!({ "cache": { "ttlSecs": 0 } })), "cache.ttlSecs"),
        (with(json!({ "wieght": 2 })), "wieght"),
    ] {
        let refused = upstreams.app.put("admin", FAST, &route).await;
        assert_eq!(refused.refusal(), (400, "invalid_argument"), "{route}");
        assert_eq!(refused.fields(), [field], "{route}");
    }
    assert!(
        upstreams
            .app
            .records(&OrgId::parse("o1").unwrap())
            .is_empty()
    );
}

#[tokio::test]
async fn an_organization_has_no_more_than_fifty_routes() {
    let upstreams = Upstreams::new(ScriptedLlm::answering("GPT")).await;
    for number in 0..50 {
        let path = format!("/llm/routes/r{number}");
        assert_eq!(upstreams.app.put("admin", &path, &two()).await.status, 200);
    }
    let refused = upstreams.app.put("admin", FAST, &two()).await;
    assert_eq!(refused.refusal(), (429, "resource_exhausted"));
    assert_eq!(
        upstreams
            .app
            .put("admin", "/llm/routes/r7", &two())
            .await
            .status,
        200
    );
}

/// A model that never answers.
struct Slow;

#[async_trait::async_trait]
impl shared::llm::Provider for Slow {
    async fn chat(&self, _: &shared::llm::ChatRequest) -> Result<shared::llm::ChatResponse, Error> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_temperature_that_nobody_would_look_at_is_refused() {
    let upstreams = Upstreams::new(ScriptedLlm::answering("GPT")).await;
    for (more, status) in [
        (json!({ "temperature": 0.2 }), 400),
        (json!({ "top_p": 0.5 }), 400),
        (json!({ "temperature": 1, "top_p": 1 }), 200),
    ] {
        let mut question = question("claude-sonnet-5");
        question
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let answer = upstreams
            .app
            .post("user", "/llm/chat/completions", &question)
            .await;
        assert_eq!(answer.status, status, "{more}: {}", answer.body);
    }
    upstreams.set(&two()).await;
    upstreams.app.clock.advance(Duration::from_secs(5));
    let mut mixed = question("fast");
    mixed["temperature"] = json!(0.2);
    let answer = upstreams
        .app
        .post("user", "/llm/chat/completions", &mixed)
        .await;
    assert_eq!(answer.status, 200, "GPT looks at it");
}

#[tokio::test]
async fn no_route_has_the_name_of_an_embedding_model() {
    let app = TestApp::new().await;
    let path = "/llm/routes/text-embedding-3-small";
    let refused = app.put("admin", path, &two()).await;
    assert_eq!(refused.refusal(), (400, "invalid_argument"));
}
