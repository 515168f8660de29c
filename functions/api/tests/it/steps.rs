use std::collections::BTreeSet;

use serde_json::Value;
use shared::{
    ids::ExecutionId,
    models::{Execution, ExecutionStatus, Step},
    store::executions,
};

use crate::{app::TestApp, seeds};

fn step(node_id: &str, iteration: usize) -> Step {
    Step {
        node_id: node_id.to_owned(),
        iteration: format!("0.{iteration}"),
        ..seeds::step()
    }
}

/// A run with 21 steps: ten in documents of their own, seven and three together, and the trigger's.
async fn app_with_steps() -> TestApp {
    let app = TestApp::new().await;
    let writes = seeds::execution("e1", ExecutionStatus::Running, 0);
    app.store.commit(writes).await.unwrap();
    let id = ExecutionId::parse("e1").unwrap();
    let single = (0..10).map(|item| executions::set_step(&id, &step("Single", item)).unwrap());
    let mut writes: Vec<_> = single.collect();
    let execution: Execution = seeds::execution_model("e1", ExecutionStatus::Running, 0);
    for (number, items) in [(1, 0..7), (2, 7..10)] {
        let page = items.map(|item| step("together", item)).collect();
        writes.push(executions::create_step_page(&execution, number, page).unwrap());
    }
    app.store.commit(writes).await.unwrap();
    app
}

fn name(step: &Value) -> String {
    let text = |field: &str| step[field].as_str().unwrap().to_owned();
    format!("{}#{}", text("nodeId"), text("iteration"))
}

/// One part of the journal and where the next begins.
async fn part(app: &TestApp, limit: usize, token: Option<&str>) -> (Vec<String>, Option<String>) {
    let token = token.map(|token| format!("&pageToken={token}"));
    let path = format!(
        "/executions/e1/steps?limit={limit}{}",
        token.unwrap_or_default()
    );
    let page = app.get("viewer", &path).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let names: Vec<String> = page.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(name)
        .collect();
    assert!(names.len() <= limit);
    (
        names,
        page.body["nextPageToken"].as_str().map(str::to_owned),
    )
}

#[tokio::test]
async fn parts_show_every_step_once_however_many_a_document_holds() {
    let app = app_with_steps().await;
    for limit in [1, 2, 3, 7, 8, 20, 21, 100] {
        let (mut names, mut next) = part(&app, limit, None).await;
        while let Some(token) = next {
            assert_eq!(names.len() % limit, 0, "parts are full but for the last");
            let (more, after) = part(&app, limit, Some(&token)).await;
            assert!(!more.is_empty());
            names.extend(more);
            next = after;
        }
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!((names.len(), distinct.len()), (21, 21), "{limit}");
    }
}

#[tokio::test]
async fn a_journal_that_grows_between_two_parts_shows_no_step_twice() {
    let app = app_with_steps().await;
    let (first, token) = part(&app, 14, None).await;
    let id = ExecutionId::parse("e1").unwrap();
    let early = executions::set_step(&id, &step("A", 0)).unwrap();
    let late = executions::set_step(&id, &step("z", 0)).unwrap();
    app.store.commit(vec![early, late]).await.unwrap();
    let (second, _) = part(&app, 100, token.as_deref()).await;
    let all: BTreeSet<_> = first.iter().chain(&second).collect();
    assert_eq!(all.len(), first.len() + second.len());
    assert!(second.contains(&"z#0.0".to_owned()), "{second:?}");
}

#[tokio::test]
async fn a_token_of_no_journal_is_refused() {
    let app = app_with_steps().await;
    let listing = app.get("viewer", "/executions?limit=1").await;
    assert!(listing.body["nextPageToken"].is_null());
    // `steps/n1`, and `steps/1_a%2F..`.
    for token in ["x", "c3RlcHMvbjE", "c3RlcHMvMV9hLy4u"] {
        let path = format!("/executions/e1/steps?pageToken={token}");
        let answer = app.get("viewer", &path).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{token}");
        assert_eq!(answer.fields(), ["pageToken"]);
    }
}
