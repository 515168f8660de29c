use std::{sync::Arc, time::Duration};

use http::StatusCode;
use serde_json::{Value, json};
use shared::{
    models::{ScheduleTick, Workflow},
    store::{decode, workflows},
    testing::ScriptedLlm,
};

use crate::app::{App, edge, node, org_id};

/// A workflow with the schedule, and a clock at noon.
async fn app(declaration: Value) -> App {
    let app = App::new(Arc::new(ScriptedLlm::answering("x"))).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node(
            "end",
            "output",
            json!({ "value": "${trigger.scheduledAt}" })
        ),
    ]);
    app.save(nodes, json!([edge("start", "end")])).await;
    let id = "w1".parse().unwrap();
    let workflow = app.store.find_workflow(&org_id(), &id).await.unwrap();
    let mut workflow = workflow.unwrap();
    workflow.value.triggers = vec![declaration];
    let write = workflows::replace(&workflow).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    app
}

fn schedule(cron: &str, missed: &str) -> Value {
    json!({ "type": "schedule", "cron": cron, "missed": missed })
}

impl App {
    /// A tick of Cloud Scheduler for the time.
    async fn tick_at(&self, time: &str) {
        let due_at = format!("2026-11-23T{time}Z");
        let headers = vec![("x-cloudscheduler-scheduletime", due_at.as_str())];
        let status = self.post("/schedule", headers, Vec::new()).await;
        assert_eq!(status, StatusCode::OK);
    }

    /// The minutes that were fired for.
    fn fired(&self) -> Vec<String> {
        let triggers = self.db.documents("triggers/");
        let minute = |document| -> String {
            let trigger: Value = decode(document).unwrap();
            let payload: Value =
                serde_json::from_str(trigger["payload"].as_str().unwrap()).unwrap();
            payload["scheduledAt"].as_str().unwrap()[11..16].to_owned()
        };
        let mut minutes: Vec<String> = triggers.iter().map(minute).collect();
        minutes.sort();
        minutes
    }

    fn last_tick(&self) -> String {
        let tick: ScheduleTick = decode(&self.db.documents("schedule_ticks/")[0]).unwrap();
        tick.minute.to_string()
    }
}

#[tokio::test]
async fn a_minute_fires_once_however_often_its_tick_comes() {
    let app = app(schedule("* * * * *", "all")).await;
    for time in ["12:00:00", "12:00:00", "12:00:59"] {
        app.tick_at(time).await;
    }
    assert_eq!(app.fired(), ["12:00"]);
}

#[tokio::test]
async fn the_first_tick_ever_makes_up_for_nothing() {
    let app = app(schedule("* * * * *", "all")).await;
    app.tick_at("12:00:00").await;
    assert_eq!(app.fired(), ["12:00"]);
    assert_eq!(app.last_tick(), "2026-11-23T12:00:00Z");
}

#[tokio::test]
async fn minutes_without_a_tick_are_made_up_for_as_told() {
    for (missed, expected) in [
        ("skip", vec!["12:00", "12:04"]),
        ("once", vec!["12:00", "12:04"]),
        ("all", vec!["12:00", "12:01", "12:02", "12:03", "12:04"]),
    ] {
        let app = app(schedule("* * * * *", missed)).await;
        app.tick_at("12:00:00").await;
        app.advance(240);
        app.tick_at("12:04:00").await;
        assert_eq!(app.fired(), expected, "{missed}");
    }
}

#[tokio::test]
async fn a_daily_schedule_that_was_missed_fires_late() {
    for (missed, expected) in [
        ("skip", vec![]),
        ("once", vec!["12:02"]),
        ("all", vec!["12:02"]),
    ] {
        let app = app(schedule("2 12 * * *", missed)).await;
        app.tick_at("12:00:00").await;
        app.advance(240);
        for time in ["12:04:00", "12:05:00"] {
            app.tick_at(time).await;
        }
        assert_eq!(app.fired(), expected, "{missed}");
    }
}

#[tokio::test]
async fn ticks_out_of_order_fire_their_own_minutes() {
    let app = app(schedule("* * * * *", "skip")).await;
    app.advance(120);
    for time in ["12:00:00", "12:02:00", "12:01:00"] {
        app.tick_at(time).await;
    }
    assert_eq!(app.fired(), ["12:00", "12:01", "12:02"]);
    assert_eq!(
        app.last_tick(),
        "2026-11-23T12:02:00Z",
        "and it is not moved back"
    );
}

#[tokio::test]
async fn a_tick_from_the_future_does_not_hide_the_minutes_until_then() {
    let app = app(schedule("1 12 * * *", "all")).await;
    app.tick_at("13:00:00").await;
    assert_eq!(app.last_tick(), "2026-11-23T12:00:00Z");
    app.advance(300);
    app.tick_at("12:05:00").await;
    assert_eq!(app.fired(), ["12:01"]);
}

#[tokio::test]
async fn a_tick_that_failed_is_made_up_for_by_the_next() {
    let app = app(schedule("0 12 * * *", "once")).await;
    app.tick_at("11:59:00").await;
    app.db.fail_all(true);
    let headers = vec![("x-cloudscheduler-scheduletime", "2026-11-23T12:00:00Z")];
    let status = app.post("/schedule", headers, Vec::new()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    app.db.fail_all(false);
    app.advance(60);
    app.tick_at("12:01:00").await;
    assert_eq!(app.fired(), ["12:00"]);
}

#[tokio::test]
async fn a_tick_that_failed_half_way_fires_nothing_twice() {
    let app = app(schedule("* * * * *", "all")).await;
    app.tick_at("12:00:00").await;
    app.advance(180);
    app.db.fail_commit_after(1, true);
    let headers = vec![("x-cloudscheduler-scheduletime", "2026-11-23T12:03:00Z")];
    let status = app.post("/schedule", headers, Vec::new()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    app.tick_at("12:03:00").await;
    assert_eq!(app.fired(), ["12:00", "12:01", "12:02", "12:03"]);
}

#[tokio::test]
async fn a_workflow_that_is_not_active_is_not_fired() {
    let app = app(schedule("* * * * *", "all")).await;
    let id = "w1".parse().unwrap();
    let workflow = app.store.find_workflow(&org_id(), &id).await.unwrap();
    let mut workflow = workflow.unwrap();
    workflow.value = Workflow {
        active: false,
        ..workflow.value
    };
    let write = workflows::replace(&workflow).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    app.tick_at("12:00:00").await;
    assert_eq!(app.fired(), [""; 0]);
}

#[tokio::test]
async fn parallel_ticks_fire_each_minute_once() {
    let app = app(schedule("* * * * *", "all")).await;
    app.tick_at("12:00:00").await;
    app.clock.advance(Duration::from_secs(120));
    let ticks = ["12:01:00", "12:02:00", "12:02:00"].map(|time| app.tick_at(time));
    futures::future::join_all(ticks).await;
    assert_eq!(app.fired(), ["12:00", "12:01", "12:02"]);
    assert_eq!(app.last_tick(), "2026-11-23T12:02:00Z");
}
