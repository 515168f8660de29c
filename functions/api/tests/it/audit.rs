use std::time::Duration;

use http::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use shared::{ids::OrgId, models::SystemPrincipal, testing::trail};

use crate::{
    app::{Answer, TestApp, agent_request, empty, request},
    seeds,
};

const MINUTE: Duration = Duration::from_secs(60);
const CALLER: SystemPrincipal = SystemPrincipal { function: "test" };

/// An application in which `admin` and `user` have done something.
async fn used_app() -> TestApp {
    let app = TestApp::new().await;
    app.store.commit(vec![seeds::workflow("w1")]).await.unwrap();
    app.post("admin", "/agents", &agent_request()).await;
    app.clock.advance(MINUTE);
    app.delete("user", "/workflows/w1").await;
    app.clock.advance(MINUTE);
    app
}

async fn actions(app: &TestApp, path: &str) -> Vec<String> {
    let answer = app.get("admin", path).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let records = answer.body["items"].as_array().unwrap();
    let action = |record: &Value| record["action"].as_str().unwrap().to_owned();
    records.iter().map(action).collect()
}

fn lines(answer: &Answer) -> Vec<Value> {
    let text = std::str::from_utf8(&answer.bytes).unwrap();
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn the_newest_record_comes_first_and_the_reading_is_one() {
    let app = used_app().await;
    let records = actions(&app, "/audit").await;
    assert_eq!(records, ["AUDIT_READ", "DELETE_WORKFLOW", "AGENT_CREATE"]);
    assert_eq!(app.audited().len(), 3);
}

#[tokio::test]
async fn records_tell_who_did_what_and_their_place_in_the_chain() {
    let app = used_app().await;
    let answer = app.get("admin", "/audit?action=DELETE_WORKFLOW").await;
    let record = &answer.body["items"][0];
    assert_eq!(record["actorId"], "user");
    assert_eq!(record["metadata"], json!({ "workflowId": "w1" }));
    assert_eq!(
        (&record["seq"], &record["orgId"]),
        (&json!(2), &json!("o1"))
    );
    assert_eq!(record["mac"].as_str().map(str::len), Some(64));
    assert!(record.get("actorPseudonym").is_none());
}

#[tokio::test]
async fn records_are_filtered_by_actor_action_and_time() {
    let app = used_app().await;
    let table: [(&str, &[&str]); 6] = [
        ("/audit?actorId=user", &["DELETE_WORKFLOW"]),
        ("/audit?action=AGENT_CREATE", &["AGENT_CREATE"]),
        ("/audit?actorId=user&action=AGENT_CREATE", &[]),
        ("/audit?to=2026-11-23T12:00:00Z", &["AGENT_CREATE"]),
        (
            "/audit?from=2026-11-23T12:00:01Z&to=2026-11-23T12:01:00Z",
            &["DELETE_WORKFLOW"],
        ),
        ("/audit?from=2027-01-01T00:00:00Z", &[]),
    ];
    for (path, expected) in table {
        assert_eq!(actions(&app, path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn pages_of_the_trail_follow_each_other() {
    let app = used_app().await;
    let first = app.get("admin", "/audit?limit=2").await.body;
    let token = first["nextPageToken"].as_str().unwrap();
    let path = format!("/audit?limit=2&to=2026-11-23T12:02:00Z&pageToken={token}");
    assert_eq!(actions(&app, &path).await, ["AGENT_CREATE"]);
}

#[tokio::test]
async fn wrong_filters_are_refused_by_name_and_not_recorded() {
    let app = used_app().await;
    let before = app.audited().len();
    for (path, parameter) in [
        ("/audit?action=LOOK", "action"),
        ("/audit?from=yesterday", "from"),
        (&format!("/audit?actorId={}", "x".repeat(1_500)), "actorId"),
        ("/audit?limit=101", "limit"),
        ("/audit?orgId=o2", "orgId"),
        ("/audit?pageToken=x", "pageToken"),
        ("/audit/export?limit=1", "limit"),
    ] {
        let answer = app.get("admin", path).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{path}");
        assert_eq!(answer.fields(), [parameter], "{path}");
    }
    assert_eq!(app.audited().len(), before);
}

#[tokio::test]
async fn an_export_has_every_record_and_an_end() {
    let app = TestApp::new().await;
    for _ in 0..310 {
        app.get("admin", "/audit?limit=1").await;
    }
    let answer = app.get("admin", "/audit/export").await;
    assert_eq!(answer.headers[CONTENT_TYPE], "application/x-ndjson");
    let lines = lines(&answer);
    assert_eq!(lines.len(), 312);
    assert_eq!(lines[0]["action"], "AUDIT_EXPORT");
    assert_eq!(lines[311], json!({ "end": { "lines": 311 } }));
    let filtered = app.get("admin", "/audit/export?action=AUDIT_EXPORT").await;
    assert_eq!(
        filtered.bytes.iter().filter(|byte| **byte == b'\n').count(),
        3
    );
}

#[tokio::test]
async fn an_organization_exports_its_own_trail_only() {
    let app = used_app().await;
    let answer = app.get("stranger", "/audit/export").await;
    let lines = lines(&answer);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["orgId"], "o2");
}

#[tokio::test]
async fn what_is_read_without_a_record_is_not_answered() {
    let app = used_app().await;
    app.db.fail_next_commits(1, false);
    let request = empty(request(Method::GET, "/audit", "admin"));
    assert_eq!(app.send(request).await.refusal(), (503, "unavailable"));
}

#[tokio::test]
async fn the_chain_is_whole_after_all_kinds_of_requests() {
    let app = used_app().await;
    app.get("admin", "/audit").await;
    app.get("admin", "/audit/export").await;
    app.get("viewer", "/me/export").await;
    let org_id = OrgId::parse("o1").unwrap();
    let report = trail(&app.store)
        .verify(&CALLER, &org_id, &[], |_| ())
        .await;
    let report = report.unwrap();
    assert_eq!((report.records, report.problems), (5, Vec::new()));
}
