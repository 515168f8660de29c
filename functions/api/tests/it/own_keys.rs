//! Organizations ask models with keys of their own.

use serde_json::{Value, json};
use shared::{
    config::Env,
    http::client,
    ids::Uid,
    llm::ProvidersConfig,
    models::{IntegrationStatus, UsageEntry, UsageState},
    store::decode,
};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::header};

use crate::{
    app::{Answer, TestApp},
    seeds,
};

const KEY: &str = "sk-proj-canary-0123456789";
const OURS: &str = "sk-proj-ours-0123456789";

fn answer() -> Value {
    json!({
        "id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-4.1-mini",
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": { "role": "assistant", "content": "Hi", "refusal": null },
        }],
        "usage": { "prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12 },
    })
}

/// The API in front of OpenAI, which takes our key always and others as told.
async fn app_and_openai(with_ours: bool, own: ResponseTemplate) -> (TestApp, MockServer) {
    let openai = MockServer::start().await;
    for (key, response) in [
        (OURS, ResponseTemplate::new(200).set_body_json(answer())),
        (KEY, own),
    ] {
        let mock = Mock::given(header("authorization", format!("Bearer {key}")));
        mock.respond_with(response).mount(&openai).await;
    }
    let mut variables = vec![("OPENAI_BASE_URL", openai.uri())];
    variables.extend(with_ours.then(|| ("OPENAI_API_KEY", OURS.to_owned())));
    let providers = ProvidersConfig::new(&Env::from_pairs(variables));
    let providers = providers.providers(client().unwrap()).unwrap();
    (TestApp::with_providers(providers).await, openai)
}

async fn connect(app: &TestApp) {
    app.service.accept(KEY, &seeds::account(None));
    let request = json!({ "service": "openai", "key": KEY });
    let refused = app.post("user", "/integrations", &request).await;
    assert_eq!(refused.refusal(), (403, "permission_denied"));
    let made = app.post("admin", "/integrations", &request).await;
    assert_eq!(made.status, 201, "{}", made.body);
}

async fn ask(app: &TestApp, token: &str) -> Answer {
    let message = json!({ "role": "user", "content": "Hello there" });
    let question = json!({ "model": "gpt-4.1-mini", "messages": [message] });
    app.post(token, "/llm/chat/completions", &question).await
}

async fn keys_seen(openai: &MockServer) -> Vec<String> {
    let requests = openai.received_requests().await.unwrap();
    let keys = requests
        .iter()
        .map(|request| request.headers["authorization"].to_str().unwrap());
    keys.map(|key| key.trim_start_matches("Bearer ").to_owned())
        .collect()
}

fn booked(app: &TestApp) -> Vec<UsageEntry> {
    let entries = app.db.documents("usage_ledger/");
    entries.iter().map(|entry| decode(entry).unwrap()).collect()
}

#[tokio::test]
async fn a_connected_key_is_taken_for_its_organization_alone_and_booked() {
    let good = ResponseTemplate::new(200).set_body_json(answer());
    let (app, openai) = app_and_openai(true, good).await;
    connect(&app).await;
    for token in ["user", "stranger"] {
        let answer = ask(&app, token).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!(keys_seen(&openai).await, [KEY, OURS]);
    let mut booked = booked(&app);
    booked.sort_by(|one, other| one.org_id.cmp(&other.org_id));
    let (own, ours) = (&booked[0], &booked[1]);
    assert_eq!((own.input_tokens, own.output_tokens), (5, 7));
    assert_eq!(
        own.cost_micro_usd, ours.cost_micro_usd,
        "the cap counts both"
    );
    assert_eq!(own.state, UsageState::Settled);
    assert_eq!((own.is_own_key, ours.is_own_key), (true, false));
    assert_eq!(own.uid.as_ref().map(Uid::as_str), Some("user"));
    assert_eq!(ours.uid.as_ref().map(Uid::as_str), Some("stranger"));
}

#[tokio::test]
async fn a_connected_key_is_enough_without_ours() {
    let good = ResponseTemplate::new(200).set_body_json(answer());
    let (app, _openai) = app_and_openai(false, good).await;
    assert_eq!(ask(&app, "user").await.fields(), ["model"]);
    connect(&app).await;
    app.clock.advance(std::time::Duration::from_secs(5));
    assert_eq!(ask(&app, "user").await.status, 200);
    let models = app.get("user", "/llm/models").await.body;
    assert!(models.to_string().contains("gpt-4.1-mini"), "{models}");
}

#[tokio::test]
async fn a_key_that_is_refused_is_marked_and_ours_is_not_taken_for_it() {
    let refused = ResponseTemplate::new(401)
        .set_body_json(json!({ "error": { "message": KEY, "code": "invalid_api_key" } }));
    let (app, openai) = app_and_openai(true, refused).await;
    connect(&app).await;
    for _ in 0..2 {
        let answer = ask(&app, "user").await;
        assert_eq!(
            answer.refusal(),
            (400, "failed_precondition"),
            "{}",
            answer.body
        );
        assert!(
            answer.body.to_string().contains("openai"),
            "{}",
            answer.body
        );
        assert!(!answer.body.to_string().contains(KEY), "{}", answer.body);
    }
    assert_eq!(keys_seen(&openai).await, [KEY], "it is not tried twice");
    let statuses = app.db.documents("integration_status/");
    let status: shared::models::SyncStatus = decode(&statuses[0]).unwrap();
    assert_eq!(status.status, IntegrationStatus::Error);
    assert_eq!(status.error_cause.as_deref(), Some("unauthorized"));
    assert_eq!(booked(&app)[0].state, UsageState::Released);
}

#[tokio::test]
async fn what_happens_to_a_key_of_one_organization_delays_no_other() {
    let limited = ResponseTemplate::new(429).insert_header("retry-after", "60");
    let (app, openai) = app_and_openai(true, limited).await;
    connect(&app).await;
    for _ in 0..3 {
        assert_eq!(
            ask(&app, "user").await.refusal(),
            (429, "resource_exhausted")
        );
    }
    assert_eq!(ask(&app, "stranger").await.status, 200);
    assert_eq!(keys_seen(&openai).await, [KEY, KEY, KEY, OURS]);
}
