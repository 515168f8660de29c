//! Whose a voice is, and what it takes.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::models::VoiceConfig;

/// Voices and prices, each with its source; a price change is a further entry with a later
/// `effectiveFrom`.
const VOICES: &str = include_str!("voices.json");

/// A file that does not parse has no voices, and every call is refused; a test keeps it parsing.
pub(super) static LIST: LazyLock<VoiceList> =
    LazyLock::new(|| serde_json::from_str(VOICES).unwrap_or_default());

/// Who runs a voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpeakerName {
    /// <https://platform.openai.com>.
    Openai,
    /// Cloud Text-to-Speech, <https://cloud.google.com/text-to-speech>.
    Google,
}

/// A voice that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    name: String,
    family: &'static Family,
}

/// Why a text is not spoken as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unspeakable {
    /// Nobody has this voice.
    #[error("is no known voice")]
    Voice,
    /// OpenAI's voices speak at 0.25 to 4 times their speed, Google's at 2 times at most.
    #[error("must be 0.25 to 4 with OpenAI's voices and 0.25 to 2 with Google's")]
    Speed,
    /// Google's voices take -20 to 20 semitones, OpenAI's none.
    #[error("must be 0 with OpenAI's voices and -20 to 20 with Google's")]
    Pitch,
    /// There is none, or it has too many characters.
    #[error("must have 1 to 4,096 characters")]
    Length,
    /// It has too many bytes for the voice.
    #[error("must have 5,000 bytes at most with Google's voices")]
    Size,
}

/// `voices.json`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct VoiceList {
    voices: Vec<Family>,
    pub(super) prices: Vec<Price>,
}

/// Voices that have one price.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Family {
    speaker: SpeakerName,
    /// What it is called in the ledger; OpenAI's is the model's name.
    model: String,
    names: Vec<String>,
}

/// What a character costs from one day on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Price {
    pub(super) model: String,
    /// First day, `YYYY-MM-DD`.
    pub(super) effective_from: String,
    /// In nano-dollars.
    pub(super) per_character: i64,
}

impl SpeakerName {
    /// The longest text, in bytes: four for each of OpenAI's characters; Google's limit is at
    /// `SynthesisInput` of its discovery document.
    pub(super) fn max_bytes(self) -> usize {
        match self {
            Self::Openai => 4 * super::MAX_CHARACTERS,
            Self::Google => 5_000,
        }
    }

    /// The fastest; Google's is at `AudioConfig.speakingRate` of its discovery document.
    fn max_speed(self) -> f64 {
        match self {
            Self::Openai => 4.0,
            Self::Google => 2.0,
        }
    }

    /// How far up and down, in semitones.
    fn max_pitch(self) -> f64 {
        match self {
            Self::Openai => 0.0,
            Self::Google => 20.0,
        }
    }
}

impl Voice {
    /// The voice of a configuration, if it can speak like that.
    ///
    /// # Errors
    /// Returns what of the configuration it does not take.
    pub fn of(config: &VoiceConfig) -> Result<Self, Unspeakable> {
        let voice = Self::find(&config.model).ok_or(Unspeakable::Voice)?;
        let speaker = voice.speaker();
        if !(0.25..=speaker.max_speed()).contains(&config.speed) {
            return Err(Unspeakable::Speed);
        }
        let max_pitch = speaker.max_pitch();
        if !(-max_pitch..=max_pitch).contains(&config.pitch) {
            return Err(Unspeakable::Pitch);
        }
        Ok(voice)
    }

    fn find(name: &str) -> Option<Self> {
        let mut families = LIST.voices.iter();
        let family = families.find(|family| family.names.iter().any(|known| known == name))?;
        let name = name.to_owned();
        Some(Self { name, family })
    }

    /// The name at whoever runs it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who runs it.
    #[must_use]
    pub fn speaker(&self) -> SpeakerName {
        self.family.speaker
    }

    /// What it is called in the ledger, and at OpenAI.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.family.model
    }

    /// The language of one of Google's voices, such as `en-US` of `en-US-Neural2-A`.
    #[must_use]
    pub fn language(&self) -> &str {
        let mut parts = self.name.rsplitn(3, '-');
        parts.nth(2).unwrap_or(&self.name)
    }
}

impl Unspeakable {
    /// The field that is wrong: `text`, or a path in `voiceConfig`.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::Voice => "voiceConfig.model",
            Self::Speed => "voiceConfig.speed",
            Self::Pitch => "voiceConfig.pitch",
            Self::Length | Self::Size => "text",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::llm::speech::price::cost_micro_usd;

    fn config(model: &str, speed: f64, pitch: f64) -> VoiceConfig {
        VoiceConfig {
            model: model.to_owned(),
            speed,
            pitch,
        }
    }

    #[test]
    fn each_voice_is_listed_once_with_a_price_and_a_language() {
        let list: VoiceList = serde_json::from_str(VOICES).unwrap();
        let mut names = BTreeSet::new();
        for family in &list.voices {
            assert!(
                cost_micro_usd(&family.model, 1, "2026-11-27").is_some_and(|cost| cost > 0),
                "{}",
                family.model
            );
            for name in &family.names {
                assert!(names.insert(name), "{name}");
                let voice = Voice::of(&config(name, 1.0, 0.0)).unwrap();
                if voice.speaker() == SpeakerName::Google {
                    let kind = voice.model().trim_start_matches("google-");
                    let rest = name.strip_prefix(voice.language()).unwrap();
                    assert!(
                        rest.to_lowercase().starts_with(&format!("-{kind}-")),
                        "{name}"
                    );
                }
            }
        }
        assert!(names.len() > 300, "{}", names.len());
    }

    #[test]
    fn a_voice_takes_what_its_speaker_takes() {
        for (model, speed, pitch, refused) in [
            ("alloy", 0.25, 0.0, None),
            ("alloy", 4.0, 0.0, None),
            ("alloy", 4.1, 0.0, Some(Unspeakable::Speed)),
            ("alloy", 1.0, 0.5, Some(Unspeakable::Pitch)),
            ("alloy", 1.0, f64::NAN, Some(Unspeakable::Pitch)),
            ("en-US-Neural2-A", 2.0, -20.0, None),
            ("en-US-Neural2-A", 2.1, 0.0, Some(Unspeakable::Speed)),
            ("en-US-Neural2-A", 0.2, 0.0, Some(Unspeakable::Speed)),
            ("en-US-Neural2-A", 1.0, 20.5, Some(Unspeakable::Pitch)),
            ("en-us-neural2-a", 1.0, 0.0, Some(Unspeakable::Voice)),
            ("verse", 1.0, 0.0, Some(Unspeakable::Voice)),
            ("", 1.0, 0.0, Some(Unspeakable::Voice)),
        ] {
            let error = Voice::of(&config(model, speed, pitch)).err();
            assert_eq!(error, refused, "{model} {speed} {pitch}");
        }
    }

    #[test]
    fn the_language_is_in_the_name() {
        for (name, language) in [("en-US-Neural2-A", "en-US"), ("cmn-CN-Wavenet-A", "cmn-CN")] {
            let voice = Voice::find(name).unwrap();
            assert_eq!(voice.language(), language);
        }
    }
}
