//! Cloud Text-to-Speech, as the service itself: no key of anyone's
//! (<https://docs.cloud.google.com/text-to-speech/docs/reference/rest/v1/text/synthesize>).

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::Client;
use serde::{Deserialize, Serialize};

use super::{
    gemini,
    http::{Mode, malformed, post, read_json, send, timeout},
};
use crate::{
    config::{self, Env},
    llm::{
        Error,
        speech::{Audio, Speaker, SpeechRequest},
    },
    service_identity::ServiceIdentity,
};

const BASE_URL: &str = "https://texttospeech.googleapis.com";

/// A stand-in for Cloud Text-to-Speech, which is shown no token.
const EMULATOR_URL: &str = "GOOGLE_SPEECH_EMULATOR_URL";

/// Where and how to call.
#[derive(Clone, Debug)]
pub struct GoogleSpeechConfig {
    /// `GOOGLE_SPEECH_EMULATOR_URL`: what `/v1/text:synthesize` is appended to instead of Google's
    /// address; development only.
    pub emulator_url: Option<String>,
    /// `LLM_TIMEOUT_SECS`: the longest wait for a whole answer; default 120.
    pub timeout: Duration,
}

/// A client for Cloud Text-to-Speech.
pub struct GoogleSpeech {
    config: GoogleSpeechConfig,
    client: Client,
    identity: Arc<ServiceIdentity>,
}

/// `SynthesizeSpeechRequest`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SynthesizeBody<'a> {
    input: Input<'a>,
    voice: VoiceParams<'a>,
    audio_config: AudioConfig,
}

#[derive(Serialize)]
struct Input<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VoiceParams<'a> {
    language_code: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AudioConfig {
    audio_encoding: &'static str,
    speaking_rate: f64,
    pitch: f64,
}

/// `SynthesizeSpeechResponse`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SynthesizeAnswer {
    audio_content: String,
}

impl GoogleSpeechConfig {
    /// Reads the variables; none unless `GOOGLE_SPEECH` is `true`.
    ///
    /// # Errors
    /// Returns the first variable that is invalid or not allowed here.
    pub fn load_optional(env: &Env) -> Result<Option<Self>, config::Error> {
        let emulator_url = env.development_only(EMULATOR_URL)?;
        let emulator_url = emulator_url.map(|url| url.trim_end_matches('/').to_owned());
        if !env.parsed("GOOGLE_SPEECH", false)? {
            return Ok(None);
        }
        let timeout = timeout(env)?;
        Ok(Some(Self {
            emulator_url,
            timeout,
        }))
    }
}

impl GoogleSpeech {
    /// A client that shares `client`'s connections and calls as `identity`.
    #[must_use]
    pub fn new(config: GoogleSpeechConfig, client: Client, identity: Arc<ServiceIdentity>) -> Self {
        Self {
            config,
            client,
            identity,
        }
    }
}

#[async_trait]
impl Speaker for GoogleSpeech {
    async fn speak(&self, request: &SpeechRequest) -> Result<Audio, Error> {
        let base_url = self.config.emulator_url.as_deref().unwrap_or(BASE_URL);
        let url = format!("{base_url}/v1/text:synthesize");
        let body = SynthesizeBody::new(request);
        let mut call = post(&self.client, &url, &body, Mode::Whole, self.config.timeout);
        if self.config.emulator_url.is_none() {
            let headers = self.identity.headers().await;
            call = call.headers(headers.map_err(|source| Error::Unavailable {
                retry_after: None,
                source,
            })?);
        }
        let response = send(call).await?;
        if !response.status().is_success() {
            return Err(gemini::from_refusal(response).await);
        }
        let answer: SynthesizeAnswer = read_json(response).await?;
        let bytes = BASE64_STANDARD.decode(answer.audio_content);
        match bytes {
            Ok(bytes) if !bytes.is_empty() => Ok(Audio::mp3(bytes)),
            _ => Err(malformed("the answer has no audio")),
        }
    }
}

impl<'a> SynthesizeBody<'a> {
    fn new(request: &'a SpeechRequest) -> Self {
        let voice = request.voice();
        Self {
            input: Input {
                text: request.text(),
            },
            voice: VoiceParams {
                language_code: voice.language(),
                name: voice.name(),
            },
            audio_config: AudioConfig {
                audio_encoding: "MP3",
                speaking_rate: request.speed(),
                pitch: request.pitch(),
            },
        }
    }
}
