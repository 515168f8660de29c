use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use super::lock;
use crate::llm::{
    Error,
    providers::Speakers,
    speech::{Audio, Speaker, SpeakerName, SpeechRequest},
};

/// A speaker whose audio is the text itself.
#[derive(Default)]
pub struct ScriptedSpeaker {
    failures: Mutex<VecDeque<Error>>,
    requests: Mutex<Vec<SpeechRequest>>,
}

impl ScriptedSpeaker {
    /// A speaker that never fails.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has a call to come fail, after those that are to fail already.
    pub fn fail(&self, error: Error) {
        lock(&self.failures).push_back(error);
    }

    /// What it was asked, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<SpeechRequest> {
        lock(&self.requests).clone()
    }

    /// The same one under every name.
    #[must_use]
    pub fn everywhere(self: &Arc<Self>) -> Speakers {
        let mut speakers = Speakers::default();
        for name in [SpeakerName::Openai, SpeakerName::Google] {
            speakers.insert(name, self.clone());
        }
        speakers
    }
}

#[async_trait]
impl Speaker for ScriptedSpeaker {
    async fn speak(&self, request: &SpeechRequest) -> Result<Audio, Error> {
        lock(&self.requests).push(request.clone());
        match lock(&self.failures).pop_front() {
            Some(error) => Err(error),
            None => Ok(Audio::mp3(request.text().as_bytes().to_vec())),
        }
    }
}
