use http::{Method, header::LOCATION};
use serde_json::{Value, json};
use shared::{
    ids::{OrgId, TriggerId},
    models::{Approval, ApprovalStatus, ExecutionParent, ExecutionStatus, TriggerType},
    store::approvals,
};

use crate::{
    app::{Answer, NOW, TestApp, empty, request},
    seeds,
    table::seeded_app,
};

fn execution_id(answer: &Answer) -> String {
    answer.body["executionId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_trigger_is_written_and_the_execution_is_queued() {
    let app = seeded_app().await;
    let payload = json!({ "list": [[1, null], "é"] });
    let body = json!({ "payload": payload });
    let started = app.post("user", "/workflows/trigger/w1", &body).await;
    assert_eq!(started.status, 202);
    let id = execution_id(&started);
    assert_eq!(
        started.body,
        json!({ "executionId": id, "status": "queued" })
    );
    assert_eq!(
        started.headers[LOCATION],
        format!("/api/v1/executions/{id}")
    );

    let (org_id, trigger_id) = (OrgId::parse("o1").unwrap(), TriggerId::parse(&id).unwrap());
    let trigger = app
        .store
        .find_trigger(&org_id, &trigger_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (trigger.kind, trigger.payload.0),
        (TriggerType::Manual, payload.clone())
    );
    assert_eq!(trigger.workflow_id.as_str(), "w1");
    assert_eq!(trigger.source.uid.unwrap().as_str(), "user");

    let queued = app.get("viewer", &format!("/executions/{id}")).await;
    assert_eq!(queued.status, 200);
    assert_eq!(queued.body["status"], "queued");
    assert_eq!(
        (&queued.body["id"], &queued.body["input"]),
        (&json!(id), &payload)
    );
    assert_eq!(queued.body["startedAt"], NOW);
    for part in ["steps", "logs"] {
        let answer = app.get("viewer", &format!("/executions/{id}/{part}")).await;
        assert_eq!(answer.body["items"], json!([]));
    }
    let foreign = app.get("stranger", &format!("/executions/{id}")).await;
    assert_eq!(foreign.refusal(), (404, "not_found"));
}

#[tokio::test]
async fn a_workflow_can_be_triggered_without_a_body() {
    let app = seeded_app().await;
    let request = request(Method::POST, "/workflows/trigger/w1", "admin");
    let started = app.send(empty(request)).await;
    assert_eq!(started.status, 202);
    let queued = app
        .get("admin", &format!("/executions/{}", execution_id(&started)))
        .await;
    assert_eq!(queued.body["input"], json!({}));
}

#[tokio::test]
async fn payloads_of_any_type_are_taken_up_to_their_size() {
    let app = seeded_app().await;
    for payload in [
        json!(null),
        json!(1),
        json!([[]]),
        json!("x".repeat(255_998)),
    ] {
        let body = json!({ "workflowId": "w1", "payload": payload });
        assert_eq!(app.post("admin", "/executions", &body).await.status, 202);
    }
    let deep = (0..101).fold(json!(1), |value, _| json!([value]));
    for payload in [json!("x".repeat(255_999)), deep] {
        let body = json!({ "workflowId": "w1", "payload": payload });
        let refused = app.post("admin", "/executions", &body).await;
        assert_eq!(refused.refusal(), (400, "invalid_argument"));
        assert_eq!(refused.fields(), ["payload"]);
    }
}

#[tokio::test]
async fn only_an_own_workflow_can_be_started() {
    let app = seeded_app().await;
    let before = app.db.count("triggers");
    let foreign = json!({ "workflowId": "w1" });
    let answer = app.post("stranger", "/executions", &foreign).await;
    assert_eq!(answer.refusal(), (404, "not_found"));
    let malformed = json!({ "workflowId": "a/b" });
    let answer = app.post("admin", "/executions", &malformed).await;
    assert_eq!(answer.refusal(), (400, "invalid_argument"));
    assert_eq!(answer.fields(), ["workflowId"]);
    assert_eq!(app.db.count("triggers"), before);
}

#[tokio::test]
async fn the_payload_must_have_what_the_trigger_node_declares() {
    let app = TestApp::new().await;
    let mut body = crate::app::workflow_request();
    body["nodes"][0]["data"] = json!({ "fields": { "subject": "string" } });
    let workflow = app.post("admin", "/workflows", &body).await;
    let path = format!(
        "/workflows/trigger/{}",
        workflow.body["id"].as_str().unwrap()
    );
    let refused = app
        .post("admin", &path, &json!({ "payload": { "subject": 1 } }))
        .await;
    assert_eq!(refused.refusal(), (400, "invalid_argument"));
    assert_eq!(refused.fields(), ["payload.subject"]);
    let accepted = app
        .post("admin", &path, &json!({ "payload": { "subject": "x" } }))
        .await;
    assert_eq!(accepted.status, 202);
}

#[tokio::test]
async fn an_execution_shows_its_data_as_json_and_not_its_lease() {
    let app = seeded_app().await;
    let execution = app.get("viewer", "/executions/ended").await.body;
    assert_eq!(execution["input"], json!({ "list": [[1]] }));
    assert_eq!(execution["output"], json!({ "answer": [1, null] }));
    assert_eq!(
        execution["trigger"],
        json!({ "id": "ended", "type": "manual" })
    );
    assert_eq!(execution["budget"]["maxSteps"], 1_000);
    assert_eq!(execution["workflowName"], "Triage");
    assert!(execution.get("lease").is_none());
}

#[tokio::test]
async fn steps_show_output_and_time() {
    let app = seeded_app().await;
    let steps = app.get("viewer", "/executions/ended/steps").await.body;
    let step = &steps["items"][0];
    assert_eq!(step["nodeId"], "start");
    assert_eq!(step["output"], json!({ "nested": [[1]] }));
    assert_eq!(
        (&step["durationMs"], &step["finishedAt"]),
        (&json!(5), &json!(NOW))
    );
}

#[tokio::test]
async fn log_lines_are_read_on_from_where_one_was() {
    let app = seeded_app().await;
    let page = |after: i64| format!("/executions/ended/logs?limit=1&after={after}");
    let mut seen = Vec::new();
    let mut after = 0;
    loop {
        let body = app.get("viewer", &page(after)).await.body;
        let items = body["items"].as_array().unwrap();
        let next = body["nextAfter"].as_i64().unwrap();
        if items.is_empty() {
            assert_eq!(next, after);
            break;
        }
        seen.push(items[0]["message"].as_str().unwrap().to_owned());
        after = next;
    }
    assert_eq!(seen, ["line 1", "line 2"]);
}

#[tokio::test]
async fn a_running_execution_can_be_cancelled_once() {
    let app = seeded_app().await;
    let cancel = json!({ "status": "cancelled" });
    let cancelled = app.patch("user", "/executions/running", &cancel).await;
    assert_eq!(cancelled.status, 200);
    assert_eq!(cancelled.body["status"], "cancelled");
    assert_eq!(cancelled.body["finishedAt"], NOW);
    assert_eq!(app.audited(), ["EXECUTION_CANCEL"]);
    let lines = app.get("user", "/executions/running/logs").await.body;
    assert_eq!(lines["items"][2]["seq"], 3);
    assert_eq!(lines["items"][2]["message"], "execution cancelled");
    let again = app.patch("user", "/executions/running", &cancel).await;
    assert_eq!(again.refusal(), (400, "failed_precondition"));
    assert_eq!(app.audited().len(), 1);
}

#[tokio::test]
async fn a_cancelled_execution_has_a_new_fence_and_no_worker() {
    let app = seeded_app().await;
    let cancel = json!({ "status": "cancelled" });
    app.patch("admin", "/executions/running", &cancel).await;
    let document = &app.db.documents("executions/running")[0];
    let execution: Value = shared::store::decode(document).unwrap();
    assert_eq!(execution["lease"], json!({ "fence": 2, "revision": 0 }));
}

#[tokio::test]
async fn other_states_cannot_be_asked_for() {
    let app = seeded_app().await;
    for status in ["succeeded", "running", ""] {
        let body = json!({ "status": status });
        let answer = app.patch("admin", "/executions/running", &body).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"));
        assert_eq!(answer.fields(), ["status"]);
    }
}

#[tokio::test]
async fn an_execution_that_has_not_begun_cannot_be_deleted() {
    let app = seeded_app().await;
    app.store
        .commit(vec![seeds::trigger("queued")])
        .await
        .unwrap();
    let answer = app.delete("admin", "/executions/queued").await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
}

#[tokio::test]
async fn only_an_ended_execution_can_be_deleted_with_all_its_parts() {
    let app = seeded_app().await;
    let decided = Approval {
        status: ApprovalStatus::Approved,
        ..seeds::approval_model("q2", "ended")
    };
    let decided = approvals::create(&decided).unwrap();
    let asked = vec![seeds::approval("q1", "ended"), decided];
    app.store.commit(asked).await.unwrap();
    let running = app.delete("admin", "/executions/running").await;
    assert_eq!(running.refusal(), (400, "failed_precondition"));
    assert_eq!(app.delete("admin", "/executions/ended").await.status, 204);
    assert!(app.db.documents("executions/ended").is_empty());
    let gone = app.get("admin", "/executions/ended").await;
    assert_eq!(
        gone.refusal(),
        (404, "not_found"),
        "its trigger must not stand for it"
    );
    assert_eq!(app.audited(), ["EXECUTION_DELETE"]);
    assert!(app.db.documents("approvals/q").is_empty(), "decided or not");
    assert_eq!(
        app.db.documents("approvals/p1").len(),
        1,
        "of another execution"
    );
    assert!(!app.db.documents("executions/running/logs").is_empty());
}

/// An execution `part`, failed, that a node of `parent` has started.
async fn add_part(app: &TestApp, parent: &str) {
    let mut part = seeds::execution_model("part", ExecutionStatus::Failed, 0);
    part.parent = Some(ExecutionParent {
        execution_id: parent.parse().unwrap(),
        depth: 1,
    });
    let writes = seeds::with_version(&part, &seeds::version(&part));
    app.store.commit(writes).await.unwrap();
}

#[tokio::test]
async fn a_part_of_an_execution_is_kept_until_that_one_has_ended() {
    let app = seeded_app().await;
    add_part(&app, "running").await;
    let refused = app.delete("admin", "/executions/part").await;
    assert_eq!(refused.refusal(), (400, "failed_precondition"));
    assert_eq!(app.get("admin", "/executions/part").await.status, 200);
    let cancel = json!({ "status": "cancelled" });
    app.patch("admin", "/executions/running", &cancel).await;
    assert_eq!(app.delete("admin", "/executions/part").await.status, 204);
}

#[tokio::test]
async fn a_part_whose_execution_is_gone_can_be_deleted() {
    let app = seeded_app().await;
    add_part(&app, "ended").await;
    app.delete("admin", "/executions/ended").await;
    assert_eq!(app.delete("admin", "/executions/part").await.status, 204);
}

#[tokio::test]
async fn a_long_log_is_deleted_as_a_whole() {
    let app = TestApp::new().await;
    let writes = seeds::execution("ended", ExecutionStatus::Failed, 0);
    app.store.commit(writes).await.unwrap();
    let id = shared::ids::ExecutionId::parse("ended").unwrap();
    let lines = (3..=900).map(seeds::log_line);
    let lines = lines.map(|line| shared::store::executions::create_log_line(&id, &line).unwrap());
    app.store.commit(lines.collect()).await.unwrap();
    assert_eq!(app.delete("admin", "/executions/ended").await.status, 204);
    assert!(app.db.documents("executions/").is_empty());
}
