//! What the runs of a workflow share: places, and the time in which the last trigger counts.

use std::sync::Arc;

use serde_json::json;
use shared::{
    models::{ExecutionStatus, TriggerType},
    testing::ScriptedLlm,
};

use crate::app::{App, edge, node, trigger};

/// A workflow whose runs wait for a minute.
async fn app(settings: serde_json::Value) -> App {
    let app = App::new(Arc::new(ScriptedLlm::answering("done"))).await;
    let nodes = json!([
        node("start", "trigger", json!({ "settings": settings })),
        node("pause", "wait", json!({ "seconds": 60 })),
        node("end", "output", json!({ "value": "${trigger.n}" })),
    ]);
    app.save(nodes, json!([edge("start", "pause"), edge("pause", "end")]))
        .await;
    app
}

async fn statuses(app: &App, ids: &[&str]) -> Vec<ExecutionStatus> {
    let mut statuses = Vec::new();
    for id in ids {
        statuses.push(app.execution_of(id).await.status);
    }
    statuses
}

#[tokio::test]
async fn no_more_runs_are_under_way_than_allowed_and_the_others_follow() {
    use ExecutionStatus::{Queued, Succeeded, Waiting};
    let app = app(json!({ "concurrency": 2 })).await;
    let ids = ["t1", "t2", "t3", "t4", "t5"];
    for id in ids {
        app.start(id, json!({ "n": 1 })).await;
        app.advance(1);
    }
    assert_eq!(
        statuses(&app, &ids).await,
        [Waiting, Waiting, Queued, Queued, Queued]
    );
    app.advance(60);
    app.drain().await;
    assert_eq!(
        statuses(&app, &ids).await,
        [Succeeded, Succeeded, Waiting, Waiting, Queued]
    );
    app.advance(60);
    app.drain().await;
    app.advance(60);
    app.drain().await;
    assert_eq!(statuses(&app, &ids).await, [Succeeded; 5]);
}

#[tokio::test]
async fn a_place_is_offered_again_when_the_offer_was_lost() {
    use ExecutionStatus::{Queued, Succeeded, Waiting};
    let app = app(json!({ "concurrency": 1 })).await;
    app.start("t1", json!({ "n": 1 })).await;
    app.start("t2", json!({ "n": 2 })).await;
    app.advance(60);
    let due = app.queue.take_due(app.clock.shared().now().into());
    let body = due[0].work.to_body().unwrap();
    app.post("/continue", Vec::new(), body).await;
    let _lost = app.queue.take();
    assert_eq!(statuses(&app, &["t1", "t2"]).await, [Succeeded, Queued]);
    app.tick().await;
    assert_eq!(statuses(&app, &["t1", "t2"]).await, [Succeeded, Waiting]);
}

#[tokio::test]
async fn of_triggers_in_a_short_time_the_last_one_counts() {
    use ExecutionStatus::{Cancelled, Queued, Succeeded};
    let app = app(json!({ "debounceSecs": 10 })).await;
    for (id, n) in [("t1", 1), ("t2", 2), ("t3", 3)] {
        app.start(id, json!({ "n": n })).await;
        app.advance(9);
        app.drain().await;
    }
    let ids = ["t1", "t2", "t3"];
    assert_eq!(statuses(&app, &ids).await, [Cancelled, Cancelled, Queued]);
    app.advance(1);
    app.drain().await;
    app.advance(60);
    app.drain().await;
    assert_eq!(
        statuses(&app, &ids).await,
        [Cancelled, Cancelled, Succeeded]
    );
    // The time is over: the next trigger replaces nothing.
    app.start("t4", json!({ "n": 4 })).await;
    assert_eq!(statuses(&app, &["t3", "t4"]).await, [Succeeded, Queued]);
}

#[tokio::test]
async fn of_two_triggers_whose_events_are_swapped_the_later_one_counts() {
    use ExecutionStatus::{Cancelled, Queued};
    let app = app(json!({ "debounceSecs": 10 })).await;
    let [mut first, mut last] = [1, 2].map(|n| trigger(json!({ "n": n })));
    first.id = "t1".parse().unwrap();
    last.id = "t2".parse().unwrap();
    last.created_at = first.created_at.plus_seconds(1);
    app.deliver(&last).await;
    app.deliver(&first).await;
    assert_eq!(statuses(&app, &["t1", "t2"]).await, [Cancelled, Queued]);
    let log: Vec<i64> = app.log().await.iter().map(|line| line.seq).collect();
    assert_eq!(log, [1, 2]);
}

#[tokio::test]
async fn the_time_in_line_does_not_count() {
    let limits = json!({ "maxSeconds": 30 });
    let app = app(json!({ "debounceSecs": 120, "limits": limits })).await;
    app.start("t1", json!({ "n": 1 })).await;
    app.advance(120);
    app.drain().await;
    app.advance(60);
    app.drain().await;
    assert_eq!(statuses(&app, &["t1"]).await, [ExecutionStatus::Succeeded]);
}

#[tokio::test]
async fn a_failure_starts_the_workflow_that_is_there_for_it() {
    let app = App::new(Arc::new(ScriptedLlm::answering("done"))).await;
    let settings = json!({ "settings": { "errorWorkflowId": "w2", "limits": { "maxSteps": 1 } } });
    let nodes = json!([
        node("start", "trigger", settings),
        node("next", "transform", json!({ "value": 1 })),
    ]);
    app.save(nodes, json!([edge("start", "next")])).await;
    let nodes = json!([
        node(
            "start",
            "trigger",
            json!({ "settings": { "errorWorkflowId": "w2" } })
        ),
        node("broken", "transform", json!({ "value": "${1 / 0}" })),
    ]);
    app.save_as("w2", nodes, json!([edge("start", "broken")]))
        .await;
    let failed = app.run(json!({})).await;
    assert_eq!(failed.error.unwrap().code, "limit_exceeded");
    app.settle().await;
    let page = shared::store::Page::first(10);
    let filter = shared::store::executions::ExecutionFilter::default();
    let runs = app
        .store
        .list_executions(&crate::app::org_id(), &filter, &page)
        .await
        .unwrap();
    let second = runs
        .items
        .iter()
        .find(|run| run.workflow_id.as_str() == "w2")
        .unwrap();
    assert_eq!(second.trigger.kind, TriggerType::OnExecutionFailed);
    assert_eq!(second.input.0["error"]["code"], "limit_exceeded");
    assert_eq!(second.input.0["executionId"], "t1");
    assert_eq!(
        runs.items.len(),
        2,
        "a failure of the second starts nothing"
    );
}
