//! `CreateSpeechRequest` (<https://github.com/openai/openai-openapi>, `POST /audio/speech`); the
//! answer is the file.

use async_trait::async_trait;
use serde::Serialize;

use super::{Mode, OpenAi};
use crate::llm::{
    Error,
    providers::http::read_audio,
    speech::{Audio, Speaker, SpeechRequest},
};

/// There is no pitch: a request has none but 0.
#[derive(Serialize)]
struct SpeechBody<'a> {
    model: &'a str,
    voice: &'a str,
    input: &'a str,
    speed: f64,
    response_format: &'static str,
}

#[async_trait]
impl Speaker for OpenAi {
    async fn speak(&self, request: &SpeechRequest) -> Result<Audio, Error> {
        let voice = request.voice();
        let body = SpeechBody {
            model: voice.model(),
            voice: voice.name(),
            input: request.text(),
            speed: request.speed(),
            response_format: "mp3",
        };
        let key = request.idempotency_key();
        let response = self.call("audio/speech", &body, key, Mode::Whole).await?;
        Ok(Audio::mp3(read_audio(response).await?))
    }
}
