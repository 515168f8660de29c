//! What agents say aloud.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::json;
use shared::{
    llm::{
        Error,
        providers::Speakers,
        speech::{Audio, Speaker, SpeakerName, SpeechRequest},
    },
    models::{Agent, AgentStatus, DeployState, UsageEntry, UsageState, VoiceConfig},
    store::{agents, decode},
    testing::assert_security_headers,
};
use tokio::time::timeout;

use crate::{
    app::{Answer, TestApp, agent_request},
    seeds,
    table::seeded_app,
};

const SPEECH: &str = "/agents/working/speech";

async fn speak(app: &TestApp, text: &str) -> Answer {
    app.post("user", SPEECH, &json!({ "text": text })).await
}

/// An application whose agent `a` is at work with this voice.
async fn app_with_voice(model: &str, speed: f64, pitch: f64) -> TestApp {
    let agent = Agent {
        status: AgentStatus::Active,
        deploy_state: DeployState::Deployed,
        voice_config: VoiceConfig {
            model: model.to_owned(),
            speed,
            pitch,
        },
        ..seeds::agent_model("a")
    };
    let app = TestApp::new().await;
    let write = agents::create(&agent).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    app
}

fn ledger(app: &TestApp) -> Vec<UsageEntry> {
    let entries = app.db.documents("usage_ledger/");
    entries.iter().map(|entry| decode(entry).unwrap()).collect()
}

#[tokio::test]
async fn an_agent_speaks_with_its_voice_and_its_organization_pays() {
    let app = app_with_voice("de-DE-Neural2-G", 1.5, -3.0).await;
    let body = json!({ "text": "Guten Tag" });
    let answer = app.post("user", "/agents/a/speech", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.headers[CONTENT_TYPE], "audio/mpeg");
    assert_eq!(answer.headers[CACHE_CONTROL], "private, no-store");
    assert_security_headers(&answer.headers, SPEECH);
    assert_eq!(answer.bytes, "Guten Tag");
    let asked = app.speaker.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].voice().name(), "de-DE-Neural2-G");
    assert_eq!((asked[0].speed(), asked[0].pitch()), (1.5, -3.0));
    let entries = ledger(&app);
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].state, UsageState::Settled);
    assert_eq!(entries[0].agent_id.as_ref().unwrap().as_str(), "a");
    assert_eq!(
        (entries[0].input_tokens, entries[0].cost_micro_usd),
        (9, 144)
    );
}

#[tokio::test]
async fn the_same_text_is_spoken_and_paid_again() {
    let app = seeded_app().await;
    for _ in 0..2 {
        assert_eq!(speak(&app, "Hello").await.status, 200);
    }
    assert_eq!(ledger(&app).len(), 2);
}

#[tokio::test]
async fn a_text_has_1_to_4096_characters() {
    let app = seeded_app().await;
    for text in [String::new(), "x".repeat(4_097)] {
        let answer = speak(&app, &text).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"));
        assert_eq!(answer.fields(), ["text"]);
    }
    assert_eq!(speak(&app, &"ä".repeat(4_096)).await.status, 200);
}

#[tokio::test]
async fn what_a_voice_cannot_is_told_by_its_field_and_costs_nothing() {
    for (model, speed, pitch, field) in [
        ("alloy", 1.0, 1.0, "voiceConfig.pitch"),
        ("alloy", 5.0, 0.0, "voiceConfig.speed"),
        ("en-US-Wavenet-A", 3.0, 0.0, "voiceConfig.speed"),
        ("nobody", 1.0, 0.0, "voiceConfig.model"),
    ] {
        let app = app_with_voice(model, speed, pitch).await;
        let body = json!({ "text": "Hello" });
        let answer = app.post("user", "/agents/a/speech", &body).await;
        assert_eq!(answer.refusal(), (400, "failed_precondition"), "{model}");
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(field), "{message}");
        assert!(app.speaker.requests().is_empty() && ledger(&app).is_empty());
    }
}

#[tokio::test]
async fn an_agent_that_is_not_at_work_says_nothing() {
    let app = seeded_app().await;
    let body = json!({ "text": "Hello" });
    let answer = app.post("user", "/agents/a1/speech", &body).await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    assert!(app.speaker.requests().is_empty());
}

async fn app_without_google() -> TestApp {
    let mut app = app_with_voice("en-US-Wavenet-A", 1.0, 0.0).await;
    let mut speakers = Speakers::default();
    speakers.insert(SpeakerName::Openai, app.speaker.clone());
    app.replace_speakers(speakers);
    app
}

#[tokio::test]
async fn a_voice_of_whoever_is_not_configured_is_refused() {
    let app = app_without_google().await;
    let body = json!({ "text": "Hello" });
    let answer = app.post("user", "/agents/a/speech", &body).await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    let message = answer.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("voiceConfig.model"), "{message}");
    assert!(ledger(&app).is_empty());
}

#[tokio::test]
async fn failures_of_the_speaker_are_told_apart() {
    let invalid = || Error::InvalidRequest {
        code: "invalid_value".to_owned(),
    };
    let limited = Error::RateLimited { retry_after: None };
    for (error, status, code, booked) in [
        (invalid(), 400, "invalid_argument", 0),
        (limited, 429, "resource_exhausted", 0),
        (Error::Unauthenticated, 503, "unavailable", 0),
        (Error::Timeout("late".into()), 503, "unavailable", 1),
    ] {
        let app = seeded_app().await;
        app.speaker.fail(error);
        let answer = speak(&app, "Hello").await;
        assert_eq!(answer.refusal(), (status, code), "{}", answer.body);
        let settled = ledger(&app).into_iter();
        let settled = settled.filter(|entry| entry.state == UsageState::Settled);
        assert_eq!(settled.count(), booked, "{code}");
    }
}

#[tokio::test]
async fn without_a_provider_nothing_is_spoken() {
    let app = TestApp::without_llm().await;
    let write = seeds::deployed_agent("working", AgentStatus::Active);
    app.store.commit(vec![write]).await.unwrap();
    let answer = speak(&app, "Hello").await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
}

#[tokio::test]
async fn what_a_voice_cannot_is_refused_when_an_agent_is_saved() {
    let app = seeded_app().await;
    let voice = |model: &str, pitch: i64| json!({ "model": model, "speed": 1, "pitch": pitch });
    for (voice, refused) in [
        (voice("en-US-Neural2-A", 4), None),
        (voice("alloy", 4), Some("voiceConfig.pitch")),
        (voice("nobody", 0), Some("voiceConfig.model")),
    ] {
        let change = json!({ "voiceConfig": voice });
        let mut agent = agent_request();
        agent["voiceConfig"] = voice;
        let changed = app.patch("user", "/agents/a1", &change).await;
        let made = app.post("user", "/agents", &agent).await;
        for answer in [changed, made] {
            assert_eq!(answer.status.is_success(), refused.is_none());
            assert_eq!(answer.fields(), Vec::from_iter(refused));
        }
    }
}

/// A speaker that takes so many seconds.
struct Slow(u64);

#[async_trait]
impl Speaker for Slow {
    async fn speak(&self, _: &SpeechRequest) -> Result<Audio, Error> {
        let never = std::future::pending::<()>();
        let _ = timeout(Duration::from_secs(self.0), never).await;
        Ok(Audio::mp3(vec![1]))
    }
}

async fn speak_slowly(seconds: u64) -> (Answer, Vec<UsageEntry>) {
    let mut app = seeded_app().await;
    let mut speakers = Speakers::default();
    speakers.insert(SpeakerName::Openai, Arc::new(Slow(seconds)));
    app.replace_speakers(speakers);
    (speak(&app, "Hello").await, ledger(&app))
}

#[tokio::test(start_paused = true)]
async fn a_long_text_may_take_longer_than_other_requests() {
    let (answer, _) = speak_slowly(90).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_speaker_is_given_up_after_two_minutes_and_paid() {
    let (answer, entries) = speak_slowly(121).await;
    assert_eq!(answer.refusal(), (503, "unavailable"));
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].state, UsageState::Settled);
    assert!(entries[0].is_estimated);
}

#[tokio::test(start_paused = true)]
async fn more_than_fits_into_memory_is_not_spoken_at_once() {
    let mut app = seeded_app().await;
    let mut speakers = Speakers::default();
    speakers.insert(SpeakerName::Openai, Arc::new(Slow(30)));
    app.replace_speakers(speakers);
    let answers = join_all((0..10).map(|_| speak(&app, "Hello"))).await;
    let (spoken, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((spoken.len(), refused.len()), (8, 2));
    assert_eq!(refused[0].refusal(), (503, "unavailable"));
    assert_eq!(speak(&app, "Hello").await.status, 200);
}
