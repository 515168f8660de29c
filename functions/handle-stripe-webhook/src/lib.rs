#![doc = include_str!("../README.md")]

mod config;
mod event;
mod handler;
mod signature;
mod subscription;
mod tier;

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::post};
use shared::{
    audit::Trail,
    clock::{SharedClock, SystemClock},
    http::{EdgeConfig, edge},
    models::Timestamp,
    store::{Store, firestore::Firestore},
    stripe::{Billing, InvalidClient, StripeClient},
};

pub use crate::{
    config::{Config, WebhookConfig},
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
}

impl AppState {
    /// The state on the real systems.
    ///
    /// # Errors
    /// Returns [`InvalidClient`] when the key or the URL of Stripe's API cannot be used.
    pub fn new(config: Config) -> Result<Self, InvalidClient> {
        let store = Store::new(Arc::new(Firestore::new(&config.service)));
        let billing = StripeClient::new(&config.api_key, &config.api_base_url)?;
        let clock = SystemClock::shared();
        let trail = Trail::new(store.clone(), config.mac.key());
        Ok(Self::with_ports(
            store,
            trail,
            Arc::new(billing),
            clock,
            config.webhook,
        ))
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
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }
}

/// The function's routes.
pub fn router(state: AppState) -> Router {
    let routes = Router::new()
        .route("/", post(handler::handle_event))
        .with_state(state);
    let config = EdgeConfig {
        max_body_bytes: MAX_BODY_BYTES,
        timeout: TIMEOUT,
        ..EdgeConfig::default()
    };
    edge(routes, &config)
}
