//! What agents remember, for the people whose organization they serve.

use serde_json::{Value, json};
use shared::{
    models::AuditAction,
    store::document_db::{DocumentPath, Operation, Precondition, ValueType, value},
};

use crate::{app::TestApp, seeds};

const MEMORIES: &str = "/agents/a1/memories";

/// Agent `a1` with so many memories, each a second younger than the one before.
async fn app_with(count: i64) -> TestApp {
    let app = TestApp::new().await;
    let mut writes = vec![seeds::agent("a1"), seeds::agent("a2")];
    writes.push(seeds::memory("a2", "other"));
    writes.extend((0..count).map(|n| seeds::memory_of_age("a1", &format!("r{n}"), count - n)));
    app.store.commit(writes).await.unwrap();
    app
}

fn texts(body: &Value) -> Vec<String> {
    let items = body["items"].as_array().unwrap().iter();
    items
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn memories_are_listed_oldest_first_without_their_vectors() {
    let app = app_with(3).await;
    let first = app.get("user", &format!("{MEMORIES}?limit=2")).await;
    assert_eq!(texts(&first.body), ["r0", "r1"]);
    let expected = json!({
        "id": "r0",
        "agentId": "a1",
        "text": "Remembers r0.",
        "subjectUid": "u1",
        "createdAt": first.body["items"][0]["createdAt"],
    });
    assert_eq!(first.body["items"][0], expected);
    let token = first.body["nextPageToken"].as_str().unwrap();
    let rest = app
        .get("user", &format!("{MEMORIES}?pageToken={token}"))
        .await;
    assert_eq!(texts(&rest.body), ["r2"]);
    assert_eq!(rest.body.get("nextPageToken"), None);
}

#[tokio::test]
async fn an_export_has_all_and_its_end() {
    let app = app_with(250).await;
    let answer = app.get("user", &format!("{MEMORIES}/export")).await;
    let lines = String::from_utf8(answer.bytes.to_vec()).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 251);
    assert_eq!(lines[249]["id"], "r249");
    assert_eq!(lines[250], json!({ "end": { "lines": 250 } }));
    assert_eq!(app.audited(), ["MEMORY_EXPORT"]);
}

#[tokio::test]
async fn a_deleted_memory_is_gone_with_its_vector() {
    let app = app_with(2).await;
    let path = format!("{MEMORIES}/r0");
    assert_eq!(app.delete("user", &path).await.status, 204);
    assert_eq!(
        app.delete("user", &path).await.refusal(),
        (404, "not_found")
    );
    assert_eq!(app.db.count("agents/a1/memories"), 1);
    let last = app.db.commits().pop().unwrap();
    let paths: Vec<_> = last.iter().map(|write| write.path.as_str()).collect();
    assert!(
        paths.iter().any(|path| path.starts_with("audit_logs/")),
        "{paths:?}"
    );
    assert!(paths.contains(&"agents/a1/memories/r0"), "{paths:?}");
}

#[tokio::test]
async fn all_memories_go_in_batches_that_are_recorded_each() {
    let app = app_with(900).await;
    app.db.fail_commit_after(1, false);
    assert_eq!(app.delete("user", MEMORIES).await.status, 503);
    assert_eq!(app.db.count("agents/a1/memories"), 500);
    assert_eq!(app.audited(), ["MEMORY_DELETE"]);
    let answer = app.delete("user", MEMORIES).await;
    assert_eq!(answer.body, json!({ "deleted": 500, "isComplete": true }));
    let answer = app.delete("user", MEMORIES).await;
    assert_eq!(answer.body, json!({ "deleted": 0, "isComplete": true }));
    assert_eq!(app.audited(), ["MEMORY_DELETE"; 3]);
    assert_eq!(app.db.count("agents/a2/memories"), 1);
    let records = app.records(&"o1".parse().unwrap());
    let counts = records.iter().map(|record| {
        assert_eq!(record.action, AuditAction::MemoryDelete);
        record.metadata.0["deleted"].as_i64().unwrap()
    });
    assert_eq!(counts.sum::<i64>(), 900);
}

#[tokio::test]
async fn a_deleted_agent_leaves_no_memory_and_no_conversation() {
    let app = app_with(150).await;
    let messages = (0..250).map(|seq| below("a1", &format!("sessions/user/messages/{seq:010}")));
    let mut writes: Vec<_> = messages.collect();
    writes.extend([seeds::session("a1", "user"), seeds::session("a1", "admin")]);
    writes.push(seeds::session("a2", "user"));
    app.store.commit(writes).await.unwrap();
    app.db.fail_commit_after(2, false);
    assert_eq!(app.delete("admin", "/agents/a1").await.status, 503);
    assert_eq!(app.get("admin", "/agents/a1").await.status, 200);
    assert_eq!(app.delete("admin", "/agents/a1").await.status, 204);
    assert_eq!(app.db.documents("agents/a1"), []);
    assert_eq!(app.db.documents("agents/a2").len(), 3);
    assert_eq!(app.audited(), ["AGENT_DELETE"]);
}

#[tokio::test]
async fn what_a_cut_off_deletion_has_left_goes_with_a_repeat() {
    let app = app_with(0).await;
    let left = seeds::memory("gone", "r1");
    let foreign = seeds::of_organization("o2", seeds::memory("gone", "r2"));
    app.store.commit(vec![left, foreign]).await.unwrap();
    assert_eq!(app.delete("admin", "/agents/gone").await.status, 404);
    let rest = app.db.documents("agents/gone");
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].path.id(), "r2");
}

fn below(agent_id: &str, path: &str) -> shared::store::Write {
    let organization = value(ValueType::StringValue("o1".to_owned()));
    let (collection, id) = path.rsplit_once('/').unwrap();
    shared::store::Write {
        path: DocumentPath::new(&format!("agents/{agent_id}/{collection}"), id),
        operation: Operation::Replace([("orgId".to_owned(), organization)].into()),
        precondition: Precondition::Absent,
    }
}
