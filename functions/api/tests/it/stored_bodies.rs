//! Bodies in the bucket: shown to members, and deleted with their run.

use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use serde_json::{Value, json};
use shared::{
    ids::{ExecutionId, OrgId},
    models::{Execution, ExecutionStatus, Rerun, StartOptions, Step, StoredBody},
    store::executions,
};

use crate::{
    app::{Answer, TestApp},
    seeds,
    table::seeded_app,
};

const BODY: &str = "/executions/ended/steps/work/body";
const OBJECT: &str = "executions/o1/ended/work#0/body";

fn org_id() -> OrgId {
    OrgId::parse("o1").unwrap()
}

async fn set_step(app: &TestApp, execution_id: &str, step: &Step) {
    let id = ExecutionId::parse(execution_id).unwrap();
    let write = executions::set_step(&id, step).unwrap();
    app.store.commit(vec![write]).await.unwrap();
}

/// Has the step refer to a body.
async fn set_body(app: &TestApp, body: Value) {
    set_step(app, "ended", &seeds::http_step(org_id(), body)).await;
}

/// The answer for a body that was stored with this type.
async fn of_type(content_type: &str) -> Answer {
    let app = seeded_app().await;
    let (step, _) = seeds::stored_step("o1", "ended", content_type);
    app.store.commit(vec![step]).await.unwrap();
    app.get("viewer", BODY).await
}

#[tokio::test]
async fn a_stored_page_is_a_download_that_no_browser_runs() {
    let app = seeded_app().await;
    for query in ["", "?iteration=0"] {
        let answer = app.get("viewer", &format!("{BODY}{query}")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.bytes, seeds::PAGE);
        assert_eq!(answer.headers[CONTENT_TYPE], "application/octet-stream");
        assert_eq!(answer.headers[CONTENT_DISPOSITION], "attachment");
        assert_eq!(answer.headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}

#[tokio::test]
async fn safe_types_are_told_and_are_downloads_as_well() {
    for (stored, told) in [
        ("text/plain; charset=utf-8", "text/plain"),
        ("application/json", "application/json"),
        ("application/pdf", "application/pdf"),
        ("IMAGE/PNG", "image/png"),
        ("image/svg+xml", "application/octet-stream"),
        ("x\r\nset-cookie: a=b", "application/octet-stream"),
    ] {
        let answer = of_type(stored).await;
        assert_eq!(answer.headers[CONTENT_TYPE], told, "{stored}");
        assert_eq!(answer.headers[CONTENT_DISPOSITION], "attachment");
        assert_eq!(answer.headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}

#[tokio::test]
async fn each_item_of_a_loop_has_its_own() {
    let app = seeded_app().await;
    for item in ["0.0", "0.1"] {
        let id = ExecutionId::parse("ended").unwrap();
        let object = StoredBody::object_of(&org_id(), &id, "work", item);
        app.bucket.put(&object, item);
        let body = StoredBody::new(object, item.as_bytes(), "text/plain");
        let step = Step {
            iteration: item.to_owned(),
            ..seeds::http_step(org_id(), json!({ "stored": body }))
        };
        set_step(&app, "ended", &step).await;
    }
    for item in ["0.0", "0.1"] {
        let answer = app.get("viewer", &format!("{BODY}?iteration={item}")).await;
        assert_eq!(answer.bytes, item);
    }
    let none = app.get("viewer", &format!("{BODY}?iteration=0.2")).await;
    assert_eq!(none.refusal(), (404, "not_found"));
}

#[tokio::test]
async fn a_step_without_a_stored_body_has_none() {
    let app = seeded_app().await;
    for node_id in ["start", "nobody", "%2E%2E", "work%2F.."] {
        let path = format!("/executions/ended/steps/{node_id}/body");
        let answer = app.get("viewer", &path).await;
        assert_eq!(answer.refusal(), (404, "not_found"), "{node_id}");
    }
    let trigger = vec![seeds::trigger("queued")];
    app.store.commit(trigger).await.unwrap();
    let queued = app.get("viewer", "/executions/queued/steps/work/body");
    assert_eq!(queued.await.refusal(), (404, "not_found"));
    set_body(&app, json!("inline")).await;
    let inline = app.get("viewer", BODY).await;
    assert_eq!(inline.refusal(), (404, "not_found"));
}

#[tokio::test]
async fn an_answer_that_names_an_object_of_others_leads_nowhere() {
    let app = seeded_app().await;
    for object in [
        "executions/o2/foreign-ended/work#0/body",
        "executions/o1/running/work#0/body",
        "executions/o1/ended/work#0/../../../o2/foreign-ended/work#0/body",
    ] {
        app.bucket.put(object, seeds::PAGE);
        let body = StoredBody::new(object.to_owned(), seeds::PAGE.as_bytes(), "text/plain");
        set_body(&app, json!({ "stored": body })).await;
        let answer = app.get("viewer", BODY).await;
        assert_eq!(answer.refusal(), (404, "not_found"), "{object}");
    }
}

#[tokio::test]
async fn nothing_of_a_damaged_body_is_shown() {
    let app = seeded_app().await;
    let changed = seeds::PAGE.replace("alert", "a1ert");
    for damaged in [&changed, &seeds::PAGE[1..], ""] {
        app.bucket.put(OBJECT, damaged.to_owned());
        let answer = app.get("viewer", BODY).await;
        assert_eq!(answer.refusal(), (500, "internal"), "{damaged}");
    }
}

#[tokio::test]
async fn an_unavailable_bucket_is_told_and_can_be_retried() {
    let app = seeded_app().await;
    app.bucket.fail_all(true);
    let answer = app.get("viewer", BODY).await;
    assert_eq!(answer.refusal(), (503, "unavailable"));
    assert!(answer.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn bodies_go_with_their_run_and_no_other() {
    let app = seeded_app().await;
    // Workers have kept them and ended before they could tell.
    for kind in ["http", "google.gmail.search"] {
        app.bucket
            .put(&format!("executions/o1/ended/{kind}#0.3/body"), "x");
        let step = Step {
            node_id: kind.to_owned(),
            kind: kind.to_owned(),
            iteration: "0.3".to_owned(),
            result: None,
            ..seeds::http_step(org_id(), json!(null))
        };
        set_step(&app, "ended", &step).await;
    }
    assert_eq!(app.delete("admin", "/executions/ended").await.status, 204);
    assert_eq!(
        app.bucket.names(),
        [
            "executions/o1/running/work#0/body",
            "executions/o2/foreign-ended/work#0/body",
            "executions/o2/foreign-running/work#0/body",
        ]
    );
}

#[tokio::test]
async fn a_deletion_that_the_bucket_fails_is_repeated() {
    let app = seeded_app().await;
    app.bucket.fail_all(true);
    let failed = app.delete("admin", "/executions/ended").await;
    assert_eq!(failed.refusal(), (503, "unavailable"));
    let steps = app.db.documents("executions/ended/steps");
    assert_eq!(steps.len(), 2, "the journal names what is to go");
    app.bucket.fail_all(false);
    assert_eq!(app.delete("admin", "/executions/ended").await.status, 204);
    assert!(!app.bucket.names().contains(&OBJECT.to_owned()));
    assert!(app.db.documents("executions/ended").is_empty());
}

#[tokio::test]
async fn a_deletion_that_stops_anywhere_is_repeated() {
    // One commit each for log, journal and the execution.
    for spared in 0..3 {
        for applied in [false, true] {
            let app = seeded_app().await;
            app.db.fail_commit_after(spared, applied);
            let failed = app.delete("admin", "/executions/ended").await;
            assert_eq!(failed.refusal(), (503, "unavailable"), "{spared}");
            let repeat = app.delete("admin", "/executions/ended").await;
            let is_done = spared == 2 && applied;
            assert_eq!(repeat.status, if is_done { 404 } else { 204 }, "{spared}");
            assert!(!app.bucket.names().contains(&OBJECT.to_owned()));
            assert!(app.db.documents("executions/ended").is_empty());
        }
    }
}

#[tokio::test]
async fn what_a_rerun_has_copied_goes_though_its_journal_has_nothing_yet() {
    let app = seeded_app().await;
    let rerun = Execution {
        options: StartOptions {
            rerun: Some(Rerun {
                execution_id: "ended".parse().unwrap(),
                workflow_version: "v1".to_owned(),
                node_id: "end".to_owned(),
                iteration: None,
            }),
            ..StartOptions::default()
        },
        ..seeds::execution_model("again", ExecutionStatus::Cancelled, 0)
    };
    let write = executions::create(&rerun).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let copy = "executions/o1/again/work#0/body";
    app.bucket.put(copy, seeds::PAGE);
    assert_eq!(app.delete("admin", "/executions/again").await.status, 204);
    let names = app.bucket.names();
    assert!(!names.contains(&copy.to_owned()), "{names:?}");
    assert!(names.contains(&OBJECT.to_owned()), "{names:?}");
}
