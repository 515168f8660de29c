use std::{collections::BTreeMap, sync::Arc};

use reqwest::Client;

use super::{
    ProvidersConfig,
    google_speech::{GoogleSpeech, GoogleSpeechConfig},
    openai::{OpenAi, OpenAiConfig},
};
use crate::{
    config::{self, Env},
    llm::speech::{SharedSpeaker, SpeakerName},
    service_identity::ServiceIdentity,
};

/// The speakers that a service is configured for.
#[derive(Clone, Default)]
pub struct Speakers(BTreeMap<SpeakerName, SharedSpeaker>);

impl Speakers {
    /// Reads the variables of all speakers: OpenAI's is there with `OPENAI_API_KEY`, Google's with
    /// `GOOGLE_SPEECH`.
    ///
    /// # Errors
    /// Returns the first variable that is invalid or not allowed here.
    pub fn load(
        env: &Env,
        client: Client,
        identity: Arc<ServiceIdentity>,
    ) -> Result<Self, config::Error> {
        let mut speakers = Self::default();
        if env.optional("OPENAI_API_KEY").is_some() {
            let openai = OpenAi::new(OpenAiConfig::load(env)?, client.clone());
            speakers.insert(SpeakerName::Openai, Arc::new(openai));
        }
        if let Some(config) = GoogleSpeechConfig::load_optional(env)? {
            let google = GoogleSpeech::new(config, client, identity);
            speakers.insert(SpeakerName::Google, Arc::new(google));
        }
        Ok(speakers)
    }

    /// Puts a speaker in, instead of the one that there may be.
    pub fn insert(&mut self, name: SpeakerName, speaker: SharedSpeaker) {
        self.0.insert(name, speaker);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A speaker, if there is one.
    pub(crate) fn get(&self, name: SpeakerName) -> Option<SharedSpeaker> {
        self.0.get(&name).cloned()
    }
}

impl ProvidersConfig {
    /// The speakers, by `client`'s connections.
    ///
    /// # Errors
    /// Returns the first variable that is invalid or not allowed here.
    pub fn speakers(&self, client: Client) -> Result<Speakers, config::Error> {
        Speakers::load(&self.env, client, Arc::new(ServiceIdentity::new()))
    }
}
