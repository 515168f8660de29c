#![doc = include_str!("../README.md")]

mod config;
mod event;
mod handler;
mod meter;
mod meter_handler;
mod signature;
mod subscription;
mod tier;

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::FromRef, routing::post};
use shared::{
    audit::Trail,
    clock::{SharedClock, SystemClock},
    http::{ClientError, EdgeConfig, ServiceCallers, edge},
    models::Timestamp,
    store::{Store, firestore::Firestore},
    stripe::{Billing, InvalidClient, StripeClient},
};

pub use crate::{
    config::{Config, WebhookConfig},
    meter::{Error as MeterError, Meter, Metered},
    tier::ProductTiers,
};

/// Stripe's events are far smaller (<https://docs.stripe.com/webhooks>).
const MAX_BODY_BYTES: usize = 256_000;

/// The longest that Cloud Scheduler waits for a run; Stripe itself waits for 10 s.
const TIMEOUT: Duration = Duration::from_secs(300);

/// What the function works with.
#[derive(Clone)]
pub struct AppState {
    store: Store,
    trail: Trail,
    billing: Arc<dyn Billing>,
    clock: SharedClock,
    webhook: Arc<WebhookConfig>,
    callers: ServiceCallers,
}

/// The state cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key or the URL of Stripe's API cannot be used.
    #[error(transparent)]
    Stripe(#[from] InvalidClient),
    /// The client for the keys of callers cannot be built.
    #[error(transparent)]
    Callers(#[from] ClientError),
}

impl AppState {
    /// The state on the real systems.
    ///
    /// # Errors
    /// Returns [`StartError`] when a client cannot be built.
    pub fn new(config: Config) -> Result<Self, StartError> {
        let store = Store::new(Arc::new(Firestore::new(&config.service)));
        let billing = StripeClient::new(&config.api_key, &config.api_base_url)?;
        let clock = SystemClock::shared();
        let trail = Trail::new(store.clone(), config.mac.key());
        let callers = ServiceCallers::from_config(config.callers, clock.clone())?;
        let billing = Arc::new(billing);
        let state = Self::with_ports(store, trail, billing, clock, config.webhook);
        Ok(state.with_callers(callers))
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
            callers: ServiceCallers::unchecked(),
        }
    }

    /// The state with those that may have usage metered.
    #[must_use]
    pub fn with_callers(self, callers: ServiceCallers) -> Self {
        Self { callers, ..self }
    }

    fn meter(&self) -> Meter {
        let (store, billing) = (self.store.clone(), Arc::clone(&self.billing));
        let event_name = self.webhook.meter_event_name.clone();
        Meter::new(store, billing, self.clock.clone(), event_name)
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }
}

impl FromRef<AppState> for ServiceCallers {
    fn from_ref(state: &AppState) -> Self {
        state.callers.clone()
    }
}

/// The function's routes.
pub fn router(state: AppState) -> Router {
    let routes = Router::new()
        .route("/", post(handler::handle_event))
        .route("/meter", post(meter_handler::handle_meter))
        .route(
            "/reconcile-usage",
            post(meter_handler::handle_reconcile_usage),
        )
        .with_state(state);
    let config = EdgeConfig {
        max_body_bytes: MAX_BODY_BYTES,
        timeout: TIMEOUT,
        ..EdgeConfig::default()
    };
    edge(routes, &config)
}
