//! What comes out of the queue.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use shared::{models::ExecutionStatus, testing::ScriptedLlm};

use crate::app::{App, edge, node};

/// A run that waits for an hour, whose continuation is in the queue.
async fn waiting() -> App {
    let app = App::new(Arc::new(ScriptedLlm::answering("done"))).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("pause", "wait", json!({ "seconds": 3600 })),
        node("end", "output", json!({ "value": "over" })),
    ]);
    app.save(nodes, json!([edge("start", "pause"), edge("pause", "end")]))
        .await;
    let execution = app.run(json!({})).await;
    assert_eq!(execution.status, ExecutionStatus::Waiting);
    app
}

#[tokio::test]
async fn a_run_goes_on_when_its_task_is_due() {
    let app = waiting().await;
    assert!(app.drain().await.is_empty());
    app.advance(3600);
    assert_eq!(app.drain().await, [StatusCode::NO_CONTENT]);
    assert_eq!(app.execution().await.status, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn a_task_that_comes_early_changes_nothing() {
    let app = waiting().await;
    let task = app.queue.take().remove(0);
    let body = task.work.to_body().unwrap();
    let answer = app.post("/continue", Vec::new(), body).await;
    assert_eq!(answer, StatusCode::NO_CONTENT);
    assert_eq!(app.execution().await.status, ExecutionStatus::Waiting);
}

#[tokio::test]
async fn an_instance_that_is_stopping_leaves_a_task_to_others() {
    let app = waiting().await;
    app.advance(3600);
    app.shutdown.begin();
    assert_eq!(app.drain().await, [StatusCode::SERVICE_UNAVAILABLE]);
    assert_eq!(app.execution().await.status, ExecutionStatus::Waiting);
}

#[tokio::test]
async fn a_task_is_delivered_again_when_the_database_is_down() {
    let app = waiting().await;
    app.advance(3600);
    app.db.fail_all(true);
    assert_eq!(app.drain().await, [StatusCode::SERVICE_UNAVAILABLE]);
}

#[tokio::test]
async fn a_body_that_cannot_be_understood_is_acknowledged() {
    let app = waiting().await;
    for body in ["", "{}", r#"{"orgId":"o1","executionId":"a/b"}"#] {
        let answer = app.post("/continue", Vec::new(), body.into()).await;
        assert_eq!(answer, StatusCode::NO_CONTENT, "{body}");
    }
}
