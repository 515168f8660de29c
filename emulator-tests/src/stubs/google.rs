//! Google for the whole product: OAuth as [`FakeGoogle`] has it, and one account of
//! [`FakeWorkspace`]. Its refusals repeat what was sent.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use shared::{
    connectors::Account,
    testing::{FakeAccount, FakeGoogle, FakeGoogleOptions, FakeService, FakeWorkspace, SentMail},
};

use super::echo;
use crate::emulators::LocalServer;

/// What users are asked for, and who they are.
pub const SCOPES: [&str; 7] = [
    "openid",
    "https://www.googleapis.com/auth/userinfo.email",
    "https://www.googleapis.com/auth/gmail.readonly",
    "https://www.googleapis.com/auth/gmail.send",
    "https://www.googleapis.com/auth/calendar",
    "https://www.googleapis.com/auth/drive.file",
    "https://www.googleapis.com/auth/spreadsheets",
];

/// The id of the only account.
const ACCOUNT_ID: &str = "sub-1";

/// Requests above this many bytes are none of ours.
const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;

/// A running Google with one account; dropping it stops it.
pub struct Google {
    oauth: FakeGoogle,
    server: LocalServer,
    service: Arc<FakeService>,
    workspace: FakeWorkspace,
    failure: Failure,
}

/// The status of all answers, if there is one.
type Failure = Arc<Mutex<Option<StatusCode>>>;

/// A call that Google took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoogleCall {
    /// The method of the discovery documents: `gmail.users.messages.send`.
    pub method: String,
    /// The access token that came with it.
    pub token: String,
}

impl Google {
    /// Starts to serve.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(options: FakeGoogleOptions) -> anyhow::Result<Self> {
        let service = Arc::new(FakeService::new());
        let workspace = FakeWorkspace::new(Arc::clone(&service));
        let failure = Failure::default();
        let refusals = from_fn_with_state(Arc::clone(&failure), echo_refusals);
        let router = workspace.router().layer(refusals);
        Ok(Self {
            oauth: FakeGoogle::start_with(Arc::clone(&service), options).await,
            server: LocalServer::start("google", 0, router).await?,
            service,
            workspace,
            failure,
        })
    }

    /// Its OAuth.
    #[must_use]
    pub fn oauth(&self) -> &FakeGoogle {
        &self.oauth
    }

    /// Its APIs.
    #[must_use]
    pub fn workspace(&self) -> &FakeWorkspace {
        &self.workspace
    }

    /// What the user of its account does, and sees.
    #[must_use]
    pub fn user(&self) -> FakeAccount {
        self.workspace.account(ACCOUNT_ID)
    }

    /// What has services use it.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, String)> {
        let oauth = self.oauth.variables().into_iter();
        let oauth = oauth.map(|(name, value)| (name, value.to_owned()));
        oauth.chain([("CONNECTOR_GOOGLE_URL", self.server.url())])
    }

    /// Has an access token be good, until [`Self::refuse`].
    pub fn accept(&self, access_token: &str) {
        self.service.accept(access_token, &account());
    }

    /// Has an access token be worthless.
    pub fn refuse(&self, access_token: &str) {
        self.service.refuse(access_token);
    }

    /// Puts a mail into the inbox.
    pub fn deliver(&self, from: &str, subject: &str, text: &str) {
        self.user().deliver(from, subject, text);
    }

    /// Has calls fail from now on, with answers that repeat what was sent; none ends it.
    pub fn set_failure(&self, status: Option<StatusCode>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// What was sent, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<SentMail> {
        self.user().sent()
    }

    /// Rows that were appended to any sheet, oldest first.
    #[must_use]
    pub fn rows(&self) -> Vec<Value> {
        self.workspace.rows()
    }

    /// The calls that it took, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<GoogleCall> {
        let calls = self.workspace.calls().into_iter();
        let taken = calls.filter(|call| call.fault.is_none());
        let calls = taken.map(|call| GoogleCall {
            method: call.method,
            token: call.token,
        });
        calls.collect()
    }

    /// Requests that the documents do not allow.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.workspace.problems()
    }
}

/// The only account there is.
#[must_use]
pub fn account() -> Account {
    Account {
        id: Some(ACCOUNT_ID.to_owned()),
        label: "a…@example.com".to_owned(),
        scopes: SCOPES.map(str::to_owned).into(),
    }
}

/// Has failures, and refusals of tokens, repeat what was sent.
async fn echo_refusals(State(failure): State<Failure>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_REQUEST_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let failure = *failure.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(status) = failure {
        return echo::refuse(status, &head.headers, &body);
    }
    let headers = head.headers.clone();
    let request = Request::from_parts(head, Body::from(body.clone()));
    let response = next.run(request).await;
    match response.status() {
        StatusCode::UNAUTHORIZED => echo::refuse(StatusCode::UNAUTHORIZED, &headers, &body),
        _ => response,
    }
}
