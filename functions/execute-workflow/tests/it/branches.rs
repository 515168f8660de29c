//! Switches, merges and nodes that are given instead of run.

use std::sync::Arc;

use serde_json::{Value, json};
use shared::{
    models::{Execution, ExecutionStatus, StartOptions, StepStatus},
    testing::ScriptedLlm,
};

use crate::app::{App, branch, edge, node, trigger};

async fn app() -> App {
    App::new(Arc::new(ScriptedLlm::answering("done"))).await
}

fn output(execution: &Execution) -> &Value {
    &execution.output.as_ref().unwrap().0
}

async fn switch_app() -> App {
    let app = app().await;
    let cases = json!([
        { "handle": "gold", "when": "trigger.total > 100" },
        { "handle": "silver", "when": "trigger.total > 10" },
    ]);
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("by-total", "switch", json!({ "cases": cases })),
        node("a", "output", json!({ "value": "gold" })),
        node("b", "output", json!({ "value": "silver" })),
        node("c", "output", json!({ "value": "none" })),
    ]);
    let edges = json!([
        edge("start", "by-total"),
        branch("by-total", "gold", "a"),
        branch("by-total", "silver", "b"),
        branch("by-total", "default", "c"),
    ]);
    app.save(nodes, edges).await;
    app
}

#[tokio::test]
async fn a_switch_follows_the_first_case_that_holds() {
    for (total, chosen) in [(500, "gold"), (50, "silver"), (5, "none")] {
        let app = switch_app().await;
        let execution = app.run(json!({ "total": total })).await;
        assert_eq!(*output(&execution), json!(chosen));
    }
}

/// Two branches by conditions, joined by a merge.
async fn merged(mode: &str, left: bool, right: bool) -> (App, Execution) {
    let app = app().await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("left", "condition", json!({ "expression": "trigger.left" })),
        node(
            "right",
            "condition",
            json!({ "expression": "trigger.right" })
        ),
        node("both", "merge", json!({ "mode": mode })),
        node("end", "output", json!({ "value": "${nodes.both.output}" })),
    ]);
    let edges = json!([
        edge("start", "left"),
        edge("start", "right"),
        branch("left", "true", "both"),
        branch("right", "true", "both"),
        edge("both", "end"),
    ]);
    app.save(nodes, edges).await;
    let execution = app.run(json!({ "left": left, "right": right })).await;
    (app, execution)
}

#[tokio::test]
async fn a_merge_waits_for_all_or_for_any() {
    for (mode, left, right, runs) in [
        ("all", true, true, true),
        ("all", true, false, false),
        ("any", true, false, true),
        ("any", false, false, false),
        ("first", false, true, true),
        ("first", false, false, false),
    ] {
        let (app, execution) = merged(mode, left, right).await;
        assert_eq!(execution.status, ExecutionStatus::Succeeded);
        let has_run = app.step("both").await.status == StepStatus::Succeeded;
        assert_eq!(has_run, runs, "{mode} {left} {right}");
    }
}

#[tokio::test]
async fn a_merge_passes_on_what_led_to_it() {
    for (mode, left, right, expected) in [
        ("all", true, true, json!({ "left": true, "right": true })),
        ("any", true, false, json!({ "left": true })),
        ("any", false, true, json!({ "right": true })),
        ("first", false, true, json!(true)),
    ] {
        let (_, execution) = merged(mode, left, right).await;
        assert_eq!(*output(&execution), expected, "{mode} {left} {right}");
    }
}

#[tokio::test]
async fn an_output_passes_on_the_branch_that_was_taken() {
    let app = app().await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("ok", "condition", json!({ "expression": "trigger.ok" })),
        node("mended", "transform", json!({ "value": "mended" })),
        node("end", "output", json!({})),
    ]);
    let edges = json!([
        edge("start", "ok"),
        branch("ok", "true", "end"),
        branch("ok", "false", "mended"),
        edge("mended", "end"),
    ]);
    app.save(nodes, edges).await;
    let execution = app.run(json!({ "ok": false })).await;
    assert_eq!(*output(&execution), json!("mended"));
}

#[tokio::test]
async fn the_first_branch_wins_and_the_others_no_longer_matter() {
    let app = app().await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("quick", "transform", json!({ "value": "quick" })),
        node("pause", "wait", json!({ "seconds": 60 })),
        node("slow", "transform", json!({ "value": "slow" })),
        node("winner", "merge", json!({ "mode": "first" })),
        node(
            "end",
            "output",
            json!({ "value": "${nodes.winner.output}" })
        ),
    ]);
    let edges = json!([
        edge("start", "quick"),
        edge("start", "pause"),
        edge("pause", "slow"),
        edge("slow", "winner"),
        edge("quick", "winner"),
        edge("winner", "end"),
    ]);
    app.save(nodes, edges).await;
    app.run(json!({})).await;
    assert_eq!(app.step("end").await.status, StepStatus::Succeeded);
    app.advance(60);
    app.drain().await;
    let execution = app.execution().await;
    assert_eq!(*output(&execution), json!("quick"));
    assert_eq!(app.steps_of("winner").await.len(), 1);
}

#[tokio::test]
async fn a_mocked_node_is_not_run() {
    let llm = Arc::new(ScriptedLlm::answering("real"));
    let app = App::new(llm.clone()).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("ask", "llm", json!({ "prompt": "Hello" })),
        node(
            "sure",
            "condition",
            json!({ "expression": "nodes.ask.output.text == 'real'" })
        ),
        node("yes", "output", json!({ "value": "yes" })),
        node(
            "no",
            "output",
            json!({ "value": "${nodes.ask.output.text}" })
        ),
    ]);
    let edges = json!([
        edge("start", "ask"),
        edge("ask", "sure"),
        branch("sure", "true", "yes"),
        branch("sure", "false", "no"),
    ]);
    app.save(nodes, edges).await;
    let mut trigger = trigger(json!({}));
    trigger.options = StartOptions {
        mocks: Some(json!({ "ask": { "output": { "text": "mocked" } } }).into()),
        ..StartOptions::default()
    };
    app.deliver(&trigger).await;
    assert_eq!(*output(&app.execution().await), json!("mocked"));
    assert!(llm.requests().is_empty());
}
