//! Runs that repeat a part of another.

use std::sync::Arc;

use serde_json::{Value, json};
use shared::{
    llm::ChatRequest,
    models::{Execution, ExecutionStatus, Rerun, StartOptions, TriggerType},
    testing::ScriptedLlm,
};

use crate::app::{App, branch, edge, node, trigger};

fn ask(id: &str, prompt: &str) -> Value {
    node(id, "llm", json!({ "prompt": prompt }))
}

/// A call, a loop with two calls for each item, and a call; it has run once.
async fn app() -> (App, Arc<ScriptedLlm>) {
    let answer = |request: &ChatRequest| Ok(request.messages[0].text());
    let llm = Arc::new(ScriptedLlm::new(answer));
    let app = App::new(llm.clone()).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        ask("before", "before"),
        node("each", "loop", json!({ "items": "${trigger.items}" })),
        ask("first", "first ${item}"),
        ask("second", "second ${item}"),
        ask("after", "after"),
        node("aside", "transform", json!({ "value": "aside" })),
        node(
            "end",
            "output",
            json!({ "value": "${nodes.each.output.map(one, one.text)}" })
        ),
    ]);
    let edges = json!([
        edge("start", "before"),
        edge("start", "aside"),
        edge("before", "each"),
        branch("each", "each", "first"),
        edge("first", "second"),
        branch("each", "done", "after"),
        edge("after", "end"),
    ]);
    app.save(nodes, edges).await;
    app.run(json!({ "items": [1, 2, 3] })).await;
    (app, llm)
}

/// Repeats the first run from a node, and tells what the model was asked for it.
async fn rerun(node_id: &str, iteration: Option<&str>) -> (Execution, Vec<String>) {
    let (app, llm) = app().await;
    let first = app.execution().await;
    assert_eq!(first.status, ExecutionStatus::Succeeded);
    let asked = llm.requests().len();
    let execution = repeat(&app, &first, node_id, iteration).await;
    let calls = llm.requests().split_off(asked);
    let prompts = calls.iter().map(|call| call.messages[0].text());
    (execution, prompts.collect())
}

/// Runs `t2`, which repeats another from a node on.
pub(crate) async fn repeat(
    app: &App,
    first: &Execution,
    node_id: &str,
    iteration: Option<&str>,
) -> Execution {
    let mut trigger = trigger(first.input.0.clone());
    trigger.id = "t2".parse().unwrap();
    trigger.kind = TriggerType::Rerun;
    trigger.options = StartOptions {
        rerun: Some(Rerun {
            execution_id: first.id.clone(),
            workflow_version: first.workflow_version.clone(),
            node_id: node_id.to_owned(),
            iteration: iteration.map(str::to_owned),
        }),
        ..StartOptions::default()
    };
    app.deliver(&trigger).await;
    app.execution_of("t2").await
}

#[tokio::test]
async fn no_model_is_asked_again_for_what_comes_before() {
    let rows: &[(&str, Option<&str>, &[&str])] = &[
        ("after", None, &["after"]),
        ("second", Some("0.1"), &["second 2", "after"]),
        (
            "second",
            None,
            &["second 1", "second 2", "second 3", "after"],
        ),
        ("first", Some("0.2"), &["first 3", "second 3", "after"]),
        ("aside", None, &[]),
        ("end", None, &[]),
    ];
    for (node_id, iteration, expected) in rows {
        let (execution, prompts) = rerun(node_id, *iteration).await;
        assert_eq!(execution.status, ExecutionStatus::Succeeded, "{node_id}");
        assert_eq!(prompts, *expected, "{node_id} {iteration:?}");
        let output = execution.output.unwrap().0;
        assert_eq!(
            output,
            json!(["second 1", "second 2", "second 3"]),
            "{node_id}"
        );
    }
}

#[tokio::test]
async fn everything_is_asked_again_from_the_beginning() {
    let (_, prompts) = rerun("start", None).await;
    assert_eq!(prompts.len(), 8);
}

#[tokio::test]
async fn a_rerun_keeps_the_version_of_the_first_run() {
    let (app, _) = app().await;
    let first = app.execution().await;
    let id = first.workflow_id.clone();
    let mut workflow = app
        .store
        .find_workflow(&first.org_id, &id)
        .await
        .unwrap()
        .unwrap();
    workflow.value.nodes.clear();
    let write = shared::store::workflows::replace(&workflow).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let execution = repeat(&app, &first, "after", None).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    assert_eq!(execution.workflow_version, first.workflow_version);
}

#[tokio::test]
async fn a_run_that_is_gone_cannot_be_repeated() {
    let (app, llm) = app().await;
    let first = app.execution().await;
    let found = app
        .store
        .find_execution(&first.org_id, &first.id)
        .await
        .unwrap()
        .unwrap();
    let write = shared::store::executions::delete(&found);
    app.store.commit(vec![write]).await.unwrap();
    let asked = llm.requests().len();
    let execution = repeat(&app, &first, "after", None).await;
    assert_eq!(execution.error.unwrap().code, "not_found");
    assert_eq!(llm.requests().len(), asked);
}
