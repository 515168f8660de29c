//! Sinks: outside services that write down every call, and outlive the workers that call them.
//!
//! Each worker reaches them at a port of its own, so that a sink knows who calls and can have the
//! harness kill or stop that worker while it waits for an answer.

mod book;
mod trap;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::{book::Book, trap::Traps};
pub use self::{
    book::{Call, Effect, SinkKind},
    trap::{Caller, Moment, Sprung, Trap},
};
use super::chance::Chance;
use super::pause::pause;
use super::witness::Witness;
use super::worker::FaultRates;
use crate::emulators::LocalServer;

/// The name under which workflows reach the sinks.
pub const HOST: &str = "sink.localhost";

const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Above what a node may read of an answer.
const HUGE_BYTES: usize = 12 * 1024 * 1024;

/// What [`Sinks`] start with.
pub struct SinkOptions {
    /// How many workers there are.
    pub workers: usize,
    /// How often calls fail.
    pub rates: FaultRates,
    /// What decides when.
    pub chance: Chance,
    /// Whose commits a call is placed between.
    pub witness: Arc<Witness>,
}

/// Running sinks; dropping them stops them.
pub struct Sinks {
    servers: Vec<LocalServer>,
    state: Arc<SinkState>,
}

struct SinkState {
    book: Book,
    traps: Traps,
    rates: FaultRates,
    chance: Chance,
    witness: Arc<Witness>,
    poisoned: UnboundedSender<usize>,
}

/// The sinks as one worker reaches them.
#[derive(Clone)]
struct Door {
    worker: usize,
    state: Arc<SinkState>,
}

impl Sinks {
    /// Starts to serve. The receiver tells which worker must die of a poisoned call.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(options: SinkOptions) -> Result<(Self, UnboundedReceiver<usize>)> {
        let (poisoned, deaths) = unbounded_channel();
        let state = Arc::new(SinkState {
            book: Book::default(),
            traps: Traps::default(),
            rates: options.rates,
            chance: options.chance,
            witness: options.witness,
            poisoned,
        });
        let mut servers = Vec::new();
        for worker in 0..options.workers {
            let state = Arc::clone(&state);
            let router = Router::new()
                .route("/{kind}/{execution}/{node}", any(answer))
                .with_state(Door { worker, state });
            servers.push(LocalServer::start("sinks", 0, router).await?);
        }
        Ok((Self { servers, state }, deaths))
    }

    /// Where a worker reaches them.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn address(&self, worker: usize) -> Result<SocketAddr> {
        let server = self.servers.get(worker);
        let server = server.ok_or_else(|| anyhow::anyhow!("there is no worker {worker}"))?;
        Ok(server.address())
    }

    /// Every call so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.state.book.calls()
    }

    /// Catches the next call that fits.
    #[must_use]
    pub fn set(&self, trap: Trap) -> tokio::sync::oneshot::Receiver<Sprung> {
        self.state.traps.set(trap)
    }
}

/// A call that cannot be an effect, or must not become one.
fn refusal(kind: SinkKind, is_first: bool) -> Option<StatusCode> {
    match kind {
        SinkKind::Bad => Some(StatusCode::BAD_REQUEST),
        SinkKind::Flaky if is_first => Some(StatusCode::INTERNAL_SERVER_ERROR),
        _ => None,
    }
}

async fn answer(
    State(door): State<Door>,
    Path((kind, execution, node)): Path<(SinkKind, String, String)>,
    headers: HeaderMap,
) -> Response {
    let state = &door.state;
    let key = headers.get(IDEMPOTENCY_KEY);
    let key = key.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let position = state.witness.position();
    let call = Call::new(kind, key, execution, node, door.worker, position);
    if state.traps.spring(&call, Moment::BeforeEffect).await {
        return status(StatusCode::SERVICE_UNAVAILABLE);
    }
    if state.chance.happens(state.rates.unavailable) {
        return status(StatusCode::SERVICE_UNAVAILABLE);
    }
    if state.chance.happens(state.rates.aborted) {
        let wait = [(header::RETRY_AFTER, "0")];
        return (wait, status(StatusCode::TOO_MANY_REQUESTS)).into_response();
    }
    let written = state.book.write(call.clone(), refusal);
    let receipt = match written {
        Ok(receipt) => receipt,
        Err(code) => return status(code),
    };
    state.traps.spring(&call, Moment::AfterEffect).await;
    take_time(state, &call).await;
    if state.chance.happens(state.rates.lost) {
        return status(StatusCode::GATEWAY_TIMEOUT);
    }
    state.book.answer(receipt);
    match kind {
        SinkKind::Huge => "0".repeat(HUGE_BYTES).into_response(),
        _ => Json(json!({ "effect": receipt.effect })).into_response(),
    }
}

/// Long enough for other things to happen meanwhile, such as the caller's end.
async fn take_time(state: &SinkState, call: &Call) {
    match call.kind {
        SinkKind::Slow => pause(state.chance.millis(400..1_500)).await,
        SinkKind::Poison => {
            // Nobody listens any more when the harness stops.
            let _ = state.poisoned.send(call.worker);
            std::future::pending().await
        }
        SinkKind::Silent => std::future::pending().await,
        _ => pause(state.chance.millis(0..150)).await,
    }
}

fn status(code: StatusCode) -> Response {
    (code, Json(json!({ "status": code.as_u16() }))).into_response()
}

#[cfg(test)]
mod tests;
