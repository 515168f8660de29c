//! Texts that are spoken.
//!
//! Functions do not call a [`Speaker`] themselves, as little as a
//! [`Provider`](super::Provider): [`MeteredLlm::speak`](crate::quota::MeteredLlm::speak) does.

mod price;
mod voice;

use std::sync::Arc;

use async_trait::async_trait;

pub use self::voice::{SpeakerName, Unspeakable, Voice};
use super::{Error, Usage};
use crate::models::VoiceConfig;

/// The longest text, in characters: OpenAI takes no more
/// (<https://github.com/openai/openai-openapi>, `CreateSpeechRequest`).
const MAX_CHARACTERS: usize = 4_096;

/// A text that a voice can speak as it is asked to.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeechRequest {
    voice: Voice,
    text: String,
    speed: f64,
    pitch: f64,
    idempotency_key: String,
}

/// What was spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audio {
    /// A whole file.
    pub bytes: Vec<u8>,
    /// What it is, such as `audio/mpeg`.
    pub media_type: &'static str,
}

impl Audio {
    /// An MP3.
    #[must_use]
    pub fn mp3(bytes: Vec<u8>) -> Self {
        let media_type = "audio/mpeg";
        Self { bytes, media_type }
    }
}

/// Someone who runs voices. It tries once.
#[async_trait]
pub trait Speaker: Send + Sync {
    /// Speaks a text, as an MP3.
    ///
    /// # Errors
    /// Returns [`Error`].
    async fn speak(&self, request: &SpeechRequest) -> Result<Audio, Error>;
}

/// A speaker that can be shared.
pub type SharedSpeaker = Arc<dyn Speaker>;

impl SpeechRequest {
    /// A text for the voice of a configuration. The server makes the idempotency key: a client that
    /// chooses it could have calls that are not booked.
    ///
    /// # Errors
    /// Returns what of the configuration the voice does not take, or what is wrong with the text.
    pub fn new(
        config: &VoiceConfig,
        text: String,
        idempotency_key: String,
    ) -> Result<Self, Unspeakable> {
        let voice = Voice::of(config)?;
        if !(1..=MAX_CHARACTERS).contains(&text.chars().count()) {
            return Err(Unspeakable::Length);
        }
        if text.len() > voice.speaker().max_bytes() {
            return Err(Unspeakable::Size);
        }
        Ok(Self {
            voice,
            text,
            speed: config.speed,
            pitch: config.pitch,
            idempotency_key,
        })
    }

    /// Who speaks.
    #[must_use]
    pub fn voice(&self) -> &Voice {
        &self.voice
    }

    /// What is spoken.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// 1 is the voice's own speed.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// In semitones; 0 is the voice's own.
    #[must_use]
    pub fn pitch(&self) -> f64 {
        self.pitch
    }

    /// Equal for repeats of the same call.
    #[must_use]
    pub fn idempotency_key(&self) -> &str {
        &self.idempotency_key
    }

    /// What the call uses: a token for a character, known before it is made.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let characters = self.text.chars().count();
        Usage {
            input_tokens: i64::try_from(characters).unwrap_or(i64::MAX / 2),
            ..Usage::default()
        }
    }

    /// What the call costs on a UTC day, `YYYY-MM-DD`, in millionths of a US dollar; none when that
    /// is not known, so that callers refuse the call.
    #[must_use]
    pub fn cost_micro_usd(&self, day: &str) -> Option<i64> {
        price::cost_micro_usd(self.voice.model(), self.usage().input_tokens, day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(voice: &str, text: &str) -> Result<SpeechRequest, Unspeakable> {
        let config = VoiceConfig {
            model: voice.to_owned(),
            speed: 1.0,
            pitch: 0.0,
        };
        SpeechRequest::new(&config, text.to_owned(), "k".to_owned())
    }

    #[test]
    fn a_text_has_1_to_4096_characters_of_any_length() {
        for (text, is_good) in [
            (String::new(), false),
            ("x".to_owned(), true),
            ("ä".repeat(4_096), true),
            ("x".repeat(4_097), false),
        ] {
            let refused = request("alloy", &text).err();
            let expected = (!is_good).then_some(Unspeakable::Length);
            assert_eq!(refused, expected, "{} bytes", text.len());
        }
    }

    #[test]
    fn google_takes_5000_bytes() {
        let voice = "de-DE-Neural2-G";
        assert!(request(voice, &"ä".repeat(2_500)).is_ok());
        let refused = request(voice, &"ä".repeat(2_501)).unwrap_err();
        assert_eq!(refused, Unspeakable::Size);
        assert_eq!(refused.field(), "text");
    }

    #[test]
    fn characters_are_paid_and_not_bytes() {
        let day = "2026-11-27";
        for (voice, cost) in [
            ("alloy", 15 * 5),
            ("de-DE-Neural2-G", 16 * 5),
            ("de-DE-Wavenet-G", 4 * 5),
            ("de-DE-Standard-G", 4 * 5),
        ] {
            let request = request(voice, "Grüße").unwrap();
            assert_eq!(request.usage().total(), 5);
            assert_eq!(request.cost_micro_usd(day), Some(cost), "{voice}");
        }
    }

    #[test]
    fn a_price_does_not_hold_before_its_first_day() {
        let request = request("alloy", "Hello").unwrap();
        assert_eq!(request.cost_micro_usd("2025-12-31"), None);
    }
}
