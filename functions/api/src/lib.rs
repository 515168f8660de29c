#![doc = include_str!("../README.md")]

mod account;
mod account_export;
mod agents;
mod approvals;
mod audit_trail;
mod billing;
mod cancellation;
mod changes;
mod config;
mod conversations;
mod departure;
mod document_limits;
mod error;
mod execution_stream;
mod executions;
mod gateway;
mod graph_check;
mod idempotency;
mod integrations;
mod invitations;
mod knowledge;
mod llm_routes;
mod members;
mod memories;
mod month_use;
mod organization;
mod pace;
mod page;
mod plan_view;
mod presence;
mod rerun;
mod routes;
mod run_picture;
mod speech;
mod start;
mod stored_bodies;
mod trigger_declaration;
mod tunings;
mod usage_report;
mod webhooks;
mod workflows;

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::FromRef, middleware::from_fn_with_state};
use http::Method;
use shared::{
    audit::Trail,
    auth::TokenVerifier,
    clock::{SharedClock, SystemClock},
    http::{Authenticator, ClientError, ClientLimit, EdgeConfig, client, edge},
    identity::{Accounts, IdentityToolkit},
    invitation::Tokens,
    llm::{SharedOrgKeys, providers::Speakers, router::Timeouts},
    models::{SystemPrincipal, Timestamp},
    quota::MeteredLlm,
    rate_limit::{RateLimits, Rule},
    storage::{Bucket, BucketConfig},
    store::{Store, firestore::Firestore},
    stripe::{InvalidClient, StripeClient},
    topic::{PubSub, SharedTopic},
    vault::Vault,
};
use tokio::sync::Semaphore;

use crate::{billing::Billing, integrations::Hub, webhooks::HookKeys};
pub use crate::{
    billing::StripeConfig,
    config::Config,
    routes::{PUBLIC_ROUTES, ROUTES, Route},
};

/// Acts for itself when what refers to a user may lie in organizations that it has left.
pub(crate) const CALLER: SystemPrincipal = SystemPrincipal { function: "api" };

/// Largest conversation with its images, in bytes: Anthropic takes 32 MB, Gemini 20.
const MAX_PROMPT_BYTES: usize = 20_000_000;

/// The longest that a route waits for an answer.
const LONGEST_ANSWER: Duration = Duration::from_millis(Timeouts::MAX_MS);

/// What admission and booking may take around a model's answer.
const BOOKING_TIME: Duration = Duration::from_secs(30);

/// Texts that a process has spoken at once: an audio is held whole, and may have 30 MB.
const MAX_SPEECHES: usize = 8;

/// What the function works with.
#[derive(Clone)]
pub struct AppState {
    store: Store,
    trail: Trail,
    accounts: Arc<dyn Accounts>,
    tokens: Tokens,
    hook_keys: HookKeys,
    clock: SharedClock,
    authenticator: Authenticator,
    default_model: String,
    hub: Hub,
    billing: Billing,
    llm: Option<MeteredLlm>,
    /// Places for texts that are being spoken.
    speeches: Arc<Semaphore>,
    artifacts: Option<Arc<dyn Bucket>>,
    limits: Option<RateLimits>,
    edge: EdgeConfig,
}

impl AppState {
    /// The state on the real systems.
    ///
    /// # Errors
    /// Returns [`StartError`].
    pub fn new(mut config: Config) -> Result<Self, StartError> {
        let clock = SystemClock::shared();
        let store = Store::new(Arc::new(Firestore::new(&config.service)));
        let verifier = config.auth.verifier(clock.clone(), client()?);
        let emulator_host = config.auth.emulator_host.as_deref();
        let project_id = &config.auth.project_id;
        let accounts = IdentityToolkit::new(client()?, project_id, emulator_host);
        let accounts = Arc::new(accounts);
        let artifacts = config.artifacts.as_ref().map(BucketConfig::bucket);
        let speakers = config.providers.speakers(client()?)?;
        let topic = config.sync_topic.take();
        let topic = topic.map(|topic| Arc::new(PubSub::new(topic)) as SharedTopic);
        let vault = config.vault.take();
        let vault = vault.map(|vault| {
            let vault = vault.vault(store.clone(), &client()?, clock.clone())?;
            Ok::<_, StartError>(vault)
        });
        let vault = vault.transpose()?;
        let keys = vault.clone().map(|vault| Arc::new(vault) as SharedOrgKeys);
        let llm = llm(&config, keys, speakers, &store, &clock)?;
        let stripe = config
            .stripe
            .as_ref()
            .map(|stripe| StripeClient::new(&stripe.api_key, &stripe.api_base_url));
        let stripe = stripe.transpose()?;
        let limits = RateLimits::new(config.rate_limits.clone(), clock.clone())?;
        let state = Self::with_ports(config, store, verifier, accounts, clock);
        let state = state.with_stripe(stripe);
        let state = state.with_artifacts(artifacts).with_vault(vault);
        let state = state.with_sync_topic(topic);
        Ok(state.with_llm(llm).with_limits(Some(limits)))
    }

    /// The state with limits of how often somebody may come, if there are any.
    #[must_use]
    pub fn with_limits(self, limits: Option<RateLimits>) -> Self {
        let authenticator = self.authenticator.with_limits(limits.clone());
        Self {
            authenticator,
            limits,
            ..self
        }
    }

    /// The state with what connects outside services, if credentials have a key.
    #[must_use]
    pub fn with_vault(mut self, vault: Option<Vault>) -> Self {
        self.hub.vault = vault;
        self
    }

    /// The state with the topic that has integrations be synced, if there is one.
    #[must_use]
    pub fn with_sync_topic(mut self, topic: Option<SharedTopic>) -> Self {
        self.hub.topic = topic;
        self
    }

    /// The state with the platform's account at Stripe, if there is one.
    #[must_use]
    pub fn with_stripe(mut self, stripe: Option<StripeClient>) -> Self {
        self.billing.stripe = stripe;
        self
    }

    /// The state with the models that can be asked, if there are any.
    #[must_use]
    pub fn with_llm(self, llm: Option<MeteredLlm>) -> Self {
        Self { llm, ..self }
    }

    /// The state with those who can speak.
    #[must_use]
    pub fn with_speakers(self, speakers: Speakers) -> Self {
        let llm = self.llm.map(|llm| llm.with_speakers(speakers));
        Self { llm, ..self }
    }

    /// Does `work`, which is to serve, and books the model calls whose callers go away meanwhile.
    pub async fn book_while<T>(&self, work: impl Future<Output = T>) -> T {
        match &self.llm {
            Some(llm) => llm.book_while(work).await,
            None => work.await,
        }
    }

    /// What a process does last: books the model calls whose callers have gone.
    pub async fn end(&self) {
        if let Some(llm) = &self.llm {
            llm.book_dropped_at_once().await;
        }
    }

    /// The state with the place where runs keep what is too large for a document, if there is one.
    #[must_use]
    pub fn with_artifacts(self, artifacts: Option<Arc<dyn Bucket>>) -> Self {
        Self { artifacts, ..self }
    }

    /// The state on the caller's ports.
    #[must_use]
    pub fn with_ports(
        config: Config,
        store: Store,
        verifier: Arc<dyn TokenVerifier>,
        accounts: Arc<dyn Accounts>,
        clock: SharedClock,
    ) -> Self {
        let key = config.mac.key();
        let trail = Trail::new(store.clone(), key.clone());
        let authenticator =
            Authenticator::new(verifier, store.clone(), trail.clone(), clock.clone());
        let edge = EdgeConfig {
            cors_origins: config.cors_origins,
            ..EdgeConfig::default()
        };
        let hub = Hub {
            store: store.clone(),
            trail: trail.clone(),
            vault: None,
            topic: None,
            key: key.clone(),
            app_url: config.app_url,
        };
        let billing = Billing {
            stripe: None,
            portal_configuration: config.stripe.and_then(|stripe| stripe.portal_configuration),
            return_urls: config.return_urls,
        };
        Self {
            store,
            trail,
            accounts,
            hook_keys: HookKeys::new(key.clone()),
            tokens: Tokens::new(key),
            clock,
            authenticator,
            default_model: config.default_model,
            hub,
            billing,
            llm: None,
            speeches: Arc::new(Semaphore::new(MAX_SPEECHES)),
            artifacts: None,
            limits: None,
            edge,
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }
}

/// Why the function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The key or the address of Stripe.
    #[error(transparent)]
    Stripe(#[from] InvalidClient),
    /// The address of a service that can be connected, or of Redis.
    #[error(transparent)]
    Config(#[from] shared::config::Error),
}

/// The models that can be asked, if there is a provider, or may be one, and the voices.
fn llm(
    config: &Config,
    keys: Option<SharedOrgKeys>,
    speakers: Speakers,
    store: &Store,
    clock: &SharedClock,
) -> Result<Option<MeteredLlm>, StartError> {
    let providers = config.providers.providers(client()?)?;
    if providers.is_empty() && keys.is_none() && speakers.is_empty() {
        return Ok(None);
    }
    let (store, clock) = (store.clone(), clock.clone());
    let llm = MeteredLlm::of(providers, keys, &config.admission, store, clock)?;
    Ok(Some(llm.with_speakers(speakers)))
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}

/// The function's routes.
pub fn router(state: AppState) -> Router {
    let limits = state.limits.as_ref();
    let edge_config = EdgeConfig {
        client_limit: limits.map(page_limit),
        ..state.edge.clone()
    };
    let api = Router::new().nest(routes::PREFIX, routes::routes());
    let below = |base| routes::below(base).with_state(state.clone());
    let hooks = edge(below(routes::HOOKS), &hook_edge(limits));
    let room = routes::Room::new(MAX_PROMPT_BYTES);
    let models = below(routes::LLM).layer(from_fn_with_state(room, routes::hold_room));
    let models = edge(models, &model_edge(&edge_config));
    let speech = edge(below(routes::SPEECH), &speech_edge(&edge_config));
    // Added last: what the edge does for pages is not done here.
    edge(api.with_state(state), &edge_config)
        .nest_service(&format!("{}{}", routes::PREFIX, routes::HOOKS), hooks)
        .nest_service(&format!("{}{}", routes::PREFIX, routes::LLM), models)
        .nest_service(&format!("{}{}", routes::PREFIX, routes::SPEECH), speech)
}

/// A long text takes most of a minute to be spoken.
fn speech_edge(pages: &EdgeConfig) -> EdgeConfig {
    EdgeConfig {
        timeout: MeteredLlm::LONGEST_SPEECH + BOOKING_TIME,
        ..pages.clone()
    }
}

/// Models take longer than anything else, and are shown images.
fn model_edge(pages: &EdgeConfig) -> EdgeConfig {
    EdgeConfig {
        max_body_bytes: MAX_PROMPT_BYTES,
        timeout: LONGEST_ANSWER + BOOKING_TIME,
        ..pages.clone()
    }
}

/// Servers call there, and no pages.
fn hook_edge(limits: Option<&RateLimits>) -> EdgeConfig {
    let limit = |limits: &RateLimits| {
        let rule = Rule::shared("api-hooks", limits.config().hooks);
        ClientLimit::new(limits, rule)
    };
    EdgeConfig {
        max_body_bytes: routes::MAX_HOOK_BODY_BYTES,
        client_limit: limits.map(limit),
        ..EdgeConfig::default()
    }
}

/// Browsers that come back from a consent are counted apart: a page that has used up its requests
/// must not lose a consent.
fn page_limit(limits: &RateLimits) -> ClientLimit {
    let pages = Rule::shared("api", limits.config().client);
    let callback = Rule::shared("api-oauth-callback", limits.config().oauth_callback);
    let limit = ClientLimit::new(limits, pages);
    limit.with_own(Method::GET, routes::GOOGLE_CALLBACK, callback)
}
