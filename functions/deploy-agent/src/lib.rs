#![doc = include_str!("../README.md")]

mod config;
mod deploy;
mod handler;
pub mod orchestrator;
mod outcome;
mod provision;
mod request;
mod sweep;
mod watch;

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::FromRef, response::IntoResponse, routing::post};
use http::{HeaderValue, Method};
use shared::{
    audit::Trail,
    auth::TokenVerifier,
    clock::{SharedClock, SystemClock},
    http::{
        Authenticator, CallableError, ClientError, ClientLimit, EdgeConfig, ServiceCallers, client,
        edge,
    },
    models::{SystemPrincipal, Timestamp},
    rate_limit::{RateLimits, Rule},
    retry::Policy,
    store::{Store, firestore::Firestore},
};

pub use crate::config::Config;
use crate::orchestrator::{CloudRun, Orchestrator};

/// Acts for itself when it sweeps and follows changes.
const CALLER: SystemPrincipal = SystemPrincipal {
    function: "deploy-agent",
};

/// How long a call waits for a container: clients of callables give up after 70 s
/// (<https://firebase.google.com/docs/reference/js/functions.httpscallableoptions>).
const PATIENCE: Duration = Duration::from_secs(25);

/// Where Google calls, with tokens of its own.
const EVENTS: &str = "/events";
const SWEEP: &str = "/sweep";

/// What the function works with.
#[derive(Clone)]
pub struct AppState {
    store: Store,
    trail: Trail,
    clock: SharedClock,
    authenticator: Authenticator,
    cors_origins: Vec<HeaderValue>,
    containers: Option<Arc<dyn Orchestrator>>,
    callers: ServiceCallers,
    patience: Policy,
    limits: Option<RateLimits>,
}

impl AppState {
    /// The state on the real systems.
    ///
    /// # Errors
    /// Returns [`StartError`].
    pub fn new(config: Config) -> Result<Self, StartError> {
        let store = Store::new(Arc::new(Firestore::new(&config.service)));
        let clock = SystemClock::shared();
        let verifier = config.auth.verifier(clock.clone(), client()?);
        let trail = Trail::new(store.clone(), config.mac.key());
        let callers = ServiceCallers::from_config(config.callers, clock.clone())?;
        let limits = RateLimits::new(config.rate_limits, clock.clone())?;
        let state = Self::with_ports(store, trail, verifier, clock, config.cors_origins);
        let state = state.with_callers(callers).with_limits(Some(limits));
        let Some(containers) = config.containers else {
            return Ok(state);
        };
        let containers = CloudRun::new(containers, client()?);
        Ok(state.with_containers(Arc::new(containers), patience()))
    }

    /// The state on the caller's ports.
    #[must_use]
    pub fn with_ports(
        store: Store,
        trail: Trail,
        verifier: Arc<dyn TokenVerifier>,
        clock: SharedClock,
        cors_origins: Vec<HeaderValue>,
    ) -> Self {
        let authenticator =
            Authenticator::new(verifier, store.clone(), trail.clone(), clock.clone());
        Self {
            store,
            trail,
            clock,
            authenticator,
            cors_origins,
            containers: None,
            callers: ServiceCallers::unchecked(),
            patience: patience(),
            limits: None,
        }
    }

    /// The state with a place for agents that want a container; `patience` says how often and how
    /// long a request looks whether it is ready.
    #[must_use]
    pub fn with_containers(self, containers: Arc<dyn Orchestrator>, patience: Policy) -> Self {
        Self {
            containers: Some(containers),
            patience,
            ..self
        }
    }

    /// The state with those that may deliver events and ticks.
    #[must_use]
    pub fn with_callers(self, callers: ServiceCallers) -> Self {
        Self { callers, ..self }
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
    /// The address of Redis.
    #[error(transparent)]
    Config(#[from] shared::config::Error),
}

fn patience() -> Policy {
    let (first, longest) = (Duration::from_millis(500), Duration::from_secs(4));
    Policy::new(60, first, longest, PATIENCE).unwrap_or(Policy::REMOTE_CALL)
}

impl FromRef<AppState> for ServiceCallers {
    fn from_ref(state: &AppState) -> Self {
        state.callers.clone()
    }
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}

/// The function's routes. The callable is at the function's own address, and at the path that the
/// Firebase SDK calls behind a custom domain or on an emulator; events and the sweeper's tick have
/// routes of their own.
pub fn router(state: AppState) -> Router {
    let config = EdgeConfig {
        cors_origins: state.cors_origins.clone(),
        client_limit: state.limits.as_ref().map(client_limit),
        answer_error: |error| CallableError(error).into_response(),
        ..EdgeConfig::default()
    };
    let method = post(handler::deploy_agent).fallback(handler::refuse_method);
    let routes = Router::new()
        .route("/", method.clone())
        .route("/deployAgent", method.clone())
        .route("/{project}/{region}/deployAgent", method)
        .route(EVENTS, post(handler::handle_document_written))
        .route(SWEEP, post(handler::handle_sweep))
        .with_state(state);
    edge(routes, &config)
}

/// Google's callers come in any number from few addresses, and have a limit that only keeps an
/// instance from being flooded with bad tokens.
fn client_limit(limits: &RateLimits) -> ClientLimit {
    let calls = Rule::shared("deploy-agent", limits.config().client);
    let events = Rule::per_instance("deploy-agent-events", limits.config().events);
    ClientLimit::new(limits, calls)
        .with_own(Method::POST, EVENTS, events)
        .with_own(Method::POST, SWEEP, events)
}
