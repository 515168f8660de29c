#![doc = include_str!("../README.md")]

mod config;
mod event;
mod handler;
mod signature;
mod stripe_client;
mod subscription;
mod tier;

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::post};
use shared::{
    audit::Trail,
    clock::{SharedClock, SystemClock},
    http::{ClientLimit, EdgeConfig, edge},
    models::Timestamp,
    rate_limit::{RateLimits, Rule},
    store::{Store, firestore::Firestore},
    stripe::Billing,
};

pub use crate::{
    config::{Config, WebhookConfig},
    stripe_client::{InvalidClient, StripeClient},
    tier::ProductTiers,
};

/// Stripe's events are far smaller (<https://docs.stripe.com/webhooks>).
const MAX_BODY_BYTES: usize = 256_000;

/// Stripe takes an answer that comes later for a failure.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What the function works with.
#[derive(Clone)]
pub struct AppState {
    store: Store,
    trail: Trail,
    billing: Arc<dyn Billing>,
    clock: SharedClock,
    webhook: Arc<WebhookConfig>,
    limits: Option<RateLimits>,
}

impl AppState {
    /// The state on the real systems.
    ///
    /// # Errors
    /// Returns [`StartError`].
    pub fn new(config: Config) -> Result<Self, StartError> {
        let store = Store::new(Arc::new(Firestore::new(&config.service)));
        let billing = StripeClient::new(&config.api_key, &config.api_base_url)?;
        let clock = SystemClock::shared();
        let trail = Trail::new(store.clone(), config.mac.key());
        let limits = RateLimits::new(config.rate_limits, clock.clone())?;
        let state = Self::with_ports(store, trail, Arc::new(billing), clock, config.webhook);
        Ok(state.with_limits(Some(limits)))
    }

    /// The state on the caller's ports.
    #[must_use]
    pub fn with_ports(
        store: Store,
        trail: Trail,
        billing: Arc<dyn Billing>,
        clock: SharedClock,
        webhook: WebhookConfig,
    ) -> Self {
        Self {
            store,
            trail,
            billing,
            clock,
            webhook: Arc::new(webhook),
            limits: None,
        }
    }

    /// The state with limits of how often somebody may come, if there are any.
    #[must_use]
    pub fn with_limits(self, limits: Option<RateLimits>) -> Self {
        Self { limits, ..self }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }
}

/// Why the function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key or the URL of Stripe's API cannot be used.
    #[error(transparent)]
    Stripe(#[from] InvalidClient),
    /// The address of Redis.
    #[error(transparent)]
    Config(#[from] shared::config::Error),
}

/// The function's routes.
pub fn router(state: AppState) -> Router {
    let limit = |limits: &RateLimits| {
        let rule = Rule::shared("stripe-webhook", limits.config().hooks);
        ClientLimit::new(limits, rule)
    };
    let client_limit = state.limits.as_ref().map(limit);
    let routes = Router::new()
        .route("/", post(handler::handle_event))
        .with_state(state);
    let config = EdgeConfig {
        max_body_bytes: MAX_BODY_BYTES,
        timeout: TIMEOUT,
        client_limit,
        ..EdgeConfig::default()
    };
    edge(routes, &config)
}
