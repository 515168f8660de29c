//! Runs that sleep until people or other runs have done their part.

use std::sync::Arc;

use serde_json::{Value, json};
use shared::{
    models::{Approval, ApprovalStatus, Execution, ExecutionStatus, Role},
    store::Versioned,
    testing::ScriptedLlm,
};

use crate::app::{App, branch, edge, execution_id, node, org_id};

async fn app() -> App {
    App::new(Arc::new(ScriptedLlm::answering("done"))).await
}

fn output(execution: &Execution) -> &Value {
    &execution.output.as_ref().unwrap().0
}

/// A run that asks whether to pay.
async fn asking(settings: Value) -> App {
    let app = app().await;
    let mut data = json!({ "message": "Pay ${trigger.amount}?", "fields": { "reason": "string" } });
    data.as_object_mut()
        .unwrap()
        .extend(settings.as_object().unwrap().clone());
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("ask", "approval", data),
        node(
            "yes",
            "output",
            json!({ "value": "${nodes.ask.output.values.reason}" })
        ),
        node("no", "output", json!({ "value": "no" })),
        node("late", "output", json!({ "value": "late" })),
    ]);
    let mut edges = vec![
        edge("start", "ask"),
        branch("ask", "approved", "yes"),
        branch("ask", "rejected", "no"),
    ];
    let nodes = match settings.get("expiresAfterSecs") {
        Some(_) => {
            edges.push(branch("ask", "expired", "late"));
            nodes
        }
        None => nodes.as_array().unwrap()[..4].into(),
    };
    app.save(nodes, edges.into()).await;
    app.run(json!({ "amount": 5 })).await;
    app
}

async fn approval(app: &App) -> Versioned<Approval> {
    app.approval("ask").await
}

async fn decide(app: &App, status: ApprovalStatus) {
    app.decide("ask", status, json!({ "reason": "cheap" }))
        .await;
}

#[tokio::test]
async fn an_approval_asks_and_the_run_sleeps() {
    let app = asking(json!({ "required": 2 })).await;
    let execution = app.execution().await;
    assert_eq!(execution.status, ExecutionStatus::Waiting);
    assert_eq!((execution.resume_at, execution.lease.until), (None, None));
    let approval = approval(&app).await.value;
    assert_eq!(approval.message, "Pay 5?");
    assert_eq!(
        (approval.required, &*approval.roles),
        (2, &[Role::Admin][..])
    );
    assert_eq!(approval.fields["reason"], "string");
    assert!(app.queue.take().is_empty(), "a sleeping run costs no task");
}

#[tokio::test]
async fn only_the_branch_that_was_decided_runs() {
    for (status, expected) in [
        (ApprovalStatus::Approved, "cheap"),
        (ApprovalStatus::Rejected, "no"),
    ] {
        let app = asking(json!({})).await;
        decide(&app, status).await;
        app.settle().await;
        let execution = app.execution().await;
        assert_eq!(*output(&execution), json!(expected));
        assert!(app.db.documents("wakeups").is_empty());
    }
}

#[tokio::test]
async fn a_wakeup_whose_event_is_lost_is_made_up_for() {
    let app = asking(json!({})).await;
    decide(&app, ApprovalStatus::Approved).await;
    app.tick().await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Waiting);
    app.advance(31);
    app.tick().await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn an_approval_that_nobody_decides_expires() {
    let app = asking(json!({ "expiresAfterSecs": 600 })).await;
    app.advance(599);
    app.settle().await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Waiting);
    app.advance(1);
    app.settle().await;
    assert_eq!(*output(&app.execution().await), json!("late"));
    assert_eq!(approval(&app).await.value.status, ApprovalStatus::Expired);
}

/// A run of `w1` that runs `w2` as a part.
async fn nested(inner: Value, settings: Value) -> App {
    let app = app().await;
    let mut data = json!({ "workflowId": "w2", "payload": { "n": "${trigger.n}" } });
    data.as_object_mut()
        .unwrap()
        .extend(settings.as_object().unwrap().clone());
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("part", "workflow", data),
        node("end", "output", json!({ "value": "${nodes.part.output}" })),
    ]);
    app.save(nodes, json!([edge("start", "part"), edge("part", "end")]))
        .await;
    let nodes = json!([
        node("start", "trigger", json!({ "fields": { "n": "number" } })),
        inner,
        node("end", "output", json!({ "value": "${nodes.inner.output}" })),
    ]);
    app.save_as(
        "w2",
        nodes,
        json!([edge("start", "inner"), edge("inner", "end")]),
    )
    .await;
    app
}

#[tokio::test]
async fn a_workflow_runs_as_a_part_of_another() {
    let inner = node("inner", "transform", json!({ "value": "${trigger.n * 2}" }));
    let app = nested(inner, json!({})).await;
    assert_eq!(
        app.run(json!({ "n": 21 })).await.status,
        ExecutionStatus::Waiting
    );
    app.settle().await;
    assert_eq!(*output(&app.execution().await), json!(42));
}

#[tokio::test]
async fn a_part_that_cannot_run_fails_its_node() {
    let inner = node("inner", "transform", json!({ "value": 1 }));
    let app = nested(inner, json!({})).await;
    app.run(json!({ "n": "no number" })).await;
    app.settle().await;
    let error = app.execution().await.error.unwrap();
    assert_eq!(error.node_id.as_deref(), Some("part"));
    assert!(
        error.message.contains("must be of type number"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_part_has_its_own_limits_and_what_it_uses_counts() {
    let inner = node("inner", "llm", json!({ "prompt": "Hello" }));
    let app = nested(inner.clone(), json!({})).await;
    app.run(json!({ "n": 1 })).await;
    app.settle().await;
    let execution = app.execution().await;
    assert!(execution.budget.used_tokens > 0);
    assert!(execution.budget.used_cost_micro_usd > 0);

    let app = nested(inner, json!({ "limits": { "maxSteps": 1 } })).await;
    app.run(json!({ "n": 1 })).await;
    app.settle().await;
    let error = app.execution().await.error.unwrap();
    assert!(
        error.message.contains("has used up its steps"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_workflow_that_runs_itself_ends_at_the_limit() {
    let app = app().await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("again", "workflow", json!({ "workflowId": "w1" })),
    ]);
    app.save(nodes, json!([edge("start", "again")])).await;
    app.run(json!({})).await;
    app.settle().await;
    let error = app.execution().await.error.unwrap();
    assert!(
        error.message.contains("more than 5 workflows"),
        "{}",
        error.message
    );
    assert_eq!(executions(&app).len(), 6);
}

#[tokio::test]
async fn a_part_does_not_wait_for_the_place_of_the_run_around_it() {
    let app = app().await;
    let settings = json!({ "settings": { "concurrency": 1 } });
    let nodes = json!([
        node("start", "trigger", settings),
        node("deep", "condition", json!({ "expression": "trigger.deep" })),
        node(
            "again",
            "workflow",
            json!({ "workflowId": "w1", "payload": { "deep": true } })
        ),
    ]);
    let edges = json!([edge("start", "deep"), branch("deep", "false", "again")]);
    app.save(nodes, edges).await;
    app.run(json!({ "deep": false })).await;
    app.settle().await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn a_part_ends_when_the_run_around_it_has() {
    let inner = node("inner", "wait", json!({ "seconds": 60 }));
    let app = nested(inner, json!({})).await;
    app.run(json!({ "n": 1 })).await;
    app.drain().await;
    let mut run = app
        .store
        .find_execution(&org_id(), &execution_id())
        .await
        .unwrap()
        .unwrap();
    run.value.status = ExecutionStatus::Cancelled;
    let write = shared::store::executions::replace(&run).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    app.advance(60);
    app.settle().await;
    let runs = executions(&app);
    let is_waiting = |run: &&Execution| run.status == ExecutionStatus::Waiting;
    assert_eq!(runs.iter().filter(is_waiting).count(), 0);
}

#[tokio::test]
async fn a_part_that_asks_people_ends_with_the_run_around_it() {
    let app = app().await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node(
            "each",
            "loop",
            json!({ "items": [1], "onItemError": "continue" })
        ),
        node("part", "workflow", json!({ "workflowId": "w2" })),
        node("broken", "llm", json!({ "prompt": "${1 / 0}" })),
        node("end", "output", json!({ "value": "over" })),
    ]);
    let edges = json!([
        edge("start", "each"),
        branch("each", "each", "part"),
        branch("each", "each", "pause"),
        edge("pause", "broken"),
        branch("each", "done", "end"),
    ]);
    let mut nodes = nodes.as_array().unwrap().clone();
    nodes.push(node("pause", "wait", json!({ "seconds": 60 })));
    app.save(nodes.into(), edges).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("ask", "approval", json!({ "message": "Go on?" })),
        node("yes", "output", json!({ "value": "yes" })),
    ]);
    let edges = json!([edge("start", "ask"), branch("ask", "approved", "yes")]);
    app.save_as("w2", nodes, edges).await;
    app.run(json!({})).await;
    app.settle().await;
    assert_eq!(app.db.documents("approvals/").len(), 1);
    app.advance(60);
    app.settle().await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Succeeded);
    let runs = executions(&app);
    assert!(runs.iter().all(|run| run.status.is_terminal()), "{runs:?}");
    let asked: Vec<Approval> = app
        .db
        .documents("approvals/")
        .iter()
        .map(|approval| shared::store::decode(approval).unwrap())
        .collect();
    assert_eq!(asked[0].status, ApprovalStatus::Cancelled);
}

/// All runs, those that are parts included.
fn executions(app: &App) -> Vec<Execution> {
    let documents = app.db.documents("executions/");
    let runs = documents
        .iter()
        .filter(|document| document.path.as_str().matches('/').count() == 1);
    runs.map(|run| shared::store::decode(run).unwrap())
        .collect()
}
