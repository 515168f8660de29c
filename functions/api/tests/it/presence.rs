use std::time::Duration;

use futures::future::join_all;
use http::Method;
use serde_json::json;
use shared::store::document_db::{Operation, Precondition};

use crate::{
    app::{TestApp, empty, request},
    seeds,
};

async fn app_with_agent() -> TestApp {
    let app = TestApp::new().await;
    app.store.commit(vec![seeds::agent("a1")]).await.unwrap();
    app
}

async fn beat(app: &TestApp, token: &str) -> u16 {
    let request = request(Method::POST, "/agents/a1/heartbeat", token);
    app.send(empty(request)).await.status.as_u16()
}

#[tokio::test]
async fn a_beat_makes_the_agent_be_online() {
    let app = app_with_agent().await;
    assert_eq!(beat(&app, "user").await, 204);
    let status = app.get("viewer", "/agents/a1/status").await.body;
    let expected = json!({ "online": true, "lastSeenAt": "2026-11-23T12:00:00Z" });
    assert_eq!(status["presence"], expected);
}

#[tokio::test]
async fn a_beat_touches_nothing_else_and_is_not_recorded() {
    let app = app_with_agent().await;
    let before = app.get("admin", "/agents/a1").await.body;
    app.clock.advance(Duration::from_secs(60));
    let commits = app.db.commits().len();
    beat(&app, "admin").await;
    let commits = app.db.commits().split_off(commits);
    let [commit] = commits.as_slice() else {
        panic!("{} commits", commits.len());
    };
    let [write] = commit.as_slice() else {
        panic!("{commit:?}");
    };
    assert_eq!(write.precondition, Precondition::Exists);
    let Operation::Merge { fields, .. } = &write.operation else {
        panic!("{write:?}");
    };
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["presence"]);
    let mut after = app.get("admin", "/agents/a1").await.body;
    after["presence"] = before["presence"].clone();
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_beat_within_fifteen_seconds_of_another_is_not_written() {
    let app = app_with_agent().await;
    for (seconds, writes) in [(0, 1), (14, 0), (1, 1), (14, 0), (60, 1)] {
        app.clock.advance(Duration::from_secs(seconds));
        let before = app.db.commits().len();
        assert_eq!(beat(&app, "user").await, 204);
        assert_eq!(app.db.commits().len(), before + writes, "{seconds}");
    }
}

#[tokio::test]
async fn a_beat_never_undoes_a_change() {
    for _ in 0..20 {
        let app = app_with_agent().await;
        let name = json!({ "name": "Bob" });
        let beats = join_all((0..3).map(|_| beat(&app, "user")));
        let (changed, beats) = tokio::join!(app.patch("admin", "/agents/a1", &name), beats);
        assert_eq!(changed.status, 200);
        assert_eq!(beats, [204; 3]);
        let agent = app.get("admin", "/agents/a1").await.body;
        assert_eq!(agent["name"], "Bob");
        assert_eq!(agent["presence"]["lastSeenAt"], "2026-11-23T12:00:00Z");
    }
}

#[tokio::test]
async fn a_beat_of_a_deleted_agent_makes_no_new_one() {
    for _ in 0..20 {
        let app = app_with_agent().await;
        let (beaten, deleted) = tokio::join!(beat(&app, "user"), app.delete("admin", "/agents/a1"));
        assert!(matches!(beaten, 204 | 404), "{beaten}");
        assert_eq!(deleted.status, 204);
        assert_eq!(app.db.count("agents"), 0);
    }
}
