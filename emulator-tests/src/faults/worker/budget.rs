//! A worker that does nothing but call a model, as far as it is let.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, Result};
use async_trait::async_trait;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::{Router, routing::post};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use shared::{
    clock::{Clock, SharedClock, SystemClock},
    config::{Env, ServiceConfig},
    http::{EdgeConfig, edge, serve_until},
    ids::OrgId,
    llm::{ChatRequest, ChatResponse, Error, FinishReason, Message, Provider, Usage},
    quota::{self, AdmissionConfig, Call, MeteredLlm, SharedAdmissions},
    shutdown::Shutdown,
    store::{Store, firestore::Firestore},
    testing::{killed_after, metered_llm},
};

use super::command;

/// What a worker is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Who pays.
    pub org_id: OrgId,
    /// The call's idempotency key.
    pub key: String,
    /// How far all clocks are ahead by now, in seconds.
    pub ahead_secs: i64,
    /// After how many steps of the call the worker ends itself, if it is to.
    pub dies_after: Option<usize>,
}

/// The machine's clock, moved on by the harness.
#[derive(Default)]
struct AheadClock(AtomicI64);

/// A model that uses all it may.
struct Glutton;

#[derive(Clone)]
struct Budget {
    llm: MeteredLlm,
    admissions: SharedAdmissions,
    clock: Arc<AheadClock>,
}

/// Runs the worker until it is told to stop, or ends itself.
///
/// # Errors
/// Returns the variable that it cannot start with, or why it cannot serve.
pub(super) async fn run(env: &Env) -> Result<()> {
    command::obey_in_background()?;
    let service = ServiceConfig::load(env)?;
    let config = AdmissionConfig::load(env)?;
    let store = Store::new(Arc::new(Firestore::new(&service)));
    let clock = Arc::new(AheadClock::default());
    let shared: SharedClock = clock.clone();
    let admissions = config.admissions(store.clone(), shared.clone())?;
    let llm = metered_llm(Arc::new(Glutton), store, shared);
    let llm = llm.with_admissions(Arc::clone(&admissions), config.is_off);
    let routes = Router::new()
        .route("/call", post(handle_call))
        .route("/sweep", post(handle_sweep))
        .with_state(Budget {
            llm,
            admissions,
            clock,
        });
    let router = edge(routes, &EdgeConfig::default());
    let serving = serve_until(router, service.port, Shutdown::new());
    serving.await.context("cannot serve")
}

/// The most that a call of this worker uses.
#[must_use]
pub fn ceiling() -> i64 {
    Usage::ceiling(&request(String::new())).total()
}

async fn handle_call(State(budget): State<Budget>, Query(order): Query<Order>) -> StatusCode {
    budget
        .clock
        .0
        .fetch_max(order.ahead_secs, Ordering::Relaxed);
    let call = Call {
        org_id: order.org_id,
        agent_id: None,
        workflow_id: None,
        execution_id: None,
        uid: None,
        request: request(order.key),
    };
    let answer = match order.dies_after {
        Some(polls) => killed_after(polls, budget.llm.chat(&call)).await,
        None => Some(budget.llm.chat(&call).await),
    };
    match answer {
        None => {
            command::end_at_once();
            StatusCode::SERVICE_UNAVAILABLE
        }
        Some(Ok(_)) => StatusCode::OK,
        Some(Err(quota::Error::Exhausted { .. })) => StatusCode::TOO_MANY_REQUESTS,
        Some(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "call failed");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

async fn handle_sweep(State(budget): State<Budget>, Query(order): Query<Order>) -> StatusCode {
    budget
        .clock
        .0
        .fetch_max(order.ahead_secs, Ordering::Relaxed);
    match budget.admissions.sweep(&order.org_id).await {
        Ok(()) => StatusCode::OK,
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "sweep failed");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

fn request(key: String) -> ChatRequest {
    ChatRequest {
        model: "gpt-4.1-mini".to_owned(),
        messages: vec![Message::user("Hello")],
        max_output_tokens: 100,
        idempotency_key: key,
        ..ChatRequest::default()
    }
}

impl Clock for AheadClock {
    fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.0.load(Ordering::Relaxed));
        let now = SystemClock.now();
        now.checked_add(ahead).unwrap_or(now)
    }
}

#[async_trait]
impl Provider for Glutton {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        tokio::task::yield_now().await;
        Ok(ChatResponse {
            content: "Hello".to_owned(),
            tool_calls: Vec::new(),
            model: request.model.clone(),
            usage: Usage::ceiling(request),
            finish_reason: FinishReason::Stop,
        })
    }
}
