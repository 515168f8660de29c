//! Google for the whole product: OAuth as [`FakeGoogle`] has it, and the calls of Gmail and Sheets
//! that the actions make, held to Google's discovery documents in both directions.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use shared::{
    connectors::Account,
    testing::{
        FakeGoogle, FakeGoogleOptions, FakeService,
        discovery::{Call, Discovery, RawRequest, Route},
    },
};
use url::Url;

use super::echo;
use crate::emulators::LocalServer;
use mailbox::Mailbox;

pub use mailbox::SentMail;

mod mailbox;

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

/// A running Google with one account; dropping it stops it.
pub struct Google {
    oauth: FakeGoogle,
    server: LocalServer,
    state: Arc<GoogleState>,
}

/// A call that Google took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoogleCall {
    /// The method of the discovery documents: `gmail.users.messages.send`.
    pub method: String,
    /// The access token that came with it.
    pub token: String,
}

struct GoogleState {
    discovery: Discovery,
    service: Arc<FakeService>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    mailbox: Mailbox,
    rows: Vec<Value>,
    calls: Vec<GoogleCall>,
    problems: Vec<String>,
    /// The status of all answers, which repeat what was sent.
    failure: Option<StatusCode>,
}

impl Google {
    /// Starts to serve.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(options: FakeGoogleOptions) -> anyhow::Result<Self> {
        let service = Arc::new(FakeService::new());
        let state = Arc::new(GoogleState {
            discovery: Discovery::load(),
            service: Arc::clone(&service),
            seen: Mutex::default(),
        });
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&state));
        Ok(Self {
            oauth: FakeGoogle::start_with(service, options).await,
            server: LocalServer::start("google", 0, router).await?,
            state,
        })
    }

    /// Its OAuth.
    #[must_use]
    pub fn oauth(&self) -> &FakeGoogle {
        &self.oauth
    }

    /// What has services use it.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, String)> {
        let oauth = self.oauth.variables().into_iter();
        let oauth = oauth.map(|(name, value)| (name, value.to_owned()));
        oauth.chain([("CONNECTOR_GOOGLE_URL", self.server.url())])
    }

    /// Has an access token be good, until [`Self::refuse`].
    pub fn accept(&self, access_token: &str) {
        self.state.service.accept(access_token, &account());
    }

    /// Has an access token be worthless.
    pub fn refuse(&self, access_token: &str) {
        self.state.service.refuse(access_token);
    }

    /// Puts a mail into the inbox.
    pub fn deliver(&self, from: &str, subject: &str, text: &str) {
        self.state.seen().mailbox.deliver(from, subject, text);
    }

    /// Has calls fail from now on, with answers that repeat what was sent; none ends it.
    pub fn set_failure(&self, status: Option<StatusCode>) {
        self.state.seen().failure = status;
    }

    /// What was sent, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<SentMail> {
        self.state.seen().mailbox.sent()
    }

    /// Rows that were appended to any sheet, oldest first.
    #[must_use]
    pub fn rows(&self) -> Vec<Value> {
        self.state.seen().rows.clone()
    }

    /// The calls that it took, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<GoogleCall> {
        self.state.seen().calls.clone()
    }

    /// Requests that the documents do not allow.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.state.seen().problems.clone()
    }
}

/// The only account there is.
#[must_use]
pub fn account() -> Account {
    Account {
        id: Some("sub-1".to_owned()),
        label: "a…@example.com".to_owned(),
        scopes: SCOPES.map(str::to_owned).into(),
    }
}

impl GoogleState {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(&self, status: StatusCode, problem: String) -> Response {
        self.seen().problems.push(problem);
        refusal(status, "refusedByTheStandIn")
    }

    fn carry_out(&self, route: &Route<'_>, call: &Call, token: &str) -> Response {
        let method = route.method.id();
        let done = {
            let mut seen = self.seen();
            seen.calls.push(GoogleCall {
                method: method.to_owned(),
                token: token.to_owned(),
            });
            seen.carry_out(method, call)
        };
        let Some(done) = done else {
            return self.refuse(StatusCode::NOT_IMPLEMENTED, format!("{method}: not here"));
        };
        let body = match done {
            Ok(body) => body,
            Err(status) => return refusal(status, "notFound"),
        };
        let problems = route.method.check_response(&body);
        match problems.is_empty() {
            true => Json(body).into_response(),
            false => {
                let problem = format!("{method} never answers so: {problems:?}");
                self.refuse(StatusCode::INTERNAL_SERVER_ERROR, problem)
            }
        }
    }
}

impl Seen {
    /// The answer; none for a method that this stand-in does not have.
    fn carry_out(&mut self, method: &str, call: &Call) -> Option<Result<Value, StatusCode>> {
        let parameter = |name| call.parameter(name).unwrap_or_default();
        Some(match method {
            "oauth2.userinfo.get" => Ok(json!({ "id": account().id, "email": "ada@example.com" })),
            "gmail.users.messages.list" => Ok(self.mailbox.find(parameter("q"))),
            "gmail.users.messages.get" => self
                .mailbox
                .get(parameter("id"))
                .ok_or(StatusCode::NOT_FOUND),
            "gmail.users.messages.send" => {
                self.mailbox.send(&call.body).ok_or(StatusCode::BAD_REQUEST)
            }
            "sheets.spreadsheets.values.append" => Ok(self.append(call)),
            _ => return None,
        })
    }

    fn append(&mut self, call: &Call) -> Value {
        let rows = call.body["values"].as_array().cloned().unwrap_or_default();
        let count = rows.len();
        self.rows.extend(rows);
        json!({
            "spreadsheetId": call.parameter("spreadsheetId"),
            "updates": { "updatedRange": call.parameter("range"), "updatedRows": count },
        })
    }
}

async fn answer(
    State(state): State<Arc<GoogleState>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let failure = state.seen().failure;
    if let Some(status) = failure {
        return echo::refuse(status, &headers, &body);
    }
    let Some(route) = state.discovery.route(method.as_str(), uri.path()) else {
        let problem = format!("no method for {method} {}", uri.path());
        return state.refuse(StatusCode::NOT_FOUND, problem);
    };
    let Ok(url) = Url::parse(&format!("http://google{uri}")) else {
        return state.refuse(StatusCode::BAD_REQUEST, format!("no address: {uri}"));
    };
    let raw = RawRequest {
        verb: method.as_str(),
        url: &url,
        headers: &headers,
        body: &body,
    };
    let call = match Call::read(&route, &raw) {
        Ok(call) => call,
        Err(problems) => {
            let problem = format!("{}: {problems:?}", route.method.id());
            return state.refuse(StatusCode::BAD_REQUEST, problem);
        }
    };
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .unwrap_or_default();
    let Some(account) = state.service.account_of(token) else {
        return echo::refuse(StatusCode::UNAUTHORIZED, &headers, &body);
    };
    let scopes: Vec<&str> = account.scopes.iter().map(String::as_str).collect();
    match route.method.allows(&scopes) {
        true => state.carry_out(&route, &call, token),
        false => refusal(StatusCode::FORBIDDEN, "insufficientPermissions"),
    }
}

fn refusal(status: StatusCode, reason: &str) -> Response {
    let errors = json!([{ "domain": "global", "reason": reason }]);
    let error = json!({ "code": status.as_u16(), "message": reason, "errors": errors });
    (status, Json(json!({ "error": error }))).into_response()
}
