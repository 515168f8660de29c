//! What is measured, each in a process of its own: the API, and the least that can be done.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use api::{AppState, Config, router};
use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
};
use reqwest::{Client, StatusCode};
use shared::{
    auth::{Error, FetchedKeys, FirebaseVerifier, KeySet, KeySource},
    clock::SystemClock,
    config::Env,
    http::{client, without_delay},
    identity::IdentityToolkit,
    quota::MeteredLlm,
    store::{Store, firestore::Firestore},
    telemetry,
};
use tokio::net::TcpListener;

/// The variable with the keys of ID tokens, as a JSON Web Key Set.
pub(super) const KEYS: &str = "BENCH_ID_TOKEN_KEYS";
/// The variable with the model's address.
pub(super) const UPSTREAM: &str = "OPENAI_BASE_URL";

const KEYS_LAST: Duration = Duration::from_secs(3_600);

/// Serves the API as `main` does, except that the keys of ID tokens are its caller's.
///
/// # Errors
/// Returns what is missing.
pub async fn serve_api() -> Result<()> {
    let env = Env::from_process();
    let config = Config::from_env(&env)?;
    telemetry::init(&env, &config.service);
    let clock = SystemClock::shared();
    let store = Store::new(Arc::new(Firestore::new(&config.service)));
    let keys = Arc::new(Keys(KeySet::from_jwks(env.required(KEYS)?)?));
    let project_id = config.service.project_id.clone();
    let verifier = FirebaseVerifier::new(&project_id, keys, clock.clone());
    let accounts = IdentityToolkit::new(client()?, &project_id, None);
    let providers = config.providers.providers(client()?)?;
    let admission = config.admission.clone();
    let llm = MeteredLlm::of(providers, None, &admission, store.clone(), clock.clone())?;
    let state = AppState::with_ports(config, store, Arc::new(verifier), Arc::new(accounts), clock);
    serve(router(state.with_llm(Some(llm)))).await
}

/// Serves a pass-through: the least that a gateway does.
///
/// # Errors
/// Returns what is missing.
pub async fn serve_pass_through() -> Result<()> {
    let env = Env::from_process();
    let url = format!("{}/chat/completions", env.required(UPSTREAM)?);
    let state = Arc::new((client()?, url));
    let path = "/api/v1/llm/chat/completions";
    serve(Router::new().route(path, post(pass)).with_state(state)).await
}

async fn pass(
    State(state): State<Arc<(Client, String)>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, StatusCode> {
    let (client, url) = &*state;
    let mut request = client.post(url).body(body);
    if let Some(kind) = headers.get(CONTENT_TYPE) {
        request = request.header(CONTENT_TYPE, kind);
    }
    let answer = request.send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let (status, kind) = (answer.status(), answer.headers().get(CONTENT_TYPE).cloned());
    let body = Body::from_stream(answer.bytes_stream());
    let mut response = (status, body).into_response();
    if let Some(kind) = kind {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    Ok(response)
}

/// Serves on any free port and tells it in the first line of the errors: the output is for logs.
#[expect(clippy::print_stderr, reason = "whoever has started it reads a line")]
async fn serve(router: Router) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("{}", listener.local_addr()?);
    axum::serve(without_delay(listener), router)
        .await
        .context("ended")
}

struct Keys(KeySet);

#[async_trait]
impl KeySource for Keys {
    async fn fetch(&self) -> Result<FetchedKeys, Error> {
        Ok(FetchedKeys {
            keys: self.0.clone(),
            max_age: KEYS_LAST,
        })
    }
}
