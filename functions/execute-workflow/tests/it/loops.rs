//! Loops: bodies, results, failures of items, nesting.

use std::sync::Arc;

use serde_json::{Value, json};
use shared::{
    models::{Execution, ExecutionStatus, StepStatus},
    testing::ScriptedLlm,
};

use crate::app::{App, branch, edge, node};

async fn app() -> App {
    App::new(Arc::new(ScriptedLlm::answering("done"))).await
}

/// An edge that closes a loop's body.
fn next(source: &str, target: &str) -> Value {
    let mut edge = edge(source, target);
    edge["targetHandle"] = json!("next");
    edge
}

/// `start`, a loop `each` over the payload's `items`, its body `one`, and the output of the loop.
async fn run(settings: Value, body: Value, items: Value) -> (App, Execution) {
    let app = app().await;
    let mut data = json!({ "items": "${trigger.items}" });
    data.as_object_mut()
        .unwrap()
        .extend(settings.as_object().unwrap().clone());
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("each", "loop", data),
        node("one", "transform", json!({ "value": body })),
        node("end", "output", json!({ "value": "${nodes.each.output}" })),
    ]);
    let edges = json!([
        edge("start", "each"),
        branch("each", "each", "one"),
        branch("each", "done", "end"),
    ]);
    app.save(nodes, edges).await;
    let execution = app.run(json!({ "items": items })).await;
    (app, execution)
}

fn output(execution: &Execution) -> &Value {
    &execution.output.as_ref().unwrap().0
}

#[tokio::test]
async fn the_body_runs_for_every_item_and_its_results_keep_their_order() {
    for parallelism in [1, 3, 20] {
        let body = json!("${item.name + '-' + string(index)}");
        let items = json!([{ "name": "a" }, { "name": "b" }, { "name": "c" }, { "name": "d" }]);
        let (app, execution) = run(json!({ "parallelism": parallelism }), body, items).await;
        assert_eq!(*output(&execution), json!(["a-0", "b-1", "c-2", "d-3"]));
        let iterations = app.steps_of("one").await;
        let iterations: Vec<_> = iterations.iter().map(|step| &*step.iteration).collect();
        assert_eq!(iterations, ["0.0", "0.1", "0.2", "0.3"]);
    }
}

#[tokio::test]
async fn a_loop_over_nothing_goes_on_at_once() {
    let (app, execution) = run(json!({}), json!("${item}"), json!([])).await;
    assert_eq!(*output(&execution), json!([]));
    assert!(app.steps_of("one").await.is_empty());
}

#[tokio::test]
async fn a_list_that_is_too_long_or_none_fails_the_loop() {
    for (items, code) in [
        (json!([1, 2, 3]), "limit_exceeded"),
        (json!("abc"), "invalid_argument"),
    ] {
        let (_, execution) = run(json!({ "maxItems": 2 }), json!(1), items).await;
        assert_eq!(execution.status, ExecutionStatus::Failed);
        let error = execution.error.unwrap();
        assert_eq!(
            (error.code.as_str(), error.node_id.as_deref()),
            (code, Some("each"))
        );
    }
}

#[tokio::test]
async fn an_item_that_fails_fails_the_run_or_stands_as_an_error() {
    let body = json!("${100 / item}");
    let (_, execution) = run(json!({}), body.clone(), json!([5, 0, 4])).await;
    assert_eq!(execution.status, ExecutionStatus::Failed);
    assert_eq!(execution.error.unwrap().node_id.as_deref(), Some("each"));

    let settings = json!({ "onItemError": "continue" });
    let (app, execution) = run(settings, body, json!([5, 0, 4])).await;
    let results = output(&execution);
    assert_eq!((&results[0], &results[2]), (&json!(20), &json!(25)));
    assert_eq!(results[1]["error"]["code"], "invalid_argument");
    let statuses = app.steps_of("one").await;
    let statuses: Vec<_> = statuses.iter().map(|step| step.status).collect();
    let (fine, failed) = (StepStatus::Succeeded, StepStatus::Failed);
    assert_eq!(statuses, [fine, failed, fine]);
}

#[tokio::test]
async fn a_call_that_ends_after_its_item_has_failed_changes_nothing() {
    let answer = |request: &shared::llm::ChatRequest| match request.messages[0].text().as_str() {
        "bad" => Err(shared::llm::Error::InvalidRequest {
            code: "bad".to_owned(),
        }),
        content => Ok(content.to_owned()),
    };
    let app = App::new(Arc::new(ScriptedLlm::new(answer))).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node(
            "each",
            "loop",
            json!({ "items": [1], "onItemError": "continue" })
        ),
        node("one", "llm", json!({ "prompt": "bad" })),
        node("two", "llm", json!({ "prompt": "bad" })),
        node("three", "llm", json!({ "prompt": "fine" })),
        node("end", "output", json!({ "value": "${nodes.each.output}" })),
    ]);
    let edges = json!([
        edge("start", "each"),
        branch("each", "each", "one"),
        branch("each", "each", "two"),
        branch("each", "each", "three"),
        branch("each", "done", "end"),
    ]);
    app.save(nodes, edges).await;
    let execution = app.run(json!({})).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    assert!(output(&execution)[0]["error"].is_object());
    assert_eq!(app.step("three").await.status, StepStatus::Succeeded);
}

#[tokio::test]
async fn nobody_waits_for_what_a_failed_item_waited_for() {
    let app = app().await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node(
            "each",
            "loop",
            json!({ "items": [1], "onItemError": "continue" })
        ),
        node("nap", "wait", json!({ "seconds": 60 })),
        node("broken", "transform", json!({ "value": "${1 / 0}" })),
        node("long", "wait", json!({ "seconds": 86_400 })),
    ]);
    let edges = json!([
        edge("start", "each"),
        branch("each", "each", "nap"),
        branch("each", "each", "broken"),
        branch("each", "done", "long"),
    ]);
    app.save(nodes, edges).await;
    let execution = app.run(json!({})).await;
    assert_eq!(execution.status, ExecutionStatus::Waiting);
    app.advance(61);
    app.tick().await;
    let fence = app.execution().await.lease.fence;
    app.tick().await;
    assert_eq!(app.execution().await.lease.fence, fence, "it sleeps");
    app.advance(86_400);
    app.drain().await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn the_result_of_an_item_is_the_output_that_leads_back() {
    let app = app().await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("each", "loop", json!({ "items": "${trigger.items}" })),
        node(
            "is-even",
            "condition",
            json!({ "expression": "item % 2 == 0" })
        ),
        node("half", "transform", json!({ "value": "${item / 2}" })),
        node("other", "transform", json!({ "value": "odd" })),
        node("end", "output", json!({ "value": "${nodes.each.output}" })),
    ]);
    let edges = json!([
        edge("start", "each"),
        branch("each", "each", "is-even"),
        branch("is-even", "true", "half"),
        branch("is-even", "false", "other"),
        next("half", "each"),
        next("other", "each"),
        branch("each", "done", "end"),
    ]);
    app.save(nodes, edges).await;
    let execution = app.run(json!({ "items": [4, 3, 2] })).await;
    assert_eq!(*output(&execution), json!([2, "odd", 1]));
}

#[tokio::test]
async fn loops_nest_and_see_the_items_around_them() {
    let app = app().await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node(
            "rows",
            "loop",
            json!({ "items": "${trigger.rows}", "parallelism": 2 })
        ),
        node("cells", "loop", json!({ "items": "${item.cells}" })),
        node(
            "cell",
            "transform",
            json!({ "value": "${loops.rows.item.name + string(item)}" })
        ),
        node("end", "output", json!({ "value": "${nodes.rows.output}" })),
    ]);
    let edges = json!([
        edge("start", "rows"),
        branch("rows", "each", "cells"),
        branch("cells", "each", "cell"),
        branch("rows", "done", "end"),
    ]);
    app.save(nodes, edges).await;
    let rows = json!([{ "name": "a", "cells": [1, 2] }, { "name": "b", "cells": [] }, { "name": "c", "cells": [3] }]);
    let execution = app.run(json!({ "rows": rows })).await;
    assert_eq!(*output(&execution), json!([["a1", "a2"], [], ["c3"]]));
}

#[tokio::test]
async fn each_item_is_a_step_of_the_budget() {
    let app = app().await;
    let settings = json!({ "settings": { "limits": { "maxSteps": 20 } } });
    let nodes = json!([
        node("start", "trigger", settings),
        node("each", "loop", json!({ "items": "${range(30)}" })),
        node("one", "transform", json!({ "value": "${item}" })),
    ]);
    let edges = json!([edge("start", "each"), branch("each", "each", "one")]);
    app.save(nodes, edges).await;
    let execution = app.run(json!({})).await;
    let error = execution.error.unwrap();
    assert_eq!(error.code, "limit_exceeded");
    assert_eq!(execution.budget.used_steps, 20);
}

#[tokio::test]
async fn a_wait_in_a_loop_sleeps_for_all_items_together() {
    let app = app().await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node(
            "each",
            "loop",
            json!({ "items": [1, 2, 3], "parallelism": 3 })
        ),
        node("pause", "wait", json!({ "seconds": 60 })),
        node("one", "transform", json!({ "value": "${item * 10}" })),
        node("end", "output", json!({ "value": "${nodes.each.output}" })),
    ]);
    let edges = json!([
        edge("start", "each"),
        branch("each", "each", "pause"),
        edge("pause", "one"),
        branch("each", "done", "end"),
    ]);
    app.save(nodes, edges).await;
    let execution = app.run(json!({})).await;
    assert_eq!(execution.status, ExecutionStatus::Waiting);
    app.advance(60);
    app.drain().await;
    let execution = app.execution().await;
    assert_eq!(*output(&execution), json!([10, 20, 30]));
    assert_eq!(execution.budget.waited_seconds, 60);
}
