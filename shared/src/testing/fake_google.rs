use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use ::http::StatusCode;
use axum::{Json, Router, extract::State, routing::post};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore};

use super::{FakeService, lock};
use crate::{
    clock::SharedClock,
    config::Env,
    connectors::{
        Account,
        google::oauth::{GoogleOAuth, GoogleOAuthConfig, code_challenge},
    },
    http::client,
};

/// The client of every [`FakeGoogle`], as variables.
pub const GOOGLE_CLIENT: [(&str, &str); 3] = [
    ("GOOGLE_OAUTH_CLIENT_ID", "client-1"),
    ("GOOGLE_OAUTH_CLIENT_SECRET", "client-secret"),
    (
        "GOOGLE_OAUTH_REDIRECT_URL",
        "https://api.example.com/api/v1/integrations/google/callback",
    ),
];

/// What a [`FakeGoogle`] is to know and to hand out.
#[derive(Clone, Debug)]
pub struct FakeGoogleOptions {
    /// The password of its client.
    pub client_secret: String,
    /// What access tokens begin with.
    pub token_prefix: String,
    /// Where it sends users back to.
    pub redirect_url: String,
}

impl Default for FakeGoogleOptions {
    fn default() -> Self {
        let [_, (_, client_secret), (_, redirect_url)] = GOOGLE_CLIENT;
        Self {
            client_secret: client_secret.to_owned(),
            token_prefix: String::new(),
            redirect_url: redirect_url.to_owned(),
        }
    }
}

/// Google's OAuth on a local port: codes, PKCE, refresh tokens and their end
/// (<https://developers.google.com/identity/protocols/oauth2/web-server>).
#[derive(Clone)]
pub struct FakeGoogle {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    options: FakeGoogleOptions,
    service: Arc<FakeService>,
    state: Mutex<OAuth>,
    /// Requests that have come to a closed gate.
    arrived: Semaphore,
    gate: Semaphore,
}

#[derive(Default)]
struct OAuth {
    codes: HashMap<String, UserConsent>,
    grants: HashMap<String, Grant>,
    exchanges: usize,
    code_verifiers: Vec<String>,
    refreshes: usize,
    unavailable: usize,
    held: usize,
}

#[derive(Clone)]
struct Grant {
    account: Account,
    scopes: String,
}

/// What a user has agreed to.
#[derive(Clone, Debug)]
pub struct UserConsent {
    /// The account.
    pub account: Account,
    /// The challenge of the consent screen's address.
    pub code_challenge: String,
    /// What is granted, as Google writes it.
    pub scopes: String,
    /// The refresh token, if one is given.
    pub refresh_token: Option<String>,
}

type Fields = HashMap<String, String>;
type Answer = (StatusCode, Json<Value>);

impl FakeGoogle {
    /// A server that makes its access tokens known to a service.
    ///
    /// # Panics
    /// Panics when there is no port.
    pub async fn start(service: Arc<FakeService>) -> Self {
        Self::start_with(service, FakeGoogleOptions::default()).await
    }

    /// The same with secrets of the test's own.
    ///
    /// # Panics
    /// Panics when there is no port.
    #[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    #[expect(clippy::disallowed_methods, reason = "the server runs beside the test")]
    pub async fn start_with(service: Arc<FakeService>, options: FakeGoogleOptions) -> Self {
        let mut google = Self::new(service, options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        google.url = format!("http://{}", listener.local_addr().unwrap());
        let router = google.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        google
    }

    /// The same without a server, for who serves [`Self::router`].
    #[must_use]
    pub fn new(service: Arc<FakeService>, options: FakeGoogleOptions) -> Self {
        let shared = Shared {
            options,
            service,
            state: Mutex::default(),
            arrived: Semaphore::new(0),
            gate: Semaphore::new(0),
        };
        Self {
            shared: Arc::new(shared),
            url: String::new(),
        }
    }

    /// What answers its requests.
    pub fn router(&self) -> Router {
        let router = Router::new().route("/token", post(token));
        let router = router.route("/revoke", post(revoke));
        router.with_state(Arc::clone(&self.shared))
    }

    /// A client of it.
    ///
    /// # Panics
    /// Panics when there can be no client.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    pub fn oauth(&self, clock: SharedClock) -> GoogleOAuth {
        let config = GoogleOAuthConfig::load(&Env::from_pairs(self.variables())).unwrap();
        GoogleOAuth::new(config, client().unwrap(), clock)
    }

    /// A client of it, as variables.
    #[must_use]
    pub fn variables(&self) -> [(&'static str, &str); 4] {
        let [id, (secret, _), (redirect, _)] = GOOGLE_CLIENT;
        let options = &self.shared.options;
        let url = ("GOOGLE_OAUTH_EMULATOR_URL", self.url());
        let redirect = (redirect, options.redirect_url.as_str());
        [id, (secret, options.client_secret.as_str()), redirect, url]
    }

    /// The service that knows its access tokens.
    #[must_use]
    pub fn service(&self) -> Arc<FakeService> {
        Arc::clone(&self.shared.service)
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Has a code be good for one exchange.
    pub fn consent(&self, code: &str, consent: UserConsent) {
        let mut state = lock(&self.shared.state);
        state.codes.insert(code.to_owned(), consent);
    }

    /// Has a refresh token be good.
    pub fn grant(&self, refresh_token: &str, account: &Account) {
        let grant = Grant {
            account: account.clone(),
            scopes: account.scopes.join(" "),
        };
        let mut state = lock(&self.shared.state);
        state.grants.insert(refresh_token.to_owned(), grant);
    }

    /// Has a refresh token be worthless.
    pub fn end(&self, refresh_token: &str) {
        lock(&self.shared.state).grants.remove(refresh_token);
    }

    /// Has the next calls be answered with 503.
    pub fn fail_next(&self, count: usize) {
        lock(&self.shared.state).unavailable = count;
    }

    /// Holds the next answer back, until [`Self::let_go`].
    pub fn hold_next(&self) {
        lock(&self.shared.state).held += 1;
    }

    /// Waits for a request whose answer is held back.
    ///
    /// # Panics
    /// Panics when the server has ended.
    #[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    pub async fn wait_for_held(&self) {
        self.shared.arrived.acquire().await.unwrap().forget();
    }

    /// Lets one answer go that is held back.
    pub fn let_go(&self) {
        self.shared.gate.add_permits(1);
    }

    /// How many codes were exchanged.
    #[must_use]
    pub fn exchanges(&self) -> usize {
        lock(&self.shared.state).exchanges
    }

    /// The PKCE verifiers that came with codes, oldest first.
    #[must_use]
    pub fn code_verifiers(&self) -> Vec<String> {
        lock(&self.shared.state).code_verifiers.clone()
    }

    /// How many access tokens were given for refresh tokens.
    #[must_use]
    pub fn refreshes(&self) -> usize {
        lock(&self.shared.state).refreshes
    }
}

async fn token(State(shared): State<Arc<Shared>>, body: String) -> Answer {
    let fields = url::form_urlencoded::parse(body.as_bytes()).into_owned();
    let answer = answer(&shared, &fields.collect());
    let is_held = {
        let mut state = lock(&shared.state);
        let is_held = state.held > 0;
        state.held -= usize::from(is_held);
        is_held
    };
    if is_held {
        shared.arrived.add_permits(1);
        if let Ok(permit) = shared.gate.acquire().await {
            permit.forget();
        }
    }
    answer
}

/// Only refresh tokens: an access token would end its grant as well.
async fn revoke(State(shared): State<Arc<Shared>>, body: String) -> Answer {
    let mut fields = url::form_urlencoded::parse(body.as_bytes());
    let token = fields.find(|(name, _)| name == "token");
    let token = token.map(|(_, value)| value).unwrap_or_default();
    match lock(&shared.state).grants.remove(token.as_ref()) {
        Some(_) => (StatusCode::OK, Json(json!({}))),
        None => refusal(
            StatusCode::BAD_REQUEST,
            "invalid_token",
            "Token expired or revoked",
        ),
    }
}

fn answer(shared: &Shared, fields: &Fields) -> Answer {
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let mut state = lock(&shared.state);
    if state.unavailable > 0 {
        state.unavailable -= 1;
        // Whatever it says must not be repeated, what it was sent least of all.
        let body = json!({ "error": "internal_failure", "error_description": fields });
        return (StatusCode::SERVICE_UNAVAILABLE, Json(body));
    }
    let client = (GOOGLE_CLIENT[0].1, shared.options.client_secret.as_str());
    if (field("client_id"), field("client_secret")) != client {
        return refusal(StatusCode::UNAUTHORIZED, "invalid_client", "");
    }
    match field("grant_type") {
        "refresh_token" => refresh(shared, &mut state, field("refresh_token")),
        "authorization_code" => {
            let is_from_here = field("redirect_uri") == shared.options.redirect_url;
            let consent = state.codes.remove(field("code"));
            let code_verifier = field("code_verifier").to_owned();
            let challenge = code_challenge(&code_verifier);
            state.code_verifiers.push(code_verifier);
            let consent = consent.filter(|consent| consent.code_challenge == challenge);
            match consent.filter(|_| is_from_here) {
                Some(consent) => exchange(shared, &mut state, consent),
                None => refusal(StatusCode::BAD_REQUEST, "invalid_grant", "Bad Request"),
            }
        }
        _ => refusal(StatusCode::BAD_REQUEST, "unsupported_grant_type", ""),
    }
}

fn refresh(shared: &Shared, state: &mut OAuth, refresh_token: &str) -> Answer {
    let Some(grant) = state.grants.get(refresh_token).cloned() else {
        let description = "Token has been expired or revoked.";
        return refusal(StatusCode::BAD_REQUEST, "invalid_grant", description);
    };
    state.refreshes += 1;
    let prefix = &shared.options.token_prefix;
    let access_token = format!("{prefix}refreshed-{}", state.refreshes);
    shared.service.accept(&access_token, &grant.account);
    (StatusCode::OK, Json(tokens(&access_token, &grant.scopes)))
}

fn exchange(shared: &Shared, state: &mut OAuth, consent: UserConsent) -> Answer {
    state.exchanges += 1;
    let prefix = &shared.options.token_prefix;
    let access_token = format!("{prefix}exchanged-{}", state.exchanges);
    shared.service.accept(&access_token, &consent.account);
    let mut body = tokens(&access_token, &consent.scopes);
    if let Some(refresh_token) = consent.refresh_token {
        body["refresh_token"] = json!(refresh_token);
        let grant = Grant {
            account: consent.account,
            scopes: consent.scopes,
        };
        state.grants.insert(refresh_token, grant);
    }
    (StatusCode::OK, Json(body))
}

fn tokens(access_token: &str, scopes: &str) -> Value {
    json!({
        "access_token": access_token,
        "expires_in": 3_599,
        "scope": scopes,
        "token_type": "Bearer",
    })
}

fn refusal(status: StatusCode, error: &str, description: &str) -> Answer {
    let body = json!({ "error": error, "error_description": description });
    (status, Json(body))
}
