use futures::future::join_all;
use http::header::LOCATION;
use serde_json::{Value, json};
use shared::{
    ids::{OrgId, WorkflowId},
    store::workflows,
};

use crate::{
    app::{Answer, TestApp, workflow_request},
    seeds,
};

async fn app_with_workflow() -> TestApp {
    let app = TestApp::new().await;
    app.store.commit(vec![seeds::workflow("w1")]).await.unwrap();
    app
}

async fn save(change: impl Fn(&mut Value)) -> Answer {
    let app = app_with_workflow().await;
    let mut body = workflow_request();
    change(&mut body);
    let created = app.post("admin", "/workflows", &body).await;
    let replaced = app.put("admin", "/workflows/w1", &body).await;
    let changed = app.patch("admin", "/workflows/w1", &body).await;
    assert_eq!(created.body, replaced.body);
    assert_eq!(created.body, changed.body);
    assert_eq!(app.db.count("workflows"), 1);
    created
}

#[tokio::test]
async fn a_workflow_comes_back_as_it_was_drawn() {
    let app = TestApp::new().await;
    let mut body = workflow_request();
    body["nodes"][0]["selected"] = json!(true);
    body["nodes"][0]["measured"] = json!({ "width": 12.5, "tags": ["a", { "b": 1 }] });
    let created = app.post("user", "/workflows", &body).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let path = format!("/workflows/{}", created.body["id"].as_str().unwrap());
    assert_eq!(created.headers[LOCATION], format!("/api/v1{path}"));
    let found = app.get("viewer", &path).await.body;
    assert_eq!(found, created.body);
    for field in ["name", "nodes", "edges", "triggers", "active"] {
        assert_eq!(found[field], body[field], "{field}");
    }
}

#[tokio::test]
async fn broken_graphs_are_refused_by_node_and_field() {
    let dangling = save(|body| body["edges"][0]["target"] = json!("nowhere")).await;
    assert_eq!(dangling.refusal(), (400, "invalid_argument"));
    assert!(
        dangling.fields().contains(&"edges[0].target"),
        "{}",
        dangling.body
    );
    let unknown = save(|body| body["nodes"][1]["type"] = json!("teleport")).await;
    assert_eq!(unknown.fields(), ["nodes[1].type"]);
    assert!(
        unknown.body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("`end`")
    );
    let cycle = save(|body| {
        body["nodes"][1]["type"] = json!("transform");
        body["nodes"][1]["data"] = json!({ "value": "x" });
        body["edges"] = json!([
            { "id": "e1", "source": "start", "target": "end" },
            { "id": "e2", "source": "end", "target": "end" },
        ]);
    })
    .await;
    assert_eq!(cycle.refusal(), (400, "invalid_argument"));
    let empty = save(|body| body["nodes"] = json!([])).await;
    assert_eq!(empty.refusal(), (400, "invalid_argument"));
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_by_field() {
    let nested = save(|body| body["nodes"][0]["data"]["ui"] = json!([[1]])).await;
    assert_eq!(nested.refusal(), (400, "invalid_argument"));
    assert_eq!(nested.fields(), ["nodes[0].data.ui[0]"]);
    let deep = (0..30).fold(json!(1), |value, _| json!({ "x": value }));
    let deep = save(|body| body["nodes"][0]["ui"] = deep.clone()).await;
    assert_eq!(deep.refusal(), (400, "invalid_argument"));
    let large = save(|body| body["nodes"][0]["ui"] = json!(vec![1; 150_000])).await;
    assert_eq!(large.fields(), ["nodes"]);
}

#[tokio::test]
async fn limits_of_a_workflow_are_kept() {
    let cases: [(&str, Value); 6] = [
        ("name", json!("")),
        ("name", json!("x".repeat(201))),
        ("description", json!("x".repeat(2_001))),
        ("nodes", json!(vec![json!({}); 501])),
        ("edges", json!(vec![json!({}); 2_001])),
        ("triggers", json!(vec![json!({ "type": "manual" }); 51])),
    ];
    for (field, value) in cases {
        let answer = save(|body| body[field] = value.clone()).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{field}");
        assert_eq!(answer.fields(), [field]);
    }
}

#[tokio::test]
async fn trigger_declarations_are_checked() {
    let cron = json!({ "type": "schedule", "cron": "every day" });
    let answer = save(|body| body["triggers"] = json!([{ "type": "manual" }, cron.clone()])).await;
    assert_eq!(answer.fields(), ["triggers[1].cron"]);
}

#[tokio::test]
async fn replacing_resets_what_is_left_out_and_changing_keeps_it() {
    let app = app_with_workflow().await;
    let change = json!({ "description": "Sorts mail.", "active": true });
    let changed = app.patch("admin", "/workflows/w1", &change).await.body;
    assert_eq!(
        (&changed["name"], &changed["active"]),
        (&json!("Triage"), &json!(true))
    );
    let mut body = workflow_request();
    body.as_object_mut().unwrap().remove("active");
    let replaced = app.put("admin", "/workflows/w1", &body).await.body;
    assert_eq!(replaced["description"], "");
    assert_eq!(replaced["active"], false);
    assert_eq!(replaced["createdAt"], changed["createdAt"]);
    assert_eq!(
        (&replaced["id"], &replaced["orgId"]),
        (&json!("w1"), &json!("o1"))
    );
}

#[tokio::test]
async fn parallel_changes_of_a_workflow_are_all_kept() {
    let app = app_with_workflow().await;
    let changes = [
        json!({ "name": "Sorting" }),
        json!({ "description": "Sorts mail." }),
        json!({ "active": true }),
    ];
    let answers = changes
        .iter()
        .map(|change| app.patch("admin", "/workflows/w1", change));
    assert!(
        join_all(answers)
            .await
            .iter()
            .all(|answer| answer.status == 200)
    );
    let workflow = app.get("admin", "/workflows/w1").await.body;
    assert_eq!(
        (
            &workflow["name"],
            &workflow["description"],
            &workflow["active"]
        ),
        (&json!("Sorting"), &json!("Sorts mail."), &json!(true))
    );
}

#[tokio::test]
async fn a_graph_broken_past_the_api_can_be_renamed_but_not_activated() {
    let app = app_with_workflow().await;
    let (org_id, id) = (
        OrgId::parse("o1").unwrap(),
        WorkflowId::parse("w1").unwrap(),
    );
    let mut workflow = app
        .store
        .find_workflow(&org_id, &id)
        .await
        .unwrap()
        .unwrap();
    workflow.value.edges.clear();
    workflow.value.nodes.truncate(0);
    let write = workflows::replace(&workflow).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let renamed = app
        .patch("admin", "/workflows/w1", &json!({ "name": "Old" }))
        .await;
    assert_eq!(renamed.status, 200);
    let activated = app
        .patch("admin", "/workflows/w1", &json!({ "active": true }))
        .await;
    assert_eq!(activated.refusal(), (400, "invalid_argument"));
}

#[tokio::test]
async fn deletion_is_audited_in_the_same_commit() {
    let app = app_with_workflow().await;
    let before = app.db.commits().len();
    assert_eq!(app.delete("user", "/workflows/w1").await.status, 204);
    assert_eq!(app.db.commits().len(), before + 1);
    assert_eq!(app.audited(), ["DELETE_WORKFLOW"]);
    assert_eq!(
        app.delete("user", "/workflows/w1").await.refusal(),
        (404, "not_found")
    );
}

#[tokio::test]
async fn creation_and_change_are_recorded_with_the_fields_that_changed() {
    let app = TestApp::new().await;
    let created = app.post("admin", "/workflows", &workflow_request()).await;
    let path = format!("/workflows/{}", created.body["id"].as_str().unwrap());
    app.patch("user", &path, &json!({ "name": "Other" })).await;
    app.patch("user", &path, &json!({ "name": "Other" })).await;
    assert_eq!(app.audited(), ["WORKFLOW_CREATE", "WORKFLOW_UPDATE"]);
    let records = app.get("admin", "/audit?action=WORKFLOW_UPDATE").await;
    let metadata = &records.body["items"][0]["metadata"];
    assert_eq!(metadata["fields"], json!(["name"]));
}
