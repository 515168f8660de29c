#![doc = include_str!("../README.md")]

mod config;
mod deploy;
mod handler;
mod orchestrator;
mod request;

use std::sync::Arc;

use axum::{Router, extract::FromRef, response::IntoResponse, routing::post};
use http::HeaderValue;
use shared::{
    audit::Trail,
    auth::TokenVerifier,
    clock::{SharedClock, SystemClock},
    http::{Authenticator, CallableError, ClientError, EdgeConfig, client, edge},
    store::{Store, firestore::Firestore},
};

pub use crate::config::Config;

/// What the function works with.
#[derive(Clone)]
pub struct AppState {
    store: Store,
    trail: Trail,
    clock: SharedClock,
    authenticator: Authenticator,
    cors_origins: Vec<HeaderValue>,
}

impl AppState {
    /// The state on the real systems.
    ///
    /// # Errors
    /// Returns [`ClientError`] when the HTTP client cannot be built.
    pub fn new(config: Config) -> Result<Self, ClientError> {
        let store = Store::new(Arc::new(Firestore::new(&config.service)));
        let clock = SystemClock::shared();
        let verifier = config.auth.verifier(clock.clone(), client()?);
        let trail = Trail::new(store.clone(), config.mac.key());
        Ok(Self::with_ports(
            store,
            trail,
            verifier,
            clock,
            config.cors_origins,
        ))
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
        }
    }
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}

/// The function's routes: its own address, and the path that the Firebase SDK calls behind a
/// custom domain or on an emulator.
pub fn router(state: AppState) -> Router {
    let config = EdgeConfig {
        cors_origins: state.cors_origins.clone(),
        answer_error: |error| CallableError(error).into_response(),
        ..EdgeConfig::default()
    };
    let method = post(handler::deploy_agent).fallback(handler::refuse_method);
    let routes = Router::new()
        .route("/", method.clone())
        .route("/deployAgent", method.clone())
        .route("/{project}/{region}/deployAgent", method)
        .with_state(state);
    edge(routes, &config)
}
