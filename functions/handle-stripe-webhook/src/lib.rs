#![doc = include_str!("../README.md")]

mod config;
mod event;
mod handler;
mod limits;
mod meter;
mod notices;
mod process;
mod receive;
mod reconcile;
mod rivals;
mod signature;
mod subscription;
mod sweep;
mod tier;

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::FromRef, routing::post};
use http::Method;
use shared::{
    audit::Trail,
    clock::{SharedClock, SystemClock},
    http::{ClientError, ClientLimit, EdgeConfig, ServiceCallers, client, edge},
    models::{SystemPrincipal, Timestamp},
    queue::{CloudTasks, SharedQueue},
    rate_limit::{RateLimits, Rule},
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

/// Longest time for a task of the queue or a tick; events are answered far sooner.
const TIMEOUT: Duration = Duration::from_secs(300);

/// When the sweeper looks after something that is to be done at once, in seconds.
const SWEEP_SECS: i64 = 60;

/// Where the queue and the scheduler call, with tokens of Google's.
const PROCESS: &str = "/events/process";
const SWEEP: &str = "/sweep";
const RECONCILE: &str = "/reconcile";
const METER: &str = "/meter";
const RECONCILE_USAGE: &str = "/reconcile-usage";

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
    limits: Option<RateLimits>,
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
    /// The address of Redis.
    #[error(transparent)]
    Config(#[from] shared::config::Error),
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
        let queue = CloudTasks::new(config.queue, client()?, clock.clone());
        let callers = ServiceCallers::from_config(config.callers, clock.clone())?;
        let limits = RateLimits::new(config.rate_limits, clock.clone())?;
        let (billing, queue) = (Arc::new(billing), Arc::new(queue));
        let webhook = config.webhook;
        let state = Self::with_ports(store, trail, billing, queue, clock, webhook, callers);
        Ok(state.with_limits(Some(limits)))
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
            limits: None,
        }
    }

    /// The state with limits of how often somebody may come, if there are any.
    #[must_use]
    pub fn with_limits(self, limits: Option<RateLimits>) -> Self {
        Self { limits, ..self }
    }

    fn meter(&self) -> Meter {
        let (store, billing) = (self.store.clone(), Arc::clone(&self.billing));
        Meter::new(store, billing, self.clock.clone())
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
    let client_limit = state.limits.as_ref().map(client_limit);
    let routes = Router::new()
        .route("/", post(handler::handle_event))
        .route(PROCESS, post(handler::handle_process))
        .route(SWEEP, post(handler::handle_sweep))
        .route(RECONCILE, post(handler::handle_reconcile))
        .route(METER, post(handler::handle_meter))
        .route(RECONCILE_USAGE, post(handler::handle_reconcile_usage))
        .with_state(state);
    let config = EdgeConfig {
        max_body_bytes: MAX_BODY_BYTES,
        timeout: TIMEOUT,
        client_limit,
        ..EdgeConfig::default()
    };
    edge(routes, &config)
}

/// The queue calls as often as there are events, from few addresses, and has a limit that only keeps
/// an instance from being flooded with bad tokens.
fn client_limit(limits: &RateLimits) -> ClientLimit {
    let events = Rule::shared("stripe-webhook", limits.config().hooks);
    let tasks = Rule::per_instance("stripe-webhook-tasks", limits.config().events);
    let client_limit = ClientLimit::new(limits, events);
    [PROCESS, SWEEP, RECONCILE, METER, RECONCILE_USAGE]
        .into_iter()
        .fold(client_limit, |client_limit, path| {
            client_limit.with_own(Method::POST, path, tasks)
        })
}
