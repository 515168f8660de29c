//! The one address of all workers: a call goes to whichever of them is up, as on Cloud Run.

use std::sync::{Arc, OnceLock};

use anyhow::{Result, ensure};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::fleet::Fleet;
use crate::emulators::LocalServer;

/// A running gate; dropping it closes its port.
pub struct Gate {
    server: LocalServer,
    state: Arc<GateState>,
}

struct GateState {
    http: reqwest::Client,
    /// The workers know the gate's address before they start.
    fleet: OnceLock<Fleet>,
}

impl Gate {
    /// Starts to answer, with 503 until it is opened.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(http: reqwest::Client) -> Result<Self> {
        let state = Arc::new(GateState {
            http,
            fleet: OnceLock::new(),
        });
        let router = Router::new()
            .fallback(forward)
            .with_state(Arc::clone(&state));
        let server = LocalServer::start("gate", 0, router).await?;
        Ok(Self { server, state })
    }

    /// The address, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Lets calls through to `fleet`.
    ///
    /// # Errors
    /// When it is open already.
    pub fn open(&self, fleet: Fleet) -> Result<()> {
        ensure!(self.state.fleet.set(fleet).is_ok(), "the gate is open");
        Ok(())
    }
}

async fn forward(
    State(state): State<Arc<GateState>>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response {
    let worker = state.fleet.get().and_then(Fleet::any);
    let Some(worker) = worker else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    headers.remove(header::HOST);
    let request = state.http.request(method, format!("{worker}{uri}"));
    match request.headers(headers).body(body).send().await {
        Ok(answer) => {
            let status = answer.status();
            let body = answer.bytes().await.unwrap_or_default();
            (status, Body::from(body)).into_response()
        }
        // It has died: whoever calls tries again.
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
