use std::collections::BTreeSet;

use serde_json::Value;
use shared::models::{ExecutionStatus, TriggerType};

use crate::{app::TestApp, seeds};

/// Twenty-five agents, workflows and executions of `o1`. Some executions began at once.
async fn app_with_many() -> TestApp {
    let app = TestApp::new().await;
    let mut writes = Vec::new();
    for number in 0..25 {
        writes.push(seeds::agent(&format!("a{number:02}")));
        writes.push(seeds::workflow(&format!("w{number:02}")));
    }
    app.store.commit(writes).await.unwrap();
    for number in 0..25 {
        let id = format!("e{number:02}");
        let writes = seeds::execution(&id, ExecutionStatus::Succeeded, number / 2);
        app.store.commit(writes).await.unwrap();
    }
    app
}

/// The ids of all pages in order.
async fn walk(app: &TestApp, path: &str, limit: usize) -> Vec<String> {
    let mut ids = Vec::new();
    let mut token = String::new();
    loop {
        let page = app
            .get("viewer", &format!("{path}limit={limit}{token}"))
            .await;
        assert_eq!(page.status, 200, "{}", page.body);
        let items = page.body["items"].as_array().unwrap();
        assert!(items.len() <= limit && !items.is_empty());
        ids.extend(
            items
                .iter()
                .map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        match &page.body["nextPageToken"] {
            Value::String(next) => token = format!("&pageToken={next}"),
            _ => return ids,
        }
    }
}

#[tokio::test]
async fn pages_show_everything_once() {
    let app = app_with_many().await;
    for path in [
        "/agents?",
        "/workflows?",
        "/executions?",
        "/executions?workflowId=w1&",
    ] {
        for limit in [1, 7, 24, 25, 100] {
            let ids = walk(&app, path, limit).await;
            let distinct: BTreeSet<_> = ids.iter().collect();
            assert_eq!((ids.len(), distinct.len()), (25, 25), "{path} {limit}");
        }
    }
}

#[tokio::test]
async fn executions_are_listed_from_the_newest() {
    let app = app_with_many().await;
    let ids = walk(&app, "/executions?", 4).await;
    assert_eq!((ids[0].as_str(), ids[24].as_str()), ("e01", "e24"));
}

/// Twelve executions of `o1` that differ in workflow, status and age, and one by a schedule.
async fn app_with_differences() -> TestApp {
    let app = TestApp::new().await;
    let statuses = [
        ExecutionStatus::Succeeded,
        ExecutionStatus::Failed,
        ExecutionStatus::Running,
    ];
    for number in 0..12_i64 {
        let place = usize::try_from(number).unwrap();
        let workflow = ["w1", "w2"][place % 2];
        let (id, status) = (format!("e{number:02}"), statuses[place % 3]);
        let writes = seeds::execution_of(workflow, &id, status, number * 60);
        app.store.commit(writes).await.unwrap();
    }
    let mut execution = seeds::execution_model("timed", ExecutionStatus::Failed, 3_600);
    execution.trigger.kind = TriggerType::Schedule;
    let document = seeds::with_version(&execution, &seeds::version(&execution));
    app.store.commit(document).await.unwrap();
    app
}

#[tokio::test]
async fn executions_are_filtered_by_workflow_state_trigger_and_time() {
    let app = app_with_differences().await;
    let table = [
        ("", 13),
        ("workflowId=w2&", 6),
        ("status=failed&", 5),
        ("status=failed,running&", 9),
        ("status=failed,failed&", 5),
        (
            "status=queued,running,waiting,succeeded,failed,cancelled&",
            13,
        ),
        ("workflowId=w2&status=failed&", 2),
        ("triggerType=schedule&", 1),
        ("triggerType=manual&", 12),
        ("triggerType=webhook&", 0),
        ("startedAfter=2026-11-23T11:58:00Z&", 3),
        ("startedBefore=2026-11-23T11:58:00Z&", 11),
        (
            "startedAfter=2026-11-23T11:58:00Z&startedBefore=2026-11-23T13:58:00%2B02:00&",
            1,
        ),
        ("status=failed&startedBefore=2026-11-23T11:50:00Z&", 2),
        ("triggerType=manual&startedBefore=2026-11-23T11:50:00Z&", 2),
    ];
    for (filter, count) in table {
        for limit in [1, 4, 100] {
            let ids = match count {
                0 => Vec::new(),
                _ => walk(&app, &format!("/executions?{filter}"), limit).await,
            };
            let distinct: BTreeSet<_> = ids.iter().collect();
            assert_eq!((ids.len(), distinct.len()), (count, count), "{filter}");
            assert!(ids.is_sorted(), "the newest first: {ids:?}");
        }
    }
    let none = app.get("viewer", "/executions?triggerType=webhook").await;
    assert_eq!(none.body, serde_json::json!({ "items": [] }));
}

#[tokio::test]
async fn a_page_has_twenty_items_unless_told() {
    let app = app_with_many().await;
    for path in ["/agents", "/workflows", "/executions"] {
        let page = app.get("admin", path).await.body;
        assert_eq!(page["items"].as_array().unwrap().len(), 20, "{path}");
    }
}

#[tokio::test]
async fn the_last_page_has_no_token() {
    let app = TestApp::new().await;
    for path in ["/agents", "/workflows", "/executions"] {
        let page = app.get("admin", path).await.body;
        assert_eq!(page, serde_json::json!({ "items": [] }));
    }
}

#[tokio::test]
async fn another_organization_sees_none_of_it() {
    let app = app_with_many().await;
    for path in [
        "/agents",
        "/workflows",
        "/executions",
        "/executions?workflowId=w1",
    ] {
        let page = app.get("stranger", path).await.body;
        assert_eq!(page["items"], serde_json::json!([]), "{path}");
    }
}

/// Names of the fields that a thing has by its id but not in a list.
async fn left_out(app: &TestApp, path: &str, id: &str) -> Vec<String> {
    let page = app.get("viewer", path).await.body;
    let items = page["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["id"] == id).unwrap();
    let thing = app.get("viewer", &format!("{path}/{id}")).await.body;
    let fields = thing.as_object().unwrap();
    let (shown, left): (Vec<_>, Vec<_>) = fields
        .iter()
        .partition(|(name, _)| item.get(name.as_str()).is_some());
    assert!(
        shown
            .iter()
            .all(|(name, value)| item[name.as_str()] == **value)
    );
    assert_eq!(item.as_object().unwrap().len(), shown.len());
    let mut names: Vec<String> = left.into_iter().map(|(name, _)| name.clone()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_can_be_large_is_left_out_of_lists() {
    let app = app_with_many().await;
    let executions = left_out(&app, "/executions", "e01").await;
    assert_eq!(executions, ["input", "output"]);
    let workflows = left_out(&app, "/workflows", "w01").await;
    assert_eq!(workflows, ["edges", "nodes"]);
}

#[tokio::test]
async fn limits_and_tokens_that_are_none_are_refused_by_name() {
    let app = app_with_many().await;
    let workflows = app.get("admin", "/workflows?limit=1").await.body;
    let foreign = workflows["nextPageToken"].as_str().unwrap();
    for path in ["/agents", "/executions"] {
        for limit in ["0", "101"] {
            let answer = app.get("admin", &format!("{path}?limit={limit}")).await;
            assert_eq!(answer.refusal(), (400, "invalid_argument"));
            assert_eq!(answer.fields(), ["limit"]);
        }
        for token in ["x", "", foreign] {
            let answer = app.get("admin", &format!("{path}?pageToken={token}")).await;
            assert_eq!(
                answer.refusal(),
                (400, "invalid_argument"),
                "{path} {token}"
            );
            assert_eq!(answer.fields(), ["pageToken"]);
        }
    }
}
