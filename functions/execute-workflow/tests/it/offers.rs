//! What the sweeper offers to runs in line.

use std::sync::Arc;

use serde_json::json;
use shared::{
    models::{ExecutionStatus, WorkflowState},
    store::{
        DocumentPath, Write,
        document_db::{Operation, Precondition},
        encode, workflow_states,
    },
    testing::ScriptedLlm,
};

use crate::app::{App, NOW, edge, node, org_id};

/// A workflow with two runs, of which the second waits for the first, whose offer is lost.
async fn app() -> App {
    let app = App::new(Arc::new(ScriptedLlm::answering("done"))).await;
    let settings = json!({ "settings": { "concurrency": 1 } });
    let nodes = json!([
        node("start", "trigger", settings),
        node("pause", "wait", json!({ "seconds": 60 })),
        node("end", "output", json!({ "value": "over" })),
    ]);
    app.save(nodes, json!([edge("start", "pause"), edge("pause", "end")]))
        .await;
    app.start("t1", json!({})).await;
    app.start("t2", json!({})).await;
    app.advance(60);
    let due = app.queue.take_due(app.clock.shared().now().into());
    let body = due[0].work.to_body().unwrap();
    app.post("/continue", Vec::new(), body).await;
    let _lost = app.queue.take();
    let waits = app.execution_of("t2").await.status;
    assert_eq!(waits, ExecutionStatus::Queued);
    app
}

/// Another workflow with runs in line, as it seems.
async fn add_queue(app: &App, workflow_id: &str) {
    let state = WorkflowState {
        org_id: org_id(),
        workflow_id: workflow_id.parse().unwrap(),
        running: Default::default(),
        concurrency: Some(1),
        has_queue: true,
        debounced: None,
    };
    let write = workflow_states::set(&state, None).unwrap();
    app.store.commit(vec![write]).await.unwrap();
}

#[tokio::test]
async fn all_workflows_with_runs_in_line_are_offered_room() {
    let app = app().await;
    for number in 0..201 {
        add_queue(&app, &format!("a{number}")).await;
    }
    app.tick().await;
    let offered = app.execution_of("t2").await.status;
    assert_eq!(offered, ExecutionStatus::Waiting);
}

#[tokio::test]
async fn a_workflow_whose_runs_cannot_be_read_does_not_stop_the_others() {
    let app = app().await;
    add_queue(&app, "a1").await;
    let path = DocumentPath::new("executions", "bad");
    let queued = json!({ "orgId": "o1", "workflowId": "a1", "status": "queued", "startedAt": NOW });
    let bad = Write {
        operation: Operation::Replace(encode(&path, &queued).unwrap()),
        path,
        precondition: Precondition::None,
    };
    app.store.commit(vec![bad]).await.unwrap();
    app.tick().await;
    let offered = app.execution_of("t2").await.status;
    assert_eq!(offered, ExecutionStatus::Waiting);
}
