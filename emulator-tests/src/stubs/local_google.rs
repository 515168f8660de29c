//! Google for who tries the product on this machine: a page that asks for consent, a mailbox and a
//! Drive that remember, and routes below `/_local` for what other people would do to them.

use std::sync::Arc;

use anyhow::Result;
use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::get,
};
use shared::{
    clock::{Clock, SystemClock},
    testing::{
        FakeAccount, FakeGoogle, FakeGoogleOptions, FakeService, FakeWorkspace, GOOGLE_CLIENT,
    },
};
use tower::ServiceExt;

use crate::emulators::LocalServer;

mod consent;
mod routes;
mod seed;

/// Whose mailbox and Drive it is. The label is masked, as that of Google's own accounts.
const ACCOUNT_ID: &str = "local-ada";
const ACCOUNT_LABEL: &str = "a…@example.com";

/// What a [`LocalGoogle`] starts with.
#[derive(Clone, Debug, Default)]
pub struct LocalGoogleOptions {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Where browsers go back to from a consent.
    pub redirect_url: String,
}

/// A running Google with one account; dropping it stops it. What is in the account is forgotten
/// then, and so are its consents.
pub struct LocalGoogle {
    server: LocalServer,
    state: Arc<LocalGoogleState>,
}

struct LocalGoogleState {
    oauth: FakeGoogle,
    workspace: FakeWorkspace,
    redirect_url: String,
}

type Shared = State<Arc<LocalGoogleState>>;

impl LocalGoogle {
    /// Fills the account and starts to serve.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start(options: LocalGoogleOptions) -> Result<Self> {
        let service = Arc::new(FakeService::new());
        let redirect_url = options.redirect_url;
        let oauth = FakeGoogleOptions {
            redirect_url: redirect_url.clone(),
            ..FakeGoogleOptions::default()
        };
        let state = Arc::new(LocalGoogleState {
            oauth: FakeGoogle::new(Arc::clone(&service), oauth),
            workspace: FakeWorkspace::new(service),
            redirect_url,
        });
        seed::fill(&state.workspace.account(ACCOUNT_ID));
        let router = Router::new()
            .route(consent::PATH, get(consent::ask).post(consent::decide))
            .merge(routes::routes())
            .fallback(answer)
            .with_state(Arc::clone(&state))
            .merge(state.oauth.router());
        let server = LocalServer::start("google", options.port, router).await?;
        Ok(Self { server, state })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What has services use it.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, String); 5] {
        let [(id, client), (secret, client_secret), (redirect, _)] = GOOGLE_CLIENT;
        [
            (id, client.to_owned()),
            (secret, client_secret.to_owned()),
            (redirect, self.state.redirect_url.clone()),
            ("GOOGLE_OAUTH_EMULATOR_URL", self.url()),
            ("CONNECTOR_GOOGLE_URL", self.url()),
        ]
    }

    /// The mailbox and the Drive.
    #[must_use]
    pub fn account(&self) -> FakeAccount {
        self.state.account()
    }

    /// Requests that Google's documents do not allow.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.state.workspace.problems()
    }
}

impl LocalGoogleState {
    /// The account, whose clock is not behind ours.
    fn account(&self) -> FakeAccount {
        let account = self.workspace.account(ACCOUNT_ID);
        account.pass_to(SystemClock.now().as_second());
        account
    }
}

/// Gmail, Drive and Sheets. The record of calls is for suites: here it would grow for days.
async fn answer(State(state): Shared, request: Request) -> Response {
    state.workspace.forget_calls();
    let answered = state.workspace.router().oneshot(request).await;
    answered.unwrap_or_else(|never| match never {})
}
