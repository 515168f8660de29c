//! A small site for workflows with `http` nodes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::emulators::LocalServer;

const FORECASTS: &str = include_str!("../../stubs/web/forecasts.json");
const MAX_FILE_BYTES: usize = 20_000_000;
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What a [`Web`] starts with.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebOptions {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
}

/// A running site; dropping it stops it.
#[derive(Debug)]
pub struct Web {
    server: LocalServer,
    state: Arc<WebState>,
}

#[derive(Debug)]
struct WebState {
    /// By city, in lower case.
    forecasts: BTreeMap<String, Value>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    by_idempotency_key: BTreeMap<String, u32>,
    flaky: BTreeMap<String, u32>,
}

#[derive(Debug, Deserialize)]
struct ForecastQuery {
    city: Option<String>,
}

#[derive(Debug, Deserialize)]
struct FileQuery {
    #[serde(rename = "type")]
    content_type: String,
}

#[derive(Debug, Deserialize)]
struct FlakyQuery {
    #[serde(default)]
    failures: u32,
}

type Shared = State<Arc<WebState>>;

impl Web {
    /// Reads the forecasts and starts to serve.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start(options: WebOptions) -> anyhow::Result<Self> {
        let forecasts = serde_json::from_str(FORECASTS).context("the forecasts do not parse")?;
        let state = Arc::new(WebState {
            forecasts,
            counts: Mutex::default(),
        });
        let server = LocalServer::start("web", options.port, router(&state)).await?;
        Ok(Self { server, state })
    }

    /// The address, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// How many calls carried this `Idempotency-Key`.
    #[must_use]
    pub fn calls(&self, idempotency_key: &str) -> u32 {
        let counts = self.state.counts();
        let calls = counts.by_idempotency_key.get(idempotency_key);
        calls.copied().unwrap_or_default()
    }

    /// Stops it and waits until its port is closed.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

impl WebState {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn router(state: &Arc<WebState>) -> Router {
    let count = middleware::from_fn_with_state(Arc::clone(state), count_call);
    Router::new()
        .route("/v1/forecast", get(show_forecast))
        .route("/v1/echo", post(echo))
        .route("/v1/status/{code}", get(show_status))
        .route("/v1/files/{bytes}", get(show_file))
        .route("/v1/flaky/{name}", get(show_flaky).post(show_flaky))
        .layer(count)
        .with_state(Arc::clone(state))
}

async fn count_call(State(state): Shared, request: Request, next: Next) -> Response {
    let key = request.headers().get(IDEMPOTENCY_KEY);
    if let Some(key) = key.and_then(|value| value.to_str().ok()) {
        let mut counts = state.counts();
        *counts.by_idempotency_key.entry(key.to_owned()).or_default() += 1;
    }
    next.run(request).await
}

async fn show_forecast(State(state): Shared, Query(query): Query<ForecastQuery>) -> Response {
    let Some(city) = query.city else {
        return problem(
            StatusCode::BAD_REQUEST,
            "the query parameter city is missing",
        );
    };
    match state.forecasts.get(&city.to_lowercase()) {
        Some(forecast) => Json(forecast).into_response(),
        None => problem(StatusCode::NOT_FOUND, "there is no forecast for this city"),
    }
}

async fn echo(Json(body): Json<Value>) -> Json<Value> {
    Json(body)
}

/// Informational codes are left out: they do not end a response.
async fn show_status(Path(code): Path<u16>) -> Response {
    let status = StatusCode::from_u16(code).ok();
    match status.filter(|status| (200..600).contains(&status.as_u16())) {
        Some(StatusCode::NO_CONTENT) => StatusCode::NO_CONTENT.into_response(),
        Some(status) => (status, Json(json!({ "status": code }))).into_response(),
        None => problem(StatusCode::BAD_REQUEST, "this status cannot be answered"),
    }
}

/// So many bytes of a type: digits if it is text, else all that there are in turn.
async fn show_file(Path(bytes): Path<usize>, Query(query): Query<FileQuery>) -> Response {
    if bytes > MAX_FILE_BYTES {
        return problem(StatusCode::BAD_REQUEST, "this is too large");
    }
    let alphabet = match query.content_type.starts_with("text/") {
        true => b'0'..=b'9',
        false => 0..=u8::MAX,
    };
    let content: Vec<u8> = alphabet.cycle().take(bytes).collect();
    ([(header::CONTENT_TYPE, query.content_type)], content).into_response()
}

async fn show_flaky(
    State(state): Shared,
    Path(name): Path<String>,
    Query(query): Query<FlakyQuery>,
) -> Response {
    let attempt = {
        let mut counts = state.counts();
        let attempts = counts.flaky.entry(name).or_default();
        *attempts += 1;
        *attempts
    };
    if attempt <= query.failures {
        let answer = problem(StatusCode::SERVICE_UNAVAILABLE, "not yet");
        return ([(header::RETRY_AFTER, "0")], answer).into_response();
    }
    Json(json!({ "attempt": attempt })).into_response()
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

#[cfg(test)]
mod tests;
