#![doc = include_str!("../README.md")]

mod allowance;
mod config;
pub mod fault_points;
mod handler;
mod isolation;
mod journal;
mod node;
mod publish;
mod run;
mod schedule;
mod settings;
mod start;
mod sweep;
mod trace;
mod tuning;
mod version;
mod wake;

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::FromRef, routing::post};
use shared::{
    audit::Trail,
    clock::{SharedClock, SystemClock},
    egress::{self, Egress},
    email::{Mailer, SendGrid},
    erasure::Erasure,
    http::{Callers, ClientError, EdgeConfig, ServiceCallers, client, edge},
    identity::{Accounts, IdentityToolkit},
    invitation::{Links, Tokens},
    llm::{SharedOrgKeys, SharedTuner},
    models::SystemPrincipal,
    outbox::Dispatcher,
    queue::{CloudTasks, SharedQueue},
    quota::MeteredLlm,
    shutdown::Shutdown,
    storage::Bucket,
    store::{self, DatabaseClock, Store, firestore::Firestore},
    vault::{Actions, NoVault, Vault, VaultConfig},
};

use crate::isolation::Isolation;
pub use crate::{config::Config, settings::Settings};

/// Acts for itself when it looks across organizations.
const CALLER: SystemPrincipal = SystemPrincipal {
    function: "execute-workflow",
};

/// Pub/Sub, which carries Eventarc's events, waits at most 600 s for an acknowledgement
/// (<https://cloud.google.com/pubsub/docs/push>).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(590);

/// What the function works with.
#[derive(Clone)]
pub struct AppState {
    store: Store,
    clock: SharedClock,
    database_clock: Option<Arc<DatabaseClock>>,
    llm: MeteredLlm,
    egress: Arc<Egress>,
    actions: Arc<dyn Actions>,
    queue: SharedQueue,
    artifacts: Option<Arc<dyn Bucket>>,
    dispatcher: Dispatcher,
    erasure: Erasure,
    trail: Trail,
    tuner: Option<SharedTuner>,
    settings: Settings,
    callers: ServiceCallers,
    isolation: Isolation,
    shutdown: Shutdown,
}

impl AppState {
    /// The state on the real systems. What is under way when `shutdown` begins hands over.
    ///
    /// # Errors
    /// Returns an error when an HTTP client cannot be built, or a service has no valid address.
    pub fn new(config: Config, shutdown: Shutdown) -> Result<Self, StartError> {
        let firestore = Arc::new(Firestore::new(&config.service));
        let database = Arc::new(DatabaseClock::new(firestore, SystemClock::shared()));
        let store = Store::new(database.clone());
        let clock: SharedClock = database.clone();
        let key = config.mac.key();
        let emulator_host = config.auth.emulator_host.as_deref();
        let accounts = IdentityToolkit::new(client()?, &config.auth.project_id, emulator_host);
        let vault = vault(config.vault, &store, &clock)?;
        let queue = CloudTasks::new(config.queue, client()?, clock.clone());
        let providers = config.providers.providers(client()?)?;
        let keys = vault.clone().map(|vault| Arc::new(vault) as SharedOrgKeys);
        let ports = Ports {
            llm: MeteredLlm::of(
                providers,
                keys,
                &config.admission,
                store.clone(),
                clock.clone(),
            )?,
            mailer: Arc::new(SendGrid::new(config.sendgrid, client()?)),
            links: Links::new(Tokens::new(key.clone()), config.app_url),
            trail: Trail::new(store.clone(), key),
            accounts: Arc::new(accounts),
            queue: Arc::new(queue),
            egress: Egress::new(config.egress)?,
            actions: actions(vault.as_ref()),
            artifacts: config.artifacts.map(|artifacts| artifacts.bucket()),
        };
        let tuner = config.providers.tuner(client()?)?;
        let callers = ServiceCallers::from_config(config.callers, clock.clone())?;
        Ok(
            Self::with_ports(store, ports, config.settings, clock, callers, shutdown)
                .with_database_clock(database)
                .with_vault(vault)
                .with_tuner(tuner),
        )
    }

    /// What a process does last: books the model calls that were dropped.
    pub async fn end(&self) {
        self.llm.book_dropped_at_once().await;
    }

    /// The state with what ends the credentials of users whose accounts are deleted.
    #[must_use]
    pub fn with_vault(self, vault: Option<Vault>) -> Self {
        let erasure = self.erasure.with_vault(vault);
        Self { erasure, ..self }
    }

    /// The state with what makes models from examples, if there is a provider that does.
    #[must_use]
    pub fn with_tuner(self, tuner: Option<SharedTuner>) -> Self {
        Self { tuner, ..self }
    }

    /// The state with a clock that is to be set by the database before it is relied on.
    #[must_use]
    pub fn with_database_clock(self, clock: Arc<DatabaseClock>) -> Self {
        Self {
            database_clock: Some(clock),
            ..self
        }
    }

    /// Makes sure that the clock agrees with those of other workers. Every handler does so before it
    /// looks at it: a lease taken by a clock that is ahead outlives its worker by as much.
    async fn calibrate(&self) -> Result<(), store::Error> {
        match &self.database_clock {
            Some(clock) => clock.calibrate().await,
            None => Ok(()),
        }
    }

    /// The state on the caller's ports.
    #[must_use]
    pub fn with_ports(
        store: Store,
        ports: Ports,
        settings: Settings,
        clock: SharedClock,
        callers: ServiceCallers,
        shutdown: Shutdown,
    ) -> Self {
        let dispatcher = Dispatcher::new(store.clone(), ports.mailer, ports.links, clock.clone());
        let erasure = Erasure::new(store.clone(), ports.trail.clone(), ports.accounts);
        let egress = Arc::new(ports.egress);
        Self {
            store,
            clock,
            database_clock: None,
            llm: ports.llm,
            egress,
            actions: ports.actions,
            queue: ports.queue,
            artifacts: ports.artifacts,
            dispatcher,
            erasure,
            trail: ports.trail,
            tuner: None,
            settings,
            callers,
            isolation: Isolation::default(),
            shutdown,
        }
    }
}

impl FromRef<AppState> for ServiceCallers {
    fn from_ref(state: &AppState) -> Self {
        state.callers.clone()
    }
}

/// The state cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The one for the providers or for the keys of callers.
    #[error(transparent)]
    Provider(#[from] ClientError),
    /// The one for HTTP nodes.
    #[error(transparent)]
    Egress(#[from] egress::Error),
    /// What admits calls of models, or the adapters of connected services.
    #[error(transparent)]
    Config(#[from] shared::config::Error),
}

/// The outside systems that nodes and the sweeper reach.
pub struct Ports {
    /// Answers `llm` and `agent` nodes.
    pub llm: MeteredLlm,
    /// Sends the outbox's e-mails.
    pub mailer: Arc<dyn Mailer>,
    /// Makes the links in them.
    pub links: Links,
    /// Records what the sweeper does to accounts, and what becomes of models in the making.
    pub trail: Trail,
    /// Keeps the accounts that users sign in with.
    pub accounts: Arc<dyn Accounts>,
    /// Sends the requests of `http` nodes.
    pub egress: Egress,
    /// Carries out the actions of connected services.
    pub actions: Arc<dyn Actions>,
    /// Delivers what goes on later, or elsewhere.
    pub queue: SharedQueue,
    /// Keeps what is too large for a document, if there is a place.
    pub artifacts: Option<Arc<dyn Bucket>>,
}

fn vault(
    config: Option<VaultConfig>,
    store: &Store,
    clock: &SharedClock,
) -> Result<Option<Vault>, StartError> {
    let Some(config) = config else {
        return Ok(None);
    };
    let vault = config.vault(store.clone(), &client()?, clock.clone())?;
    Ok(Some(vault))
}

fn actions(vault: Option<&Vault>) -> Arc<dyn Actions> {
    match vault {
        Some(vault) => Arc::new(vault.clone()),
        None => Arc::new(NoVault),
    }
}

/// The function's routes.
pub fn router(state: AppState) -> Router {
    let routes = Router::new()
        .route("/", post(handler::handle_document_written))
        .route("/continue", post(handler::handle_continue))
        .route("/schedule", post(handler::handle_schedule))
        .route("/sweep", post(handler::handle_sweep))
        .with_state(state);
    edge(
        routes,
        &EdgeConfig {
            timeout: REQUEST_TIMEOUT,
            callers: Callers::Own,
            ..EdgeConfig::default()
        },
    )
}
