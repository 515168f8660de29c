#![doc = include_str!("../README.md")]

mod arrival;
mod blame;
mod change;
mod config;
mod drive;
mod gmail;
mod handler;
mod ingest;
mod known;
mod leg;
mod look;
mod message;
mod readers;
mod receive;
mod reindex;
mod room;
mod settings;
mod stop;
mod sync;
pub mod text;
mod tick;
mod watch;

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::FromRef, routing::post};
use shared::{
    clock::{SharedClock, SystemClock},
    crypto::MacKey,
    http::{ClientError, EdgeConfig, ServiceCallers, client, edge},
    ids::random_token,
    llm::SharedOrgKeys,
    models::{SystemPrincipal, Timestamp},
    quota::MeteredLlm,
    store::{self, DatabaseClock, Store, firestore::Firestore},
    topic::{PubSub, SharedTopic},
    vault::{NoVault, Vault, Workspace},
};

use tokio::time::timeout;

pub use crate::{config::Config, settings::Settings};
use crate::{readers::Readers, stop::Failure};

/// Acts for itself when it looks across organizations.
const CALLER: SystemPrincipal = SystemPrincipal {
    function: "sync-google-workspace",
};

/// Pub/Sub waits at most 600 s for an acknowledgement
/// (<https://cloud.google.com/pubsub/docs/push>).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(590);

/// What the function works with.
#[derive(Clone)]
pub struct AppState {
    store: Store,
    clock: SharedClock,
    database_clock: Option<Arc<DatabaseClock>>,
    workspace: Arc<dyn Workspace>,
    llm: MeteredLlm,
    topic: Option<SharedTopic>,
    mail_push: Option<MailPush>,
    readers: Readers,
    /// Another one for each process.
    process: Arc<str>,
    settings: Settings,
    callers: ServiceCallers,
}

/// The outside systems that syncs reach.
pub struct Ports {
    /// Mailboxes and files.
    pub workspace: Arc<dyn Workspace>,
    /// Places texts.
    pub llm: MeteredLlm,
    /// Where integrations that are due are told; without it, a tick syncs them itself.
    pub topic: Option<SharedTopic>,
    /// How Gmail tells of changes, if it does.
    pub mail_push: Option<MailPush>,
}

/// How Gmail tells of changes.
#[derive(Clone)]
pub struct MailPush {
    /// The topic that it publishes to.
    pub topic: String,
    /// Makes of an address what its integrations are found by.
    pub key: Arc<dyn MacKey>,
}

/// The state cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What admits calls of models, or the adapters of connected services.
    #[error(transparent)]
    Config(#[from] shared::config::Error),
}

impl AppState {
    /// The state on the real systems.
    ///
    /// # Errors
    /// Returns an error when an HTTP client cannot be built, or a service has no valid address.
    pub fn new(config: Config) -> Result<Self, StartError> {
        let firestore = Arc::new(Firestore::new(&config.service));
        let database = Arc::new(DatabaseClock::new(firestore, SystemClock::shared()));
        let store = Store::new(database.clone());
        let clock: SharedClock = database.clone();
        let vault = match config.vault {
            Some(vault) => Some(vault.vault(store.clone(), &client()?, clock.clone())?),
            None => None,
        };
        let keys = vault.clone().map(|vault| Arc::new(vault) as SharedOrgKeys);
        let providers = config.providers.providers(client()?)?;
        let (admission, models) = (&config.admission, store.clone());
        let ports = Ports {
            workspace: workspace(vault),
            llm: MeteredLlm::of(providers, keys, admission, models, clock.clone())?,
            topic: config
                .topic
                .map(|topic| Arc::new(PubSub::new(topic)) as SharedTopic),
            mail_push: config.mail_push.map(|(topic, mac)| MailPush {
                topic,
                key: mac.key(),
            }),
        };
        let callers = ServiceCallers::from_config(config.callers, clock.clone())?;
        let state = Self::with_ports(store, ports, config.settings, clock, callers);
        Ok(Self {
            database_clock: Some(database),
            ..state
        })
    }

    /// The state on the caller's ports.
    #[must_use]
    pub fn with_ports(
        store: Store,
        ports: Ports,
        settings: Settings,
        clock: SharedClock,
        callers: ServiceCallers,
    ) -> Self {
        Self {
            store,
            clock,
            database_clock: None,
            workspace: ports.workspace,
            llm: ports.llm,
            topic: ports.topic,
            mail_push: ports.mail_push,
            readers: Readers::new(&settings),
            process: random_token().into(),
            settings,
            callers,
        }
    }

    /// Does `work`, which is to serve, and books the model calls whose callers go away meanwhile.
    pub async fn book_while<T>(&self, work: impl Future<Output = T>) -> T {
        self.llm.book_while(work).await
    }

    /// What a process does last: books the model calls that were dropped.
    pub async fn end(&self) {
        self.llm.book_dropped_at_once().await;
    }

    /// Makes sure that the clock agrees with those of other workers: a lease taken by a clock that is
    /// ahead outlives its worker by as much.
    async fn calibrate(&self) -> Result<(), store::Error> {
        match &self.database_clock {
            Some(clock) => clock.calibrate().await,
            None => Ok(()),
        }
    }

    /// The outcome of a call, if it comes in time.
    async fn in_time<T>(&self, call: impl Future<Output = T>) -> Result<T, Failure> {
        let done = timeout(self.settings.call_timeout, call).await;
        done.map_err(|_| Failure::TIMED_OUT)
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

fn workspace(vault: Option<Vault>) -> Arc<dyn Workspace> {
    match vault {
        Some(vault) => Arc::new(vault),
        None => Arc::new(NoVault),
    }
}

/// The function's routes.
pub fn router(state: AppState) -> Router {
    let routes = Router::new()
        .route("/", post(handler::handle_push))
        .with_state(state);
    edge(
        routes,
        &EdgeConfig {
            timeout: REQUEST_TIMEOUT,
            ..EdgeConfig::default()
        },
    )
}
