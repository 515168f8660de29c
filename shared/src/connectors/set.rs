use std::{collections::HashMap, sync::Arc};

use reqwest::Client;

use super::{Connector, LlmKeys, LlmVendor};
use crate::{
    clock::SharedClock,
    config::{self, Env},
    models::IntegrationService,
};

/// All services that can be connected.
#[derive(Clone, Default)]
pub struct Connectors {
    by_service: HashMap<IntegrationService, Arc<dyn Connector>>,
}

impl Connectors {
    /// Adapters that are chosen one by one.
    #[must_use]
    pub fn new(by_service: HashMap<IntegrationService, Arc<dyn Connector>>) -> Self {
        Self { by_service }
    }

    /// The adapter of each service, at the service's own address.
    ///
    /// # Errors
    /// Returns the first variable that is invalid or not allowed here.
    pub fn load(env: &Env, client: &Client, clock: &SharedClock) -> Result<Self, config::Error> {
        let _ = clock;
        let llm = |vendor| LlmKeys::load(env, vendor, client.clone());
        let adapters: [(IntegrationService, Arc<dyn Connector>); 3] = [
            (
                IntegrationService::Openai,
                Arc::new(llm(LlmVendor::Openai)?),
            ),
            (
                IntegrationService::Anthropic,
                Arc::new(llm(LlmVendor::Anthropic)?),
            ),
            (
                IntegrationService::Gemini,
                Arc::new(llm(LlmVendor::Gemini)?),
            ),
        ];
        Ok(Self::new(adapters.into()))
    }

    /// The adapter of a service, if there is one.
    #[must_use]
    pub fn get(&self, service: IntegrationService) -> Option<&dyn Connector> {
        self.by_service.get(&service).map(AsRef::as_ref)
    }
}
