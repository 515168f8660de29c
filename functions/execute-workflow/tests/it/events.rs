use std::{sync::Arc, time::Duration};

use http::StatusCode;
use serde_json::{Value, json};
use shared::{
    events::encode_written,
    models::{ExecutionStatus, Trigger, TriggerType},
    store::{executions, triggers},
    testing::ScriptedLlm,
};

use crate::app::{
    App, NOW, Outside, edge, event_headers, execution_id, node, org_id, trigger, trigger_document,
    trigger_event,
};

async fn app() -> (App, Arc<ScriptedLlm>) {
    let llm = Arc::new(ScriptedLlm::answering("done"));
    let app = App::new(llm.clone()).await;
    let nodes = json!([
        node(
            "start",
            "trigger",
            json!({ "fields": { "name": "string" } })
        ),
        node("ask", "llm", json!({ "prompt": "Hello" })),
    ]);
    app.save(nodes, json!([edge("start", "ask")])).await;
    (app, llm)
}

#[tokio::test]
async fn a_repeated_event_runs_nothing_again() {
    let (app, llm) = app().await;
    let trigger = trigger(json!({ "name": "Ada" }));
    for _ in 0..3 {
        assert_eq!(app.deliver(&trigger).await, StatusCode::NO_CONTENT);
    }
    assert_eq!(llm.requests().len(), 1);
    assert_eq!(app.execution().await.status, ExecutionStatus::Succeeded);
}

/// A lease by the clock of a worker that is ahead would outlive it.
#[tokio::test]
async fn a_worker_whose_first_request_is_an_event_goes_by_the_database_s_clock() {
    let app = App::reaching(Outside {
        is_set_by_database: true,
        ..Outside::default()
    })
    .await;
    app.clock.advance(Duration::from_secs(120));
    app.save(json!([node("start", "trigger", json!({}))]), json!([]))
        .await;
    let execution = app.run(json!({})).await;
    let by_the_database = NOW.parse::<jiff::Timestamp>().unwrap();
    let ahead = execution
        .started_at
        .instant()
        .duration_since(by_the_database);
    assert!(ahead.as_secs() < 60, "{ahead:?}");
}

#[tokio::test]
async fn parallel_events_run_once() {
    let (app, llm) = app().await;
    let trigger = trigger(json!({ "name": "Ada" }));
    let statuses = futures::future::join_all((0..5).map(|_| app.deliver(&trigger))).await;
    assert_eq!(statuses, [StatusCode::NO_CONTENT; 5]);
    assert_eq!(llm.requests().len(), 1);
    assert_eq!(app.execution().await.status, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn a_malformed_envelope_is_refused_without_effect() {
    let (app, _) = app().await;
    let good = trigger_event(&trigger(json!({ "name": "Ada" })));
    let mut no_id = event_headers();
    no_id.remove(1);
    for headers in [Vec::new(), no_id] {
        assert_eq!(
            app.post("/", headers, good.clone()).await,
            StatusCode::BAD_REQUEST
        );
    }
    assert_eq!(app.db.count("executions"), 0);
}

#[tokio::test]
async fn data_that_can_never_be_handled_is_acknowledged_and_recorded() {
    let mut other_type = event_headers();
    other_type[2].1 = "google.cloud.pubsub.topic.v1.messagePublished";
    let mut document = trigger_document(&trigger(json!({})));
    document.fields.remove("workflowId");
    let incomplete = encode_written(Some(document), None);
    let good = trigger_event(&trigger(json!({ "name": "Ada" })));
    for (headers, body) in [
        (other_type, good),
        (event_headers(), vec![0xff; 20]),
        (event_headers(), incomplete),
    ] {
        let (app, _) = app().await;
        for _ in 0..2 {
            let status = app.post("/", headers.clone(), body.clone()).await;
            assert_eq!(status, StatusCode::NO_CONTENT);
        }
        assert_eq!(app.db.count("executions"), 0);
        assert_eq!(app.db.count("idempotency"), 1);
    }
}

#[tokio::test]
async fn a_change_of_a_trigger_starts_nothing() {
    let (app, _) = app().await;
    let document = trigger_document(&trigger(json!({ "name": "Ada" })));
    let body = encode_written(Some(document.clone()), Some(document));
    assert_eq!(
        app.post("/", event_headers(), body).await,
        StatusCode::NO_CONTENT
    );
    assert_eq!(app.db.count("executions"), 0);
}

/// Delivers a trigger that cannot run and returns code and message of the failed execution.
async fn refusal(trigger: &Trigger, app: &App) -> (String, String) {
    assert_eq!(app.deliver(trigger).await, StatusCode::NO_CONTENT);
    let execution = app.execution().await;
    assert_eq!(execution.status, ExecutionStatus::Failed);
    let error = execution.error.unwrap();
    (error.code, error.message)
}

#[tokio::test]
async fn an_unknown_workflow_is_recorded_as_a_failed_execution() {
    let (app, _) = app().await;
    let unknown = Trigger {
        workflow_id: "w2".parse().unwrap(),
        ..trigger(json!({}))
    };
    assert_eq!(refusal(&unknown, &app).await.0, "not_found");
}

#[tokio::test]
async fn another_organizations_workflow_is_unknown() {
    let (app, llm) = app().await;
    let foreign = Trigger {
        org_id: "o2".parse().unwrap(),
        ..trigger(json!({ "name": "Ada" }))
    };
    assert_eq!(app.deliver(&foreign).await, StatusCode::NO_CONTENT);
    let found = app
        .store
        .find_execution(&foreign.org_id, &"t1".parse().unwrap())
        .await;
    assert_eq!(
        found.unwrap().unwrap().value.error.unwrap().code,
        "not_found"
    );
    assert!(llm.requests().is_empty());
}

#[tokio::test]
async fn a_payload_without_a_declared_field_is_refused_by_its_name() {
    let (app, _) = app().await;
    let (code, message) = refusal(&trigger(json!({})), &app).await;
    assert_eq!(code, "invalid_argument");
    assert!(message.contains("payload.name"), "{message}");
}

#[tokio::test]
async fn an_inactive_workflow_does_not_follow_its_schedule() {
    let (app, _) = app().await;
    let workflow = app
        .store
        .find_workflow(&"o1".parse().unwrap(), &"w1".parse().unwrap())
        .await;
    let mut workflow = workflow.unwrap().unwrap();
    workflow.value.active = false;
    let write = shared::store::workflows::replace(&workflow).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let scheduled = Trigger {
        kind: TriggerType::Schedule,
        ..trigger(json!({ "name": "Ada" }))
    };
    assert_eq!(refusal(&scheduled, &app).await.0, "failed_precondition");
}

#[tokio::test]
async fn a_malformed_graph_names_node_and_field() {
    let app = App::new(Arc::new(ScriptedLlm::answering("x"))).await;
    let nodes: Value = json!([
        node("start", "trigger", json!({})),
        node("call", "http", json!({ "method": "GET" })),
    ]);
    app.save(
        nodes,
        json!([edge("start", "call"), edge("call", "nowhere")]),
    )
    .await;
    let (code, message) = refusal(&trigger(json!({})), &app).await;
    assert_eq!(code, "invalid_argument");
    assert!(message.contains("nodes[1].data.url"), "{message}");
    assert!(message.contains("edges[1].target"), "{message}");
}

#[tokio::test]
async fn a_late_repeat_does_not_revive_a_deleted_execution() {
    let (app, llm) = app().await;
    let trigger = trigger(json!({ "name": "Ada" }));
    assert_eq!(app.deliver(&trigger).await, StatusCode::NO_CONTENT);
    let (org_id, id) = (org_id(), execution_id());
    let execution = app
        .store
        .find_execution(&org_id, &id)
        .await
        .unwrap()
        .unwrap();
    let deletes = vec![
        executions::delete(&execution),
        triggers::delete(&trigger.id),
    ];
    app.store.commit(deletes).await.unwrap();
    assert_eq!(app.deliver_again(&trigger).await, StatusCode::NO_CONTENT);
    assert_eq!(app.db.count("executions"), 0);
    assert_eq!(llm.requests().len(), 1);
}

#[tokio::test]
async fn a_workflow_too_large_for_a_version_is_refused() {
    let app = App::new(Arc::new(ScriptedLlm::answering("x"))).await;
    let filler = "x".repeat(1_000_000);
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("end", "output", json!({ "value": filler })),
    ]);
    app.save(nodes, json!([edge("start", "end")])).await;
    assert_eq!(
        refusal(&trigger(json!({})), &app).await.0,
        "failed_precondition"
    );
}
