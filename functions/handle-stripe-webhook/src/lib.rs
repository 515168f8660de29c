#![doc = include_str!("../README.md")]

mod config;
mod event;
mod handler;
mod limits;
mod notices;
mod process;
mod receive;
mod reconcile;
mod signature;
mod stripe_client;
mod subscription;
mod sweep;
mod tier;

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::FromRef, routing::post};
use shared::{
    audit::Trail,
    clock::{SharedClock, SystemClock},
    http::{ClientError, EdgeConfig, ServiceCallers, client, edge},
    models::{SystemPrincipal, Timestamp},
    queue::{CloudTasks, SharedQueue},
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

/// Longest time for a task of the queue or a tick; events are answered far sooner.
const TIMEOUT: Duration = Duration::from_secs(300);

/// When the sweeper looks after something that is to be done at once, in seconds.
const SWEEP_SECS: i64 = 60;

/// Acts for itself: Stripe has called, not a user.
const CALLER: SystemPrincipal = SystemPrincipal {
    function: "handle-stripe-webhook",
};

/// What the function works with.
#[derive(Clone)]
pub struct AppState {
    store: Store,
    trail: Trail,
    billing: Arc<dyn Billing>,
    queue: SharedQueue,
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
    /// An HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl AppState {
    /// The state on the real systems.
    ///
    /// # Errors
    /// Returns an error when a client cannot be built.
    pub fn new(config: Config) -> Result<Self, StartError> {
        let store = Store::new(Arc::new(Firestore::new(&config.service)));
        let billing = StripeClient::new(&config.api_key, &config.api_base_url)?;
        let clock = SystemClock::shared();
        let trail = Trail::new(store.clone(), config.mac.key());
        let queue = CloudTasks::new(config.queue, client()?, clock.clone());
        let callers = ServiceCallers::from_config(config.callers, clock.clone())?;
        let (billing, queue) = (Arc::new(billing), Arc::new(queue));
        let webhook = config.webhook;
        Ok(Self::with_ports(
            store, trail, billing, queue, clock, webhook, callers,
        ))
    }

    /// The state on the caller's ports.
    #[must_use]
    pub fn with_ports(
        store: Store,
        trail: Trail,
        billing: Arc<dyn Billing>,
        queue: SharedQueue,
        clock: SharedClock,
        webhook: WebhookConfig,
        callers: ServiceCallers,
    ) -> Self {
        Self {
            store,
            trail,
            billing,
            queue,
            clock,
            webhook: Arc::new(webhook),
            callers,
        }
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

/// The function's routes. Stripe's is for everybody who can sign; the others are for the queue and
/// the scheduler.
pub fn router(state: AppState) -> Router {
    let routes = Router::new()
        .route("/", post(handler::handle_event))
        .route("/events/process", post(handler::handle_process))
        .route("/sweep", post(handler::handle_sweep))
        .route("/reconcile", post(handler::handle_reconcile))
        .with_state(state);
    let config = EdgeConfig {
        max_body_bytes: MAX_BODY_BYTES,
        timeout: TIMEOUT,
        ..EdgeConfig::default()
    };
    edge(routes, &config)
}
