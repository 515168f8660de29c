//! What the model calls of one run may use together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use serde_json::{Value, json};
use shared::{
    llm::{ChatRequest, ChatResponse, Error, FinishReason, Provider, Usage},
    models::{Execution, ExecutionStatus},
};

use crate::app::{App, edge, node};

/// What each call takes. It could take 96: 60 for the answer, 4 bytes, and 32 around them.
const USED: i64 = 40;

/// Calls of a run, side by side.
const CALLS: usize = 6;

/// A model that tells how many calls it had at once.
#[derive(Default)]
struct Counting {
    now: AtomicUsize,
    most: AtomicUsize,
    all: AtomicUsize,
}

#[async_trait]
impl Provider for Counting {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.all.fetch_add(1, Ordering::SeqCst);
        // Long enough for the others to come, if they are let.
        for _ in 0..10_000 {
            if self.all.load(Ordering::SeqCst) == CALLS {
                break;
            }
            tokio::task::yield_now().await;
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(ChatResponse {
            content: "x".to_owned(),
            tool_calls: Vec::new(),
            model: request.model.clone(),
            usage: Usage {
                input_tokens: USED - 1,
                output_tokens: 1,
                ..Usage::default()
            },
            finish_reason: FinishReason::Stop,
        })
    }
}

/// A run of all calls.
async fn run(limits: Value) -> (Arc<Counting>, Execution) {
    let model = Arc::new(Counting::default());
    let app = App::new(model.clone()).await;
    let calls: Vec<String> = (0..CALLS).map(|call| format!("ask{call}")).collect();
    let mut nodes = vec![node(
        "start",
        "trigger",
        json!({ "settings": { "limits": limits } }),
    )];
    let data = json!({ "prompt": "Four", "maxTokens": 60 });
    nodes.extend(calls.iter().map(|id| node(id, "llm", data.clone())));
    let edges: Vec<Value> = calls.iter().map(|id| edge("start", id)).collect();
    app.save(nodes.into(), edges.into()).await;
    let execution = app.run(json!({})).await;
    (model, execution)
}

#[tokio::test]
async fn calls_side_by_side_wait_for_room() {
    let (model, execution) = run(json!({ "maxTokens": 6 * USED })).await;
    assert_eq!(
        execution.status,
        ExecutionStatus::Succeeded,
        "{:?}",
        execution.error
    );
    assert_eq!(execution.budget.used_tokens, 6 * USED);
    // 240 tokens hold two calls of at most 96.
    assert_eq!(model.most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn calls_side_by_side_do_not_overrun_the_limit_together() {
    let (model, execution) = run(json!({ "maxTokens": 100 })).await;
    assert_eq!(execution.error.unwrap().code, "limit_exceeded");
    // The third begins alone, with 20 left.
    assert_eq!(model.all.load(Ordering::SeqCst), 3);
    assert_eq!(execution.budget.used_tokens, 3 * USED);
}

#[tokio::test]
async fn what_calls_cost_is_held_as_well() {
    let (free, _) = run(json!({})).await;
    assert_eq!(free.most.load(Ordering::SeqCst), 6);
    let (model, execution) = run(json!({ "maxCostMicroUsd": 40 })).await;
    // 39 tokens in at 0.40 and one out at 1.60 US dollars a million: 18 micro-dollars a call.
    assert_eq!(execution.error.unwrap().code, "limit_exceeded");
    assert_eq!(model.all.load(Ordering::SeqCst), 3);
    assert_eq!(execution.budget.used_cost_micro_usd, 54);
}
