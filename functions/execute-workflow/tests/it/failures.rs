use std::sync::Arc;

use serde_json::{Value, json};
use shared::{
    llm::Error,
    models::{ExecutionStatus, StepStatus},
    testing::ScriptedLlm,
};

use crate::app::{App, branch, edge, node};

/// Runs trigger → `ask` (an LLM node with `policy`) → `end`, with `rescue` on the error handle.
async fn run_with(policy: Value, llm: ScriptedLlm) -> (App, shared::models::Execution) {
    let app = App::new(Arc::new(llm)).await;
    let mut ask = node("ask", "llm", json!({ "prompt": "Hello" }));
    for (key, value) in policy.as_object().unwrap() {
        ask["data"][key] = value.clone();
    }
    let mut nodes = vec![
        node("start", "trigger", json!({})),
        ask,
        node("end", "output", json!({ "value": "${nodes.ask.output}" })),
    ];
    let mut edges = vec![edge("start", "ask"), edge("ask", "end")];
    if policy["onError"] == "branch" {
        let code = "${nodes.ask.output.error.code}";
        nodes.push(node("rescue", "output", json!({ "value": code })));
        edges.push(branch("ask", "error", "rescue"));
    }
    app.save(json!(nodes), json!(edges)).await;
    let execution = app.run(json!({})).await;
    (app, execution)
}

fn refusing() -> ScriptedLlm {
    ScriptedLlm::new(|_| {
        Err(Error::InvalidRequest {
            code: "context_length_exceeded".to_owned(),
        })
    })
}

#[tokio::test]
async fn a_failed_node_fails_the_run_by_default() {
    let (app, execution) = run_with(json!({}), refusing()).await;
    assert_eq!(execution.status, ExecutionStatus::Failed);
    let error = execution.error.unwrap();
    assert_eq!(
        (error.code.as_str(), error.node_id.as_deref()),
        ("failed_precondition", Some("ask"))
    );
    assert_eq!(app.step("ask").await.status, StepStatus::Failed);
}

#[tokio::test]
async fn on_error_continue_goes_on_without_an_output() {
    let (_, execution) = run_with(json!({ "onError": "continue" }), refusing()).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    assert_eq!(execution.output.unwrap().0, Value::Null);
}

#[tokio::test]
async fn on_error_default_goes_on_with_a_value() {
    let policy = json!({ "onError": { "default": { "text": "sorry" } } });
    let (_, execution) = run_with(policy, refusing()).await;
    assert_eq!(execution.output.unwrap().0, json!({ "text": "sorry" }));
}

#[tokio::test]
async fn on_error_branch_follows_the_error_handle_only() {
    let (app, execution) = run_with(json!({ "onError": "branch" }), refusing()).await;
    assert_eq!(execution.output.unwrap().0, json!("failed_precondition"));
    assert_eq!(app.step("end").await.status, StepStatus::Skipped);
}

#[tokio::test(start_paused = true)]
async fn transient_failures_are_tried_again_under_the_same_key() {
    let limited = || Err(Error::RateLimited { retry_after: None });
    let llm = Arc::new(ScriptedLlm::in_order([
        limited(),
        limited(),
        Ok("third time"),
    ]));
    let app = App::new(llm.clone()).await;
    let retry = json!({ "attempts": 3, "firstDelayMs": 10, "maxDelayMs": 10 });
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("ask", "llm", json!({ "prompt": "Hello", "retry": retry })),
    ]);
    app.save(nodes, json!([edge("start", "ask")])).await;
    let execution = app.run(json!({})).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    let keys: Vec<_> = llm
        .requests()
        .into_iter()
        .map(|call| call.idempotency_key)
        .collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[tokio::test]
async fn permanent_failures_are_not_tried_again() {
    let retry = json!({ "retry": { "attempts": 5, "firstDelayMs": 1, "maxDelayMs": 1 } });
    let llm = Arc::new(refusing());
    let app = App::new(llm.clone()).await;
    let mut ask = node("ask", "llm", json!({ "prompt": "Hello" }));
    ask["data"]["retry"] = retry["retry"].clone();
    let nodes = json!([node("start", "trigger", json!({})), ask]);
    app.save(nodes, json!([edge("start", "ask")])).await;
    app.run(json!({})).await;
    assert_eq!(llm.requests().len(), 1);
}

#[tokio::test]
async fn an_agent_that_is_not_there_fails_the_node() {
    let app = App::new(Arc::new(ScriptedLlm::answering("x"))).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node(
            "think",
            "agent",
            json!({ "agentId": "nobody", "prompt": "Hello" })
        ),
    ]);
    app.save(nodes, json!([edge("start", "think")])).await;
    let execution = app.run(json!({})).await;
    assert_eq!(execution.error.unwrap().code, "not_found");
}

#[tokio::test]
async fn a_spent_budget_fails_the_node_before_the_model_is_asked() {
    let llm = Arc::new(ScriptedLlm::answering("x"));
    let app = App::new(llm.clone()).await;
    crate::turns::change_tier(&app, shared::models::SubscriptionTier::Free).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node(
            "ask",
            "llm",
            json!({ "prompt": "Hello", "maxTokens": 1_000_000 })
        ),
    ]);
    app.save(nodes, json!([edge("start", "ask")])).await;
    let execution = app.run(json!({})).await;
    assert_eq!(execution.error.unwrap().code, "resource_exhausted");
    assert!(llm.requests().is_empty());
}

#[tokio::test]
async fn an_inside_address_is_refused() {
    let app = App::new(Arc::new(ScriptedLlm::answering("x"))).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node(
            "call",
            "http",
            json!({ "method": "GET", "url": "${trigger.url}" })
        ),
    ]);
    app.save(nodes, json!([edge("start", "call")])).await;
    let execution = app.run(json!({ "url": "http://169.254.169.254/" })).await;
    assert_eq!(execution.error.unwrap().code, "failed_precondition");
}

#[tokio::test]
async fn an_answer_that_is_not_json_is_not_asked_for_again() {
    let llm = Arc::new(ScriptedLlm::answering("no JSON"));
    let app = App::new(llm.clone()).await;
    let retry = json!({ "attempts": 5, "firstDelayMs": 1, "maxDelayMs": 1 });
    let data = json!({ "prompt": "JSON, please", "json": true, "retry": retry });
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("ask", "llm", data)
    ]);
    app.save(nodes, json!([edge("start", "ask")])).await;
    assert_eq!(app.run(json!({})).await.status, ExecutionStatus::Failed);
    // The first answer is paid for; a second one under the same key would not be booked.
    assert_eq!(llm.requests().len(), 1);
}

#[tokio::test]
async fn an_output_that_the_journal_cannot_hold_fails_its_node() {
    let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    let large = json!({ "text": "x".repeat(300_000) }).to_string();
    for answer in [deep, large] {
        let app = App::new(Arc::new(ScriptedLlm::answering(answer))).await;
        let data = json!({ "prompt": "JSON, please", "json": true });
        let nodes = json!([
            node("start", "trigger", json!({})),
            node("ask", "llm", data)
        ]);
        app.save(nodes, json!([edge("start", "ask")])).await;
        let execution = app.run(json!({})).await;
        assert_eq!(execution.error.unwrap().code, "limit_exceeded");
        assert_eq!(app.step("ask").await.status, StepStatus::Failed);
    }
}

#[tokio::test]
async fn a_failing_branch_lets_the_others_come_to_their_end() {
    let llm = Arc::new(ScriptedLlm::answering("done"));
    let app = App::new(llm.clone()).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node(
            "call",
            "http",
            json!({ "method": "GET", "url": "http://127.0.0.1/" })
        ),
        node("ask", "llm", json!({ "prompt": "Hello" })),
        node("after", "llm", json!({ "prompt": "Never" })),
    ]);
    let edges = json!([
        edge("start", "call"),
        edge("start", "ask"),
        edge("ask", "after")
    ]);
    app.save(nodes, edges).await;
    let execution = app.run(json!({})).await;
    assert_eq!(execution.status, ExecutionStatus::Failed);
    assert_eq!(execution.error.unwrap().node_id.unwrap(), "call");
    assert_eq!(app.step("ask").await.status, StepStatus::Succeeded);
    assert_eq!(llm.requests().len(), 1);
}

#[tokio::test]
async fn outputs_that_do_not_fit_together_fail_the_run() {
    let app = App::new(Arc::new(ScriptedLlm::answering("x"))).await;
    let mut nodes = vec![node("start", "trigger", json!({}))];
    let mut edges = Vec::new();
    for number in 0..100 {
        let id = format!("copy{number}");
        nodes.push(node(
            &id,
            "transform",
            json!({ "value": "${trigger.text}" }),
        ));
        edges.push(edge("start", &id));
    }
    app.save(json!(nodes), json!(edges)).await;
    let execution = app.run(json!({ "text": "x".repeat(240_000) })).await;
    assert_eq!(execution.error.unwrap().code, "limit_exceeded");
    let bytes = |commit: &Vec<_>| commit.iter().map(|write| format!("{write:?}").len()).sum();
    let largest: usize = app.db.commits().iter().map(bytes).max().unwrap();
    assert!(largest < 10 * 1024 * 1024, "a commit of {largest} bytes");
}
