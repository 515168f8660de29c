use std::{collections::BTreeMap, fmt, sync::Arc};

use reqwest::Client;
use secrecy::SecretString;

use super::{
    ProviderName,
    anthropic::{Anthropic, AnthropicConfig},
    gemini::{Gemini, GeminiConfig},
    openai::{OpenAi, OpenAiConfig},
    vertex::{Vertex, VertexConfig},
};
use crate::{
    config::{self, Env},
    llm::{SharedProvider, SharedTuner},
    service_identity::ServiceIdentity,
};

/// The providers that a service is configured for, and what is needed to call some of them with
/// keys of organizations.
#[derive(Clone)]
pub struct Providers {
    own: BTreeMap<ProviderName, SharedProvider>,
    openai: OpenAiConfig,
    anthropic: AnthropicConfig,
    gemini: GeminiConfig,
    client: Client,
}

/// Where the providers are, and their keys.
#[derive(Clone)]
pub struct ProvidersConfig {
    pub(super) env: Env,
}

impl ProvidersConfig {
    /// Keeps the variables: which of them are good is seen when the providers are made.
    #[must_use]
    pub fn new(env: &Env) -> Self {
        Self { env: env.clone() }
    }

    /// The providers, by `client`'s connections.
    ///
    /// # Errors
    /// Returns the first variable that is invalid or not allowed here.
    pub fn providers(&self, client: Client) -> Result<Providers, config::Error> {
        Providers::load(&self.env, client, Arc::new(ServiceIdentity::new()))
    }

    /// Who makes models of an organization's own, if there is an `OPENAI_API_KEY`.
    ///
    /// # Errors
    /// Returns the first variable that is invalid.
    pub fn tuner(&self, client: Client) -> Result<Option<SharedTuner>, config::Error> {
        let config = OpenAiConfig::load_optional(&self.env)?;
        Ok(config.map(|config| Arc::new(OpenAi::new(config, client)) as SharedTuner))
    }
}

impl fmt::Debug for ProvidersConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ProvidersConfig")
            .finish_non_exhaustive()
    }
}

impl Providers {
    /// Reads the variables of all providers. Those without `OPENAI_API_KEY`, `ANTHROPIC_API_KEY`,
    /// `GEMINI_API_KEY`, `VERTEX_PROJECT` or `COMPATIBLE_BASE_URL` are not there; the first three
    /// can be called with keys of organizations all the same.
    ///
    /// # Errors
    /// Returns the first variable that is invalid or not allowed here.
    pub fn load(
        env: &Env,
        client: Client,
        identity: Arc<ServiceIdentity>,
    ) -> Result<Self, config::Error> {
        let key = |name: &str| SecretString::from(env.optional(name).unwrap_or_default());
        let mut providers = Self {
            own: BTreeMap::new(),
            openai: OpenAiConfig::load_with_key(env, key("OPENAI_API_KEY"))?,
            anthropic: AnthropicConfig::load_with_key(env, key("ANTHROPIC_API_KEY"))?,
            gemini: GeminiConfig::load_with_key(env, key("GEMINI_API_KEY"))?,
            client: client.clone(),
        };
        for (name, variable) in [
            (ProviderName::Openai, "OPENAI_API_KEY"),
            (ProviderName::Anthropic, "ANTHROPIC_API_KEY"),
            (ProviderName::Gemini, "GEMINI_API_KEY"),
        ] {
            let is_set = env.optional(variable).is_some();
            let provider = is_set.then(|| providers.with_key(name, &key(variable)));
            let provider = provider.flatten().map(|provider| (name, provider));
            providers.own.extend(provider);
        }
        if let Some(config) = VertexConfig::load_optional(env)? {
            let vertex = Vertex::new(config, client.clone(), identity);
            providers.insert(ProviderName::Vertex, Arc::new(vertex));
        }
        if let Some(config) = OpenAiConfig::load_compatible(env)? {
            let compatible = OpenAi::new(config, client);
            providers.insert(ProviderName::Compatible, Arc::new(compatible));
        }
        Ok(providers)
    }

    /// Whether there is none with our own key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// Puts a provider in, instead of the one that there may be.
    pub fn insert(&mut self, name: ProviderName, provider: SharedProvider) {
        self.own.insert(name, provider);
    }

    /// A provider with our own key, if there is one: for whoever admits calls, and nobody else.
    #[must_use]
    pub(crate) fn get(&self, name: ProviderName) -> Option<SharedProvider> {
        self.own.get(&name).cloned()
    }

    /// A provider with an organization's key, at the same address as ours: none for those that take
    /// no keys of others. It is cheap to make.
    #[must_use]
    pub(crate) fn with_key(
        &self,
        name: ProviderName,
        key: &SecretString,
    ) -> Option<SharedProvider> {
        let (api_key, client) = (key.clone(), self.client.clone());
        match name {
            ProviderName::Openai => {
                let config = self.openai.clone();
                Some(Arc::new(OpenAi::new(
                    OpenAiConfig { api_key, ..config },
                    client,
                )))
            }
            ProviderName::Anthropic => {
                let config = self.anthropic.clone();
                let config = AnthropicConfig { api_key, ..config };
                Some(Arc::new(Anthropic::new(config, client)))
            }
            ProviderName::Gemini => {
                let config = self.gemini.clone();
                Some(Arc::new(Gemini::new(
                    GeminiConfig { api_key, ..config },
                    client,
                )))
            }
            ProviderName::Vertex | ProviderName::Compatible => None,
        }
    }
}
