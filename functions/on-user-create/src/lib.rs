#![doc = include_str!("../README.md")]

mod config;
mod handler;

use std::sync::Arc;

use axum::{Router, extract::FromRef, routing::post};
use shared::{
    audit::Trail,
    clock::{SharedClock, SystemClock},
    email::{Mailer, SendGrid},
    http::{Callers, ClientError, EdgeConfig, ServiceCallers, client, edge},
    invitation::{Links, Tokens},
    outbox::Dispatcher,
    store::{Store, firestore::Firestore},
};

pub use crate::config::Config;

/// What the function works with.
#[derive(Clone)]
pub struct AppState {
    store: Store,
    trail: Trail,
    clock: SharedClock,
    dispatcher: Dispatcher,
    callers: ServiceCallers,
}

impl AppState {
    /// The state on the real systems.
    ///
    /// # Errors
    /// Returns [`ClientError`] when the HTTP client cannot be built.
    pub fn new(config: Config) -> Result<Self, ClientError> {
        let store = Store::new(Arc::new(Firestore::new(&config.service)));
        let mailer = Arc::new(SendGrid::new(config.sendgrid, client()?));
        let key = config.mac.key();
        let trail = Trail::new(store.clone(), key.clone());
        let links = Links::new(Tokens::new(key), config.app_url);
        let clock = SystemClock::shared();
        let callers = ServiceCallers::from_config(config.callers, clock.clone())?;
        Ok(Self::with_ports(
            store, trail, mailer, links, clock, callers,
        ))
    }

    /// The state on the caller's ports.
    #[must_use]
    pub fn with_ports(
        store: Store,
        trail: Trail,
        mailer: Arc<dyn Mailer>,
        links: Links,
        clock: SharedClock,
        callers: ServiceCallers,
    ) -> Self {
        let dispatcher = Dispatcher::new(store.clone(), mailer, links, clock.clone());
        Self {
            store,
            trail,
            clock,
            dispatcher,
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
        .route("/", post(handler::handle_user_created))
        .with_state(state);
    edge(
        routes,
        &EdgeConfig {
            callers: Callers::Own,
            ..EdgeConfig::default()
        },
    )
}
