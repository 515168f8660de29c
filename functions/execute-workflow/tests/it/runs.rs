use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use shared::{
    llm::{ChatRequest, ChatResponse, Error, Message, Provider},
    models::{ExecutionStatus, LogKind, StepStatus},
    testing::ScriptedLlm,
};
use tokio::sync::Barrier;

use crate::app::{App, branch, edge, node};

fn echo() -> Arc<ScriptedLlm> {
    Arc::new(ScriptedLlm::new(|request| {
        Ok(request
            .messages
            .last()
            .map(Message::text)
            .unwrap_or_default())
    }))
}

#[tokio::test]
async fn values_flow_from_the_trigger_to_the_output() {
    let app = App::new(echo()).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("ask", "llm", json!({ "prompt": "Hello ${trigger.name}" })),
        node(
            "shape",
            "transform",
            json!({ "value": { "said": "${nodes.ask.output.text}" } })
        ),
        node("end", "output", json!({})),
    ]);
    app.save(
        nodes,
        json!([
            edge("start", "ask"),
            edge("ask", "shape"),
            edge("shape", "end")
        ]),
    )
    .await;
    let execution = app.run(json!({ "name": "Ada" })).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    assert_eq!(execution.output.unwrap().0, json!({ "said": "Hello Ada" }));
    assert!(execution.finished_at.is_some());
    assert_eq!(execution.lease.owner, None);
    assert!(execution.budget.used_tokens > 0);
}

#[tokio::test]
async fn the_log_has_no_gap_and_ends_with_the_status() {
    let app = App::new(echo()).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("end", "output", json!({}))
    ]);
    app.save(nodes, json!([edge("start", "end")])).await;
    let execution = app.run(json!({})).await;
    let log = app.log().await;
    let numbers: Vec<i64> = log.iter().map(|line| line.seq).collect();
    assert_eq!(numbers, (1..=execution.log_seq).collect::<Vec<_>>());
    let last = log.last().unwrap();
    assert_eq!(
        (last.kind, last.message.as_str()),
        (LogKind::Execution, "execution succeeded")
    );
}

#[tokio::test]
async fn only_the_chosen_branch_runs() {
    let llm = echo();
    let app = App::new(llm.clone()).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node(
            "check",
            "condition",
            json!({ "expression": "trigger.amount > 10" })
        ),
        node("large", "llm", json!({ "prompt": "large" })),
        node("small", "llm", json!({ "prompt": "small" })),
        node("after", "transform", json!({ "value": "after small" })),
        node(
            "end",
            "output",
            json!({ "value": "${nodes.large.output.text}" })
        ),
    ]);
    let edges = json!([
        edge("start", "check"),
        branch("check", "true", "large"),
        branch("check", "false", "small"),
        edge("small", "after"),
        edge("large", "end"),
        edge("after", "end"),
    ]);
    app.save(nodes, edges).await;
    let execution = app.run(json!({ "amount": 11 })).await;
    assert_eq!(execution.output.unwrap().0, json!("large"));
    assert_eq!(llm.requests().len(), 1);
    for skipped in ["small", "after"] {
        assert_eq!(
            app.step(skipped).await.status,
            StepStatus::Skipped,
            "{skipped}"
        );
    }
}

/// Answers only when two calls are under way at once.
struct Pair(Barrier, ScriptedLlm);

#[async_trait]
impl Provider for Pair {
    async fn chat(&self, request: &ChatRequest) -> Result<ChatResponse, Error> {
        self.0.wait().await;
        self.1.chat(request).await
    }
}

#[tokio::test(start_paused = true)]
async fn branches_run_side_by_side_and_join() {
    let llm = Pair(Barrier::new(2), ScriptedLlm::answering("done"));
    let app = App::new(Arc::new(llm)).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("left", "llm", json!({ "prompt": "left" })),
        node("right", "llm", json!({ "prompt": "right" })),
        node(
            "end",
            "output",
            json!({
            "value": ["${nodes.left.output.text}", "${nodes.right.output.text}"] })
        ),
    ]);
    let edges = json!([
        edge("start", "left"),
        edge("start", "right"),
        edge("left", "end"),
        edge("right", "end"),
    ]);
    app.save(nodes, edges).await;
    let execution = app.run(json!({})).await;
    assert_eq!(execution.output.unwrap().0, json!(["done", "done"]));
}

#[tokio::test]
async fn a_wait_keeps_no_worker_and_goes_on_when_it_is_due() {
    let app = App::new(echo()).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("pause", "wait", json!({ "seconds": 86_400 })),
        node("end", "output", json!({ "value": "awake" })),
    ]);
    app.save(nodes, json!([edge("start", "pause"), edge("pause", "end")]))
        .await;
    let execution = app.run(json!({})).await;
    assert_eq!(execution.status, ExecutionStatus::Waiting);
    assert_eq!(execution.lease.owner, None);
    app.advance(86_399);
    app.tick().await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Waiting);
    app.advance(1);
    app.tick().await;
    let execution = app.execution().await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    assert_eq!(execution.output.unwrap().0, json!("awake"));
}

#[tokio::test]
async fn without_an_output_node_the_last_outputs_are_the_output() {
    let app = App::new(echo()).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("one", "transform", json!({ "value": 1 })),
        node("two", "transform", json!({ "value": [[2], null] })),
    ]);
    app.save(nodes, json!([edge("start", "one"), edge("start", "two")]))
        .await;
    // An array in an array is refused in a workflow, so this one cannot run.
    let execution = app.run(json!({})).await;
    assert_eq!(execution.error.unwrap().code, "invalid_argument");
}

#[tokio::test]
async fn a_graph_of_five_hundred_nodes_runs() {
    let app = App::new(echo()).await;
    let mut nodes = vec![node("n0", "trigger", json!({}))];
    let mut edges = Vec::new();
    for number in 1..500 {
        nodes.push(node(
            &format!("n{number}"),
            "transform",
            json!({ "value": number }),
        ));
        edges.push(edge(&format!("n{}", number - 1), &format!("n{number}")));
    }
    app.save(json!(nodes), json!(edges)).await;
    let execution = app.run(json!({})).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    assert_eq!(execution.output.unwrap().0, json!({ "n499": 499 }));
    let largest = app.db.commits().iter().map(Vec::len).max().unwrap();
    assert!(largest <= 500, "{largest} writes in one commit");
}
