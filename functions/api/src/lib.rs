#![doc = include_str!("../README.md")]

mod account;
mod account_export;
mod agents;
mod approvals;
mod audit_trail;
mod cancellation;
mod changes;
mod config;
mod departure;
mod document_limits;
mod error;
mod execution_stream;
mod executions;
mod google_consent;
mod graph_check;
mod idempotency;
mod integrations;
mod invitations;
mod members;
mod organization;
mod page;
mod presence;
mod rerun;
mod routes;
mod run_picture;
mod start;
mod stored_bodies;
mod trigger_declaration;
mod usage_report;
mod webhooks;
mod workflows;

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use shared::{
    audit::Trail,
    auth::TokenVerifier,
    clock::{SharedClock, SystemClock},
    http::{Authenticator, ClientError, EdgeConfig, client, edge},
    identity::{Accounts, IdentityToolkit},
    invitation::Tokens,
    models::{SystemPrincipal, Timestamp},
    storage::{Bucket, BucketConfig},
    store::{Store, firestore::Firestore},
};

use crate::webhooks::HookKeys;
pub use crate::{
    config::{Config, GoogleClient},
    routes::{PUBLIC_ROUTES, ROUTES, Route},
};

/// Acts for itself when what refers to a user may lie in organizations that it has left.
pub(crate) const CALLER: SystemPrincipal = SystemPrincipal { function: "api" };

/// What the function works with.
#[derive(Clone)]
pub struct AppState {
    store: Store,
    trail: Trail,
    accounts: Arc<dyn Accounts>,
    tokens: Tokens,
    hook_keys: HookKeys,
    clock: SharedClock,
    authenticator: Authenticator,
    default_model: String,
    google: Option<GoogleClient>,
    artifacts: Option<Arc<dyn Bucket>>,
    edge: EdgeConfig,
}

impl AppState {
    /// The state on the real systems.
    ///
    /// # Errors
    /// Returns [`ClientError`] when the HTTP client cannot be built.
    pub fn new(config: Config) -> Result<Self, ClientError> {
        let clock = SystemClock::shared();
        let store = Store::new(Arc::new(Firestore::new(&config.service)));
        let verifier = config.auth.verifier(clock.clone(), client()?);
        let emulator_host = config.auth.emulator_host.as_deref();
        let project_id = &config.auth.project_id;
        let accounts = IdentityToolkit::new(client()?, project_id, emulator_host);
        let accounts = Arc::new(accounts);
        let artifacts = config.artifacts.as_ref().map(BucketConfig::bucket);
        Ok(Self::with_ports(config, store, verifier, accounts, clock).with_artifacts(artifacts))
    }

    /// The state with the place where runs keep what is too large for a document, if there is one.
    #[must_use]
    pub fn with_artifacts(self, artifacts: Option<Arc<dyn Bucket>>) -> Self {
        Self { artifacts, ..self }
    }

    /// The state on the caller's ports.
    #[must_use]
    pub fn with_ports(
        config: Config,
        store: Store,
        verifier: Arc<dyn TokenVerifier>,
        accounts: Arc<dyn Accounts>,
        clock: SharedClock,
    ) -> Self {
        let key = config.mac.key();
        let trail = Trail::new(store.clone(), key.clone());
        let authenticator =
            Authenticator::new(verifier, store.clone(), trail.clone(), clock.clone());
        let edge = EdgeConfig {
            cors_origins: config.cors_origins,
            ..EdgeConfig::default()
        };
        Self {
            store,
            trail,
            accounts,
            hook_keys: HookKeys::new(key.clone()),
            tokens: Tokens::new(key),
            clock,
            authenticator,
            default_model: config.default_model,
            google: config.google,
            artifacts: None,
            edge,
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}

/// The function's routes.
pub fn router(state: AppState) -> Router {
    let edge_config = state.edge.clone();
    let api = Router::new().nest(routes::PREFIX, routes::routes());
    let hooks = edge(routes::hooks().with_state(state.clone()), &hook_edge());
    // Added last: what the edge does for pages is not done here.
    edge(api.with_state(state), &edge_config)
        .nest_service(&format!("{}{}", routes::PREFIX, routes::HOOKS), hooks)
}

/// Servers call there, and no pages.
fn hook_edge() -> EdgeConfig {
    EdgeConfig {
        max_body_bytes: routes::MAX_HOOK_BODY_BYTES,
        ..EdgeConfig::default()
    }
}
