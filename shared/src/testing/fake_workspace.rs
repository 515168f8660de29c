//! One Google with Gmail and Drive, for any number of accounts, held to its discovery documents in
//! both directions.

#![expect(
    clippy::unwrap_used,
    reason = "a test that names what is not there fails"
)]

mod account;
mod drive;
mod fields;
mod gmail;
mod message;
mod server;
mod weather;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use axum::Router;
use serde_json::Value;
use tokio::net::TcpListener;

use super::{
    FakeGoogle, FakeService,
    discovery::{Call, Discovery},
    lock,
};
use crate::{
    clock::SharedClock,
    config::Env,
    connectors::google::{GoogleWorkspace, GoogleWorkspaceConfig},
    http::client,
};

use account::Account;
pub use account::{FakeAccount, GroundTruth, Seen};
pub use message::SentMail;
pub use weather::{Fault, Weather};

/// A running Google. Whose an access token is, and what it may do, its [`FakeService`] tells: the
/// `id` of that account names the mailbox and the Drive.
#[derive(Clone)]
pub struct FakeWorkspace {
    shared: Arc<Shared>,
    url: String,
}

/// A call that it took, whatever came of it.
#[derive(Clone, Debug)]
pub struct WorkspaceCall {
    /// The method of the discovery documents: `gmail.users.history.list`.
    pub method: String,
    /// The access token that came with it.
    pub token: String,
    /// What was asked.
    pub call: Call,
    /// How it failed, unless it was carried out.
    pub fault: Option<Fault>,
}

struct Shared {
    discovery: Discovery,
    service: Arc<FakeService>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    accounts: BTreeMap<String, Account>,
    weather: weather::Sky,
    /// Faults of the next calls.
    faults: VecDeque<Fault>,
    /// Mails and files that every call about them fails for.
    broken: BTreeMap<String, Fault>,
    rows: Vec<Value>,
    calls: Vec<WorkspaceCall>,
    problems: Vec<String>,
}

impl FakeWorkspace {
    /// A server on a local port.
    ///
    /// # Panics
    /// Panics when there is no port.
    #[expect(clippy::disallowed_methods, reason = "the server runs beside the test")]
    pub async fn start(service: Arc<FakeService>) -> Self {
        let mut workspace = Self::new(service);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        workspace.url = format!("http://{}", listener.local_addr().unwrap());
        let router = workspace.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        workspace
    }

    /// The same without a server, for who serves [`Self::router`].
    #[must_use]
    pub fn new(service: Arc<FakeService>) -> Self {
        let shared = Shared {
            discovery: Discovery::load(),
            service,
            state: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            url: String::new(),
        }
    }

    /// What answers its requests.
    pub fn router(&self) -> Router {
        server::router(Arc::clone(&self.shared))
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The adapter of it, with the OAuth of `google`.
    ///
    /// # Panics
    /// Panics when there can be no client.
    #[must_use]
    pub fn adapter(&self, google: &FakeGoogle, clock: SharedClock) -> GoogleWorkspace {
        let env = Env::from_pairs([("CONNECTOR_GOOGLE_URL", self.url())]);
        let config = GoogleWorkspaceConfig::load(&env).unwrap();
        let oauth = google.oauth(clock.clone());
        GoogleWorkspace::new(config, oauth, client().unwrap(), clock)
    }

    /// The mailbox and the Drive of the account with that `id`, which are empty at first.
    #[must_use]
    pub fn account(&self, id: &str) -> FakeAccount {
        FakeAccount::new(Arc::clone(&self.shared), id)
    }

    /// How it behaves from now on.
    pub fn set_weather(&self, weather: Weather) {
        self.state().weather = weather.into();
    }

    /// Has the next calls fail, one with each fault.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    /// Has each call about this mail or file fail, until it is told otherwise.
    pub fn break_item(&self, id: &str, fault: Option<Fault>) {
        let mut state = self.state();
        match fault {
            Some(fault) => state.broken.insert(id.to_owned(), fault),
            None => state.broken.remove(id),
        };
    }

    /// Rows that were appended to any sheet, oldest first.
    #[must_use]
    pub fn rows(&self) -> Vec<Value> {
        self.state().rows.clone()
    }

    /// The calls that it took, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<WorkspaceCall> {
        self.state().calls.clone()
    }

    /// How many calls of a method it took.
    #[must_use]
    pub fn count(&self, method: &str) -> usize {
        let state = self.state();
        let calls = state.calls.iter();
        calls.filter(|call| call.method == method).count()
    }

    /// Forgets the calls that it took.
    pub fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// Requests that the documents do not allow, and answers of its own that they do not.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.state().problems.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }
}
