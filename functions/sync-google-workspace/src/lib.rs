#![doc = include_str!("../README.md")]

mod config;
mod handler;
mod message;
mod receive;

use std::sync::Arc;

use axum::{Router, routing::post};
use shared::{
    clock::{SharedClock, SystemClock},
    http::{EdgeConfig, edge},
    store::{Store, firestore::Firestore},
};

pub use crate::config::Config;

/// What the function works with.
#[derive(Clone)]
pub struct AppState {
    store: Store,
    clock: SharedClock,
}

impl AppState {
    /// The state on the real systems.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let store = Store::new(Arc::new(Firestore::new(&config.service)));
        Self::with_ports(store, SystemClock::shared())
    }

    /// The state on the caller's ports.
    #[must_use]
    pub fn with_ports(store: Store, clock: SharedClock) -> Self {
        Self { store, clock }
    }
}

/// The function's routes.
pub fn router(state: AppState) -> Router {
    let routes = Router::new()
        .route("/", post(handler::handle_push))
        .with_state(state);
    edge(routes, &EdgeConfig::default())
}
