//! Speech of OpenAI and Google.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use shared::{
    config::{self, Env},
    http::client,
    llm::{
        Error,
        providers::Speakers,
        speech::{Audio, SharedSpeaker, SpeakerName, SpeechRequest},
    },
    models::VoiceConfig,
    service_identity::ServiceIdentity,
    testing::speaker_of,
};
use wiremock::ResponseTemplate;

use super::server::{KEY, cut_after, kind, ok, only_request, server};
use crate::contract::{check_openai, check_text_to_speech};

/// The beginning of an MP3.
const BYTES: &[u8] = &[0xff, 0xf3, 0x14, 0xc0];

const GOOGLES: &str = "de-DE-Neural2-G";

fn load(pairs: &[(&str, &str)]) -> Result<Speakers, config::Error> {
    let env = Env::from_pairs(pairs.iter().copied());
    Speakers::load(&env, client().unwrap(), Arc::new(ServiceIdentity::new()))
}

fn speaker(name: SpeakerName, base_url: &str) -> SharedSpeaker {
    let speakers = load(&[
        ("OPENAI_API_KEY", KEY),
        ("OPENAI_BASE_URL", base_url),
        ("GOOGLE_SPEECH", "true"),
        ("GOOGLE_SPEECH_EMULATOR_URL", base_url),
    ]);
    speaker_of(&speakers.unwrap(), name).unwrap()
}

fn request(voice: &str, speed: f64, pitch: f64) -> SpeechRequest {
    let config = VoiceConfig {
        model: voice.to_owned(),
        speed,
        pitch,
    };
    SpeechRequest::new(&config, "secret text".to_owned(), "k1".to_owned()).unwrap()
}

fn of(name: SpeakerName) -> SpeechRequest {
    match name {
        SpeakerName::Openai => request("coral", 1.0, 0.0),
        SpeakerName::Google => request(GOOGLES, 1.0, 0.0),
    }
}

fn audio() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(BYTES, "audio/mpeg")
}

async fn speak(name: SpeakerName, response: ResponseTemplate) -> Result<Audio, Error> {
    let server = server(response).await;
    speaker(name, &server.uri()).speak(&of(name)).await
}

#[tokio::test]
async fn openai_is_asked_by_its_contract() {
    let server = server(audio()).await;
    let request = request("coral", 1.5, 0.0);
    let speaker = speaker(SpeakerName::Openai, &server.uri());
    let answer = speaker.speak(&request).await.unwrap();
    assert_eq!(
        (answer.bytes.as_slice(), answer.media_type),
        (BYTES, "audio/mpeg")
    );
    let sent = only_request(&server).await;
    assert_eq!(sent.url.path(), "/audio/speech");
    assert_eq!(sent.headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(sent.headers["idempotency-key"], "k1");
    let body: Value = sent.body_json().unwrap();
    check_openai("CreateSpeechRequest", &body).unwrap();
    let expected = json!({
        "model": "tts-1",
        "voice": "coral",
        "input": "secret text",
        "speed": 1.5,
        "response_format": "mp3",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn google_is_asked_by_its_contract() {
    let answer = json!({ "audioContent": BASE64_STANDARD.encode(BYTES) });
    check_text_to_speech("SynthesizeSpeechResponse", &answer).unwrap();
    let server = server(ok(&answer)).await;
    let request = request(GOOGLES, 1.5, -3.0);
    let speaker = speaker(SpeakerName::Google, &server.uri());
    let answer = speaker.speak(&request).await.unwrap();
    assert_eq!(
        (answer.bytes.as_slice(), answer.media_type),
        (BYTES, "audio/mpeg")
    );
    let sent = only_request(&server).await;
    assert_eq!(sent.url.path(), "/v1/text:synthesize");
    assert!(
        !sent.headers.contains_key("authorization"),
        "a stand-in is shown no token"
    );
    let body: Value = sent.body_json().unwrap();
    check_text_to_speech("SynthesizeSpeechRequest", &body).unwrap();
    let expected = json!({
        "input": { "text": "secret text" },
        "voice": { "languageCode": "de-DE", "name": GOOGLES },
        "audioConfig": { "audioEncoding": "MP3", "speakingRate": 1.5, "pitch": -3.0 },
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn the_contracts_refuse_what_they_do_not_know() {
    let body = json!({ "model": "tts-1", "voice": "coral", "input": "x", "pitch": 1 });
    check_openai("CreateSpeechRequest", &body).unwrap_err();
    let body = json!({ "audioConfig": { "audioEncoding": "WAV" } });
    check_text_to_speech("SynthesizeSpeechRequest", &body).unwrap_err();
}

#[tokio::test]
async fn refusals_are_told_apart_and_have_used_nothing() {
    use SpeakerName::{Google, Openai};
    let openai = |code: &str| json!({ "error": { "code": code, "message": "secret text" } });
    let google = |code: u16, status: &str| json!({ "error": { "code": code, "status": status, "message": "secret text" } });
    for (name, status, body, expected) in [
        (
            Openai,
            400,
            openai("invalid_value"),
            "invalid invalid_value",
        ),
        (Openai, 401, openai("invalid_api_key"), "key"),
        (Openai, 429, openai("rate_limit_exceeded"), "rate"),
        (Openai, 429, openai("insufficient_quota"), "quota"),
        (Openai, 500, openai("server_error"), "unavailable"),
        (
            Google,
            400,
            google(400, "INVALID_ARGUMENT"),
            "invalid INVALID_ARGUMENT",
        ),
        (Google, 403, google(403, "PERMISSION_DENIED"), "key"),
        (Google, 429, google(429, "RESOURCE_EXHAUSTED"), "rate"),
        (Google, 503, google(503, "UNAVAILABLE"), "unavailable"),
    ] {
        let response = ResponseTemplate::new(status).set_body_json(body);
        let error = speak(name, response).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{error:?}");
        assert!(error.is_unused(), "{error:?}");
        assert!(!format!("{error:?}").contains("secret text"), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_without_audio_is_malformed() {
    for (name, response) in [
        (SpeakerName::Openai, ResponseTemplate::new(200)),
        (SpeakerName::Google, ok(&json!({}))),
        (SpeakerName::Google, ok(&json!({ "audioContent": "" }))),
        (SpeakerName::Google, ok(&json!({ "audioContent": "%" }))),
    ] {
        let error = speak(name, response).await.unwrap_err();
        assert_eq!(kind(&error), "malformed");
        assert!(!error.is_unused(), "the speaker may have worked");
    }
}

#[tokio::test]
async fn audio_without_an_end_is_not_read_on() {
    let huge = vec![0; 30 * 1024 * 1024 + 1];
    let response = ResponseTemplate::new(200).set_body_raw(huge, "audio/mpeg");
    let error = speak(SpeakerName::Openai, response).await.unwrap_err();
    assert_eq!(kind(&error), "malformed");
}

#[tokio::test]
async fn audio_that_breaks_off_is_no_audio() {
    let name = SpeakerName::Openai;
    let call = async |base_url: String| speaker(name, &base_url).speak(&of(name)).await;
    let error = Box::pin(cut_after("half of it", call)).await.unwrap_err();
    assert_eq!(kind(&error), "interrupted");
}

#[test]
fn only_those_that_are_configured_are_there() {
    use SpeakerName::{Google, Openai};
    for (pairs, names) in [
        (vec![], vec![]),
        (vec![("OPENAI_API_KEY", "sk-1")], vec![Openai]),
        (vec![("GOOGLE_SPEECH", "true")], vec![Google]),
        (vec![("GOOGLE_SPEECH", "false")], vec![]),
    ] {
        let speakers = load(&pairs).unwrap();
        let there = [Openai, Google].into_iter();
        let there = there.filter(|name| speaker_of(&speakers, *name).is_some());
        assert_eq!(there.collect::<Vec<_>>(), names, "{pairs:?}");
    }
    assert!(load(&[("GOOGLE_SPEECH", "yes")]).is_err());
}

#[test]
fn a_stand_in_is_refused_on_cloud_run() {
    let name = "GOOGLE_SPEECH_EMULATOR_URL";
    let pairs = [(name, "http://localhost:1"), ("K_SERVICE", "api")];
    let error = load(&pairs).map(|_| ()).unwrap_err();
    assert!(
        matches!(error, config::Error::DevelopmentOnly(refused) if refused == name),
        "{error}"
    );
}
