//! What is spoken is paid by the character, and never beyond the limits.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::{Either, join_all, pending, select};
use shared::{
    ids::OrgId,
    llm::{
        self,
        providers::Speakers,
        speech::{Audio, SharedSpeaker, Speaker, SpeakerName, SpeechRequest},
    },
    models::{Limits, UsageEntry, UsageState, VoiceConfig},
    quota::{Answer, Call, Error, MeteredLlm, Resource},
    store::Store,
    testing::{FixedClock, ScriptedLlm, ScriptedSpeaker, memory_store, metered_llm},
};
use tokio::sync::Notify;

use super::adapter::{Adapter, assert_to_be_metered, on_each_adapter};
use crate::support::create_organization;

const NOW: &str = "2026-11-27T12:00:00Z";

/// Five characters, seven bytes.
const TEXT: &str = "Grüße";

on_each_adapter! {
    a_text_is_booked_with_its_characters,
    parallel_texts_never_pass_the_limit,
    the_limit_of_money_holds_too,
    a_refused_text_gives_its_reservation_back,
    a_text_of_unknown_outcome_is_paid_as_if_it_was_spoken,
    a_text_whose_caller_goes_away_is_paid_by_the_next,
    a_voice_that_nobody_here_has_is_not_asked,
    a_voice_without_a_price_on_the_day_is_not_asked,
    nothing_is_spoken_when_models_are_switched_off,
}

struct Fixture {
    store: Store,
    speaker: Arc<ScriptedSpeaker>,
    llm: MeteredLlm,
    org_id: OrgId,
}

impl Fixture {
    async fn new(adapter: &Adapter, limits: Limits) -> Self {
        Self::at(NOW, adapter, limits).await
    }

    async fn at(now: &str, adapter: &Adapter, limits: Limits) -> Self {
        let ((store, _), clock) = (memory_store(), FixedClock::at(now));
        let org_id = create_organization(&store, limits).await;
        let speaker = Arc::new(ScriptedSpeaker::new());
        let model = Arc::new(ScriptedLlm::answering("unasked"));
        let llm = metered_llm(model, store.clone(), clock.shared());
        let llm = llm.with_admissions(adapter.admissions(&store, &clock), false);
        Self {
            llm: llm.with_speakers(speaker.everywhere()),
            store,
            speaker,
            org_id,
        }
    }

    fn call(&self, key: &str, voice: &str) -> Call<SpeechRequest> {
        let config = VoiceConfig {
            model: voice.to_owned(),
            speed: 1.0,
            pitch: 0.0,
        };
        let request = SpeechRequest::new(&config, TEXT.to_owned(), key.to_owned());
        Call {
            org_id: self.org_id.clone(),
            agent_id: None,
            workflow_id: None,
            execution_id: None,
            uid: None,
            request: request.unwrap(),
        }
    }

    async fn speak(&self, key: &str) -> Result<Answer<Audio>, Error> {
        self.llm.speak(&self.call(key, "alloy")).await
    }

    /// What was settled.
    async fn booked(&self) -> Vec<UsageEntry> {
        let mut entries = Vec::new();
        let keep = |entry: UsageEntry| {
            assert_to_be_metered(&entry);
            entries.push(entry);
        };
        let (from, to) = ("2025-01-01", "2027-01-01");
        let read = self.store.each_usage_entry(&self.org_id, from, to, keep);
        read.await.unwrap();
        entries.retain(|entry| entry.state == UsageState::Settled);
        entries
    }

    async fn assert_booked_once(&self, is_estimated: bool) {
        let booked = self.booked().await;
        assert_eq!(booked.len(), 1);
        let entry = &booked[0];
        assert_eq!(
            (entry.model.as_str(), entry.is_estimated),
            ("tts-1", is_estimated)
        );
        assert_eq!((entry.input_tokens, entry.output_tokens), (5, 0));
        assert_eq!(entry.cost_micro_usd, 75);
    }
}

fn tokens(monthly_tokens: i64) -> Limits {
    Limits {
        monthly_tokens: Some(monthly_tokens),
        ..Limits::default()
    }
}

async fn a_text_is_booked_with_its_characters(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, tokens(5)).await;
    let answer = fixture.speak("k").await.unwrap();
    assert_eq!(answer.response.bytes, TEXT.as_bytes());
    assert_eq!(answer.cost_micro_usd, 75);
    fixture.assert_booked_once(false).await;
}

async fn parallel_texts_never_pass_the_limit(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, tokens(5 * 7 + 4)).await;
    let keys: Vec<_> = (0..20).map(|n| format!("k{n}")).collect();
    let results = join_all(keys.iter().map(|key| fixture.speak(key))).await;
    let spoken = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!((spoken, fixture.speaker.requests().len()), (7, 7));
    assert_eq!(fixture.booked().await.len(), 7);
}

async fn the_limit_of_money_holds_too(adapter: &Adapter) {
    let limits = Limits {
        monthly_cost_micro_usd: Some(149),
        ..tokens(1_000)
    };
    let fixture = Fixture::new(adapter, limits).await;
    fixture.speak("k1").await.unwrap();
    let error = fixture.speak("k2").await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Exhausted {
                resource: Resource::MonthlyCost,
                ..
            }
        ),
        "{error:?}"
    );
}

async fn a_refused_text_gives_its_reservation_back(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, tokens(5)).await;
    fixture.speaker.fail(llm::Error::QuotaExhausted);
    let error = fixture.speak("k1").await.unwrap_err();
    assert!(matches!(error, Error::Llm(llm::Error::QuotaExhausted)));
    assert!(fixture.booked().await.is_empty());
    fixture.speak("k2").await.unwrap();
}

async fn a_text_of_unknown_outcome_is_paid_as_if_it_was_spoken(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, tokens(5)).await;
    let failure = llm::Error::Timeout("late".into());
    fixture.speaker.fail(failure);
    fixture.speak("k1").await.unwrap_err();
    fixture.assert_booked_once(true).await;
    let error = fixture.speak("k2").await.unwrap_err();
    assert!(matches!(error, Error::Exhausted { .. }), "{error:?}");
}

/// A speaker that never answers, and tells when it is asked.
#[derive(Default)]
struct Silent(Notify);

#[async_trait]
impl Speaker for Silent {
    async fn speak(&self, _: &SpeechRequest) -> Result<Audio, llm::Error> {
        self.0.notify_one();
        pending().await
    }
}

fn only(speaker: SharedSpeaker) -> Speakers {
    let mut speakers = Speakers::default();
    speakers.insert(SpeakerName::Openai, speaker);
    speakers
}

async fn a_text_whose_caller_goes_away_is_paid_by_the_next(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, tokens(5)).await;
    let silent = Arc::new(Silent::default());
    let llm = fixture.llm.clone().with_speakers(only(silent.clone()));
    let call = fixture.call("k1", "alloy");
    let speaking = Box::pin(llm.speak(&call));
    let asked = select(speaking, Box::pin(silent.0.notified())).await;
    assert!(
        matches!(asked, Either::Right(_)),
        "the speaker never answers"
    );
    assert!(fixture.booked().await.is_empty(), "nothing runs by itself");
    drop(asked);
    fixture.llm.book_dropped().await;
    fixture.assert_booked_once(true).await;
}

async fn a_voice_that_nobody_here_has_is_not_asked(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, tokens(1_000)).await;
    let llm = fixture.llm.clone();
    let llm = llm.with_speakers(only(fixture.speaker.clone()));
    let call = fixture.call("k", "de-DE-Wavenet-G");
    let error = llm.speak(&call).await.unwrap_err();
    assert!(
        matches!(&error, Error::UnknownModel(model) if model == "google-wavenet"),
        "{error:?}"
    );
    assert!(fixture.speaker.requests().is_empty());
}

async fn a_voice_without_a_price_on_the_day_is_not_asked(adapter: &Adapter) {
    let fixture = Fixture::at("2025-12-31T12:00:00Z", adapter, tokens(1_000)).await;
    let error = fixture.speak("k").await.unwrap_err();
    assert!(matches!(error, Error::UnknownModel(_)), "{error:?}");
    assert!(fixture.speaker.requests().is_empty());
}

async fn nothing_is_spoken_when_models_are_switched_off(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, tokens(1_000)).await;
    let clock = FixedClock::at(NOW);
    let admissions = adapter.admissions(&fixture.store, &clock);
    let llm = fixture.llm.clone().with_admissions(admissions, true);
    let error = llm.speak(&fixture.call("k", "alloy")).await.unwrap_err();
    assert!(matches!(error, Error::SwitchedOff), "{error:?}");
    assert!(fixture.speaker.requests().is_empty());
}
