use std::{collections::HashMap, sync::Arc};

use reqwest::Client;

use super::{
    Connector, CustomerSendGrid, Github, LlmKeys, LlmVendor, Stripe, Twilio,
    google::GoogleWorkspace,
};
use crate::{
    clock::SharedClock,
    config::{self, Env},
    models::IntegrationService,
};

/// All services that can be connected.
#[derive(Clone, Default)]
pub struct Connectors {
    by_service: HashMap<IntegrationService, Arc<dyn Connector>>,
    /// What the sync reads with.
    google: Option<Arc<GoogleWorkspace>>,
}

impl Connectors {
    /// Adapters that are chosen one by one.
    #[must_use]
    pub fn new(by_service: HashMap<IntegrationService, Arc<dyn Connector>>) -> Self {
        Self {
            by_service,
            google: None,
        }
    }

    /// The same with this adapter of Google, for its actions and for the sync.
    #[must_use]
    pub fn with_google(mut self, google: GoogleWorkspace) -> Self {
        let google = Arc::new(google);
        let adapter = Arc::clone(&google) as Arc<dyn Connector>;
        self.by_service.insert(IntegrationService::Google, adapter);
        self.google = Some(google);
        self
    }

    /// The adapter of each service, at the service's own address. Google's is there if this
    /// application is known to Google.
    ///
    /// # Errors
    /// Returns the first variable that is invalid or not allowed here.
    pub fn load(env: &Env, client: &Client, clock: &SharedClock) -> Result<Self, config::Error> {
        let google = GoogleWorkspace::load_optional(env, client, clock)?;
        let github = Github::load(env, client.clone(), clock.clone())?;
        let stripe = Stripe::load(env, client.clone())?;
        let twilio = Twilio::load(env, client.clone())?;
        let sendgrid = CustomerSendGrid::load(env, client.clone())?;
        let openai = LlmKeys::load(env, LlmVendor::Openai, client.clone())?;
        let anthropic = LlmKeys::load(env, LlmVendor::Anthropic, client.clone())?;
        let gemini = LlmKeys::load(env, LlmVendor::Gemini, client.clone())?;
        let adapters: [(IntegrationService, Arc<dyn Connector>); 7] = [
            (IntegrationService::Stripe, Arc::new(stripe)),
            (IntegrationService::Github, Arc::new(github)),
            (IntegrationService::Twilio, Arc::new(twilio)),
            (IntegrationService::Sendgrid, Arc::new(sendgrid)),
            (IntegrationService::Openai, Arc::new(openai)),
            (IntegrationService::Anthropic, Arc::new(anthropic)),
            (IntegrationService::Gemini, Arc::new(gemini)),
        ];
        let connectors = Self::new(adapters.into());
        Ok(match google {
            Some(google) => connectors.with_google(google),
            None => connectors,
        })
    }

    /// The adapter of a service, if there is one.
    #[must_use]
    pub fn get(&self, service: IntegrationService) -> Option<&dyn Connector> {
        self.by_service.get(&service).map(AsRef::as_ref)
    }

    /// What reads mailboxes and files for the sync, if this application is known to Google.
    pub(crate) fn google(&self) -> Option<&GoogleWorkspace> {
        self.google.as_deref()
    }
}
