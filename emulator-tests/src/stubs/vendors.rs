//! The vendors whose accounts customers connect by a key, on one port: who has a key is answered as
//! the vendor does, everybody else with an [`echo`]. It holds requests to no contract: the adapters'
//! own tests do.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::echo;
use crate::emulators::LocalServer;

/// Where the adapters find their vendors, and the first segment of their paths here.
const VENDORS: [(&str, &str); 7] = [
    ("CONNECTOR_STRIPE_URL", "stripe"),
    ("CONNECTOR_GITHUB_URL", "github"),
    ("CONNECTOR_TWILIO_URL", "twilio"),
    ("CONNECTOR_SENDGRID_URL", "sendgrid"),
    ("CONNECTOR_OPENAI_URL", "openai"),
    ("CONNECTOR_ANTHROPIC_URL", "anthropic"),
    ("CONNECTOR_GEMINI_URL", "gemini"),
];

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// With this status, and everything that was sent.
    Echo(StatusCode),
    /// Without any answer.
    Silence,
}

/// Running vendors; dropping them stops them.
pub struct Vendors {
    server: LocalServer,
    state: Arc<VendorsState>,
}

#[derive(Default)]
struct VendorsState {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    secrets: Vec<String>,
    installation_token: String,
    failures: HashMap<String, Failure>,
}

impl Vendors {
    /// Starts to serve.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start() -> anyhow::Result<Self> {
        let state = Arc::new(VendorsState::default());
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&state));
        let server = LocalServer::start("vendors", 0, router).await?;
        Ok(Self { server, state })
    }

    /// What has services use them.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, String)> {
        let url = self.server.url();
        let variable = move |(name, vendor)| (name, format!("{url}/{vendor}"));
        VENDORS.into_iter().map(variable)
    }

    /// What has services ask models of them; OpenAI has a stand-in of its own.
    pub fn llm_variables(&self) -> impl Iterator<Item = (&'static str, String)> {
        let url = self.server.url();
        let anthropic = ("ANTHROPIC_BASE_URL", format!("{url}/anthropic"));
        let gemini = ("GEMINI_BASE_URL", format!("{url}/gemini/v1beta"));
        [anthropic, gemini].into_iter()
    }

    /// Has a key be good at all of them.
    pub fn accept(&self, secret: &str) {
        self.state.known().secrets.push(secret.to_owned());
    }

    /// Has GitHub give this token to every app.
    pub fn give_to_apps(&self, token: &str) {
        token.clone_into(&mut self.state.known().installation_token);
    }

    /// Has the calls of a vendor fail from now on; none ends it.
    pub fn set_failure(&self, vendor: &str, failure: Option<Failure>) {
        let failures = &mut self.state.known().failures;
        match failure {
            Some(failure) => failures.insert(vendor.to_owned(), failure),
            None => failures.remove(vendor),
        };
    }
}

impl VendorsState {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// An app signs what it sends; whether well is not looked at.
    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let texts = headers.values().filter_map(|value| value.to_str().ok());
        texts.into_iter().any(|text| {
            let secret = text.strip_prefix("Bearer ").unwrap_or(text);
            let pair = text
                .strip_prefix("Basic ")
                .and_then(|pair| STANDARD.decode(pair).ok())
                .and_then(|pair| String::from_utf8(pair).ok());
            let password = pair.as_deref().and_then(|pair| pair.split_once(':'));
            let is_known = |text: &str| self.secrets.iter().any(|known| known == text);
            let is_app = secret.starts_with("eyJ") || secret == self.installation_token;
            is_app || is_known(secret) || password.is_some_and(|(_, password)| is_known(password))
        })
    }
}

async fn answer(
    State(state): State<Arc<VendorsState>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().trim_start_matches('/');
    let (vendor, path) = path.split_once('/').unwrap_or((path, ""));
    let (failure, is_let_in, token) = {
        let known = state.known();
        let failure = known.failures.get(vendor).copied();
        let token = known.installation_token.clone();
        (failure, known.lets_in(&headers), token)
    };
    match failure {
        Some(Failure::Silence) => std::future::pending().await,
        Some(Failure::Echo(status)) => echo::refuse(status, &headers, &body),
        None if !is_let_in => echo::refuse(StatusCode::UNAUTHORIZED, &headers, &body),
        None => match content(method.as_str(), vendor, path, &token) {
            Some((status, content)) => (status, Json(content)).into_response(),
            None => echo::refuse(StatusCode::NOT_FOUND, &headers, &body),
        },
    }
}

/// As far as the adapters read it.
fn content(verb: &str, vendor: &str, path: &str, token: &str) -> Option<(StatusCode, Value)> {
    let segments: Vec<&str> = path.split('/').collect();
    let made = |content| Some((StatusCode::CREATED, content));
    let content = match (verb, vendor, segments.as_slice()) {
        ("GET", "stripe", ["v1", "account"]) => json!({ "id": "acct_1", "object": "account" }),
        ("GET", "stripe", ["v1", "charges"]) => json!({ "data": [], "has_more": false }),
        ("GET", "github", ["user"]) => json!({ "id": 1, "login": "ada" }),
        ("GET", "github", ["app", "installations", _]) => {
            json!({ "app_slug": "bot", "account": { "id": 2, "login": "engines" } })
        }
        ("POST", "github", ["app", "installations", _, "access_tokens"]) => {
            return made(json!({ "token": token, "expires_at": "2999-01-01T00:00:00Z" }));
        }
        ("GET", "github", ["repos", _, _, "issues"]) => json!([]),
        ("GET", "twilio", [.., "Messages.json"]) => json!({ "messages": [] }),
        ("POST", "twilio", [.., "Messages.json"]) => {
            return made(json!({ "sid": "SM1", "status": "queued" }));
        }
        ("GET", "twilio", _) => json!({ "status": "active" }),
        ("GET", "sendgrid", ["v3", "scopes"]) => json!({ "scopes": ["mail.send"] }),
        ("POST", "sendgrid", ["v3", "mail", "send"]) => {
            return Some((StatusCode::ACCEPTED, Value::Null));
        }
        ("GET", "openai" | "anthropic", ["v1", "models"]) => json!({ "data": [] }),
        ("GET", "gemini", ["v1beta", "models"]) => json!({ "models": [] }),
        _ => return None,
    };
    Some((StatusCode::OK, content))
}
