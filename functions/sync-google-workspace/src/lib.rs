#![doc = include_str!("../README.md")]

mod config;
mod handler;
mod message;
mod receive;
pub mod text;

use std::sync::Arc;

use axum::{Router, extract::FromRef, routing::post};
use shared::{
    clock::{SharedClock, SystemClock},
    http::{ClientError, EdgeConfig, ServiceCallers, edge},
    store::{Store, firestore::Firestore},
};

pub use crate::config::Config;

/// What the function works with.
#[derive(Clone)]
pub struct AppState {
    store: Store,
    clock: SharedClock,
    callers: ServiceCallers,
}

impl AppState {
    /// The state on the real systems.
    ///
    /// # Errors
    /// Returns [`ClientError`] when the HTTP client cannot be built.
    pub fn new(config: Config) -> Result<Self, ClientError> {
        let store = Store::new(Arc::new(Firestore::new(&config.service)));
        let clock = SystemClock::shared();
        let callers = ServiceCallers::from_config(config.callers, clock.clone())?;
        Ok(Self::with_ports(store, clock, callers))
    }

    /// The state on the caller's ports.
    #[must_use]
    pub fn with_ports(store: Store, clock: SharedClock, callers: ServiceCallers) -> Self {
        Self {
            store,
            clock,
            callers,
        }
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
        .route("/", post(handler::handle_push))
        .with_state(state);
    edge(routes, &EdgeConfig::default())
}
