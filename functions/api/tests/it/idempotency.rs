use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;
use http::{Method, header::LOCATION};
use serde_json::{Value, json};
use shared::store::document_db::{Document, Operation, Precondition, Write};

use crate::{
    app::{TestApp, agent_request, json_body, request, workflow_request},
    table::seeded_app,
};

const REPLAYED: &str = "idempotency-replayed";

/// Requests that make something, and the collection that it appears in.
fn creations() -> [(&'static str, Value, &'static str); 5] {
    [
        ("/agents", agent_request(), "agents"),
        ("/workflows", workflow_request(), "workflows"),
        (
            "/workflows/trigger/w1",
            json!({ "payload": [1] }),
            "triggers",
        ),
        ("/executions", json!({ "workflowId": "w1" }), "triggers"),
        (
            "/integrations",
            json!({ "service": "stripe", "key": "sk_1" }),
            "integrations",
        ),
    ]
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_has_no_effect() {
    for (path, body, collection) in creations() {
        let app = seeded_app().await;
        let before = app.db.count(collection);
        let first = app.post_once("k1", path, &body).await;
        assert!(
            first.status.is_success() && !first.headers.contains_key(REPLAYED),
            "{path}"
        );
        app.clock.advance(Duration::from_secs(3_600));
        let repeat = app.post_once("k1", path, &body).await;
        assert_eq!((repeat.status, &repeat.body), (first.status, &first.body));
        assert_eq!(repeat.headers[LOCATION], first.headers[LOCATION]);
        assert_eq!(repeat.headers[REPLAYED], "true");
        assert_eq!(app.db.count(collection), before + 1, "{path}");
    }
}

#[tokio::test]
async fn parallel_repeats_have_one_effect() {
    for (path, body, collection) in creations() {
        let app = seeded_app().await;
        let before = app.db.count(collection);
        let answers = join_all((0..20).map(|_| app.post_once("k1", path, &body))).await;
        let fresh = answers
            .iter()
            .filter(|answer| !answer.headers.contains_key(REPLAYED));
        assert_eq!(fresh.count(), 1, "{path}");
        for answer in &answers {
            assert_eq!(
                (answer.status, &answer.body),
                (answers[0].status, &answers[0].body)
            );
        }
        assert_eq!(app.db.count(collection), before + 1, "{path}");
    }
}

#[tokio::test]
async fn a_key_used_for_another_body_is_refused() {
    for (path, body, collection) in creations() {
        let app = seeded_app().await;
        app.post_once("k1", path, &body).await;
        let before = app.db.count(collection);
        let mut other = body.clone();
        let mut fields = ["key", "name"].into_iter();
        let changed = fields.find(|field| body.get(field).is_some());
        let changed = changed.unwrap_or("payload");
        other[changed] = json!("other");
        let answer = app.post_once("k1", path, &other).await;
        assert_eq!(answer.refusal(), (409, "already_exists"), "{path}");
        assert_eq!(app.db.count(collection), before);
    }
}

#[tokio::test]
async fn the_answer_is_kept_in_the_commit_of_the_effect() {
    for (path, body, _) in creations() {
        let app = seeded_app().await;
        let before = app.db.commits().len();
        app.post_once("k1", path, &body).await;
        assert_eq!(app.db.commits().len(), before + 1, "{path}");
        let record = &app.db.documents("idempotency/")[0];
        let record: Value = shared::store::decode(record).unwrap();
        assert_eq!(record["orgId"], "o1");
        assert_eq!(record["expiresAt"], "2026-11-24T12:00:00Z");
    }
}

#[tokio::test]
async fn an_answer_lost_on_the_way_is_had_by_a_repeat() {
    for (path, body, collection) in creations() {
        let app = seeded_app().await;
        let before = app.db.count(collection);
        app.db.fail_next_commits(1, true);
        let lost = app.post_once("k1", path, &body).await;
        assert_eq!(lost.refusal(), (503, "unavailable"), "{path}");
        let repeat = app.post_once("k1", path, &body).await;
        assert!(repeat.status.is_success(), "{path}");
        assert_eq!(app.db.count(collection), before + 1, "{path}");
    }
}

#[tokio::test]
async fn the_repeat_of_the_last_agent_of_a_quota_is_no_second_one() {
    let app = TestApp::new().await;
    let first = app
        .post_once("k1", "/agents/create", &agent_request())
        .await;
    let alias = app.post_once("k1", "/agents", &agent_request()).await;
    assert_eq!((alias.status.as_u16(), &alias.body), (201, &first.body));
    let other = app.post_once("k2", "/agents", &agent_request()).await;
    assert_eq!(other.refusal(), (429, "resource_exhausted"));
}

#[tokio::test]
async fn a_refused_request_does_not_use_its_key_up() {
    let app = TestApp::new().await;
    let first = app.post("admin", "/agents", &agent_request()).await;
    let refused = app.post_once("k1", "/agents", &agent_request()).await;
    assert_eq!(refused.refusal(), (429, "resource_exhausted"));
    let id = first.body["id"].as_str().unwrap();
    app.delete("admin", &format!("/agents/{id}")).await;
    assert_eq!(
        app.post_once("k1", "/agents", &agent_request())
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn keys_of_two_callers_or_routes_do_not_meet() {
    let app = seeded_app().await;
    app.post_once("k1", "/workflows", &workflow_request()).await;
    let other_route = app
        .post_once("k1", "/executions", &json!({ "workflowId": "w1" }))
        .await;
    assert_eq!(other_route.status, 202);
    let other_caller = request(Method::POST, "/workflows", "user").header("Idempotency-Key", "k1");
    let mut body = workflow_request();
    body["name"] = json!("Other");
    let answer = app.send(json_body(other_caller, &body)).await;
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn both_ways_to_start_a_workflow_know_the_same_keys() {
    let app = seeded_app().await;
    let payload = json!({ "payload": 1 });
    let first = app.post_once("k1", "/workflows/trigger/w1", &payload).await;
    let body = json!({ "workflowId": "w1", "payload": 1 });
    assert_eq!(
        app.post_once("k1", "/executions", &body).await.body,
        first.body
    );
}

/// Takes the kept answers away, as Firestore does after their time.
pub(crate) async fn expire_answers(app: &TestApp) {
    let records = app.db.documents("idempotency/").into_iter();
    let delete = |record: Document| Write {
        path: record.path,
        operation: Operation::Delete,
        precondition: Precondition::None,
    };
    app.store
        .commit(records.map(delete).collect())
        .await
        .unwrap();
    assert_eq!(app.db.count("idempotency"), 0);
}

#[tokio::test]
async fn a_started_execution_answers_for_its_key_when_the_answer_is_gone() {
    let app = seeded_app().await;
    let path = "/workflows/trigger/w1";
    let payload = json!({ "payload": { "list": [1.5, null] } });
    let first = app.post_once("k1", path, &payload).await;
    let before = app.db.count("triggers");
    expire_answers(&app).await;
    app.delete("admin", "/workflows/w1").await;
    let repeat = app.post_once("k1", path, &payload).await;
    assert_eq!((repeat.status, &repeat.body), (first.status, &first.body));
    assert_eq!(repeat.headers[LOCATION], first.headers[LOCATION]);
    assert_eq!(repeat.headers[REPLAYED], "true");
    assert_eq!(app.db.count("triggers"), before);
}

#[tokio::test]
async fn a_key_of_a_started_execution_is_not_good_for_another() {
    let app = seeded_app().await;
    let start = json!({ "workflowId": "w1", "payload": 1 });
    app.post_once("k1", "/executions", &start).await;
    let before = app.db.count("triggers");
    expire_answers(&app).await;
    for other in [
        json!({ "workflowId": "w1", "payload": 2 }),
        json!({ "workflowId": "w2", "payload": 1 }),
    ] {
        let answer = app.post_once("k1", "/executions", &other).await;
        assert_eq!(answer.refusal(), (409, "already_exists"), "{other}");
    }
    assert_eq!(app.db.count("triggers"), before);
}

#[tokio::test]
async fn executions_of_two_callers_or_keys_are_two() {
    let app = seeded_app().await;
    let start = json!({ "workflowId": "w1" });
    let first = app.post_once("k1", "/executions", &start).await;
    let other_key = app.post_once("k2", "/executions", &start).await;
    let other_caller = request(Method::POST, "/executions", "user").header("Idempotency-Key", "k1");
    let other_caller = app.send(json_body(other_caller, &start)).await;
    let ids = [first, other_key, other_caller].map(|answer| answer.body["executionId"].to_string());
    assert_eq!(BTreeSet::from(ids).len(), 3);
}

#[tokio::test]
async fn without_a_key_each_request_is_a_new_one() {
    let app = seeded_app().await;
    let before = app.db.count("triggers");
    for _ in 0..2 {
        app.post("admin", "/workflows/trigger/w1", &json!({})).await;
    }
    assert_eq!(app.db.count("triggers"), before + 2);
    assert_eq!(app.db.count("idempotency"), 0);
}

#[tokio::test]
async fn keys_that_are_none_are_refused_by_name() {
    let app = seeded_app().await;
    for key in ["", "a b", "ä", &"x".repeat(256)] {
        for (path, body, _) in creations() {
            let answer = app.post_once(key, path, &body).await;
            assert_eq!(answer.refusal(), (400, "invalid_argument"), "{path} {key}");
            assert_eq!(answer.fields(), ["Idempotency-Key"]);
        }
    }
    let twice = request(Method::POST, "/workflows", "admin")
        .header("Idempotency-Key", "a")
        .header("Idempotency-Key", "b");
    let answer = app.send(json_body(twice, &workflow_request())).await;
    assert_eq!(answer.fields(), ["Idempotency-Key"]);
}
