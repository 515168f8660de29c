use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use http::StatusCode;
use serde_json::{Value, json};
use shared::{
    models::{OutboxMessage, OutboxRow, OutboxState, ScheduleTick, Timestamp, Workflow},
    store::{
        DocumentPath, Error, Write, decode,
        document_db::{Document, DocumentDb, Operation, Precondition, Query},
        outbox, workflows,
    },
    testing::{MemoryDb, ScriptedLlm},
};

use crate::app::{App, NOW, edge, node, org_id};

/// A workflow with the schedule, and a clock at noon.
async fn app(declaration: Value) -> App {
    let app = App::new(Arc::new(ScriptedLlm::answering("x"))).await;
    add_schedule(&app, "w1", declaration).await;
    app
}

async fn add_schedule(app: &App, workflow_id: &str, declaration: Value) {
    let nodes = json!([
        node("start", "trigger", json!({})),
        node(
            "end",
            "output",
            json!({ "value": "${trigger.scheduledAt}" })
        ),
    ]);
    app.save_as(workflow_id, nodes, json!([edge("start", "end")]))
        .await;
    let id = workflow_id.parse().unwrap();
    let workflow = app.store.find_workflow(&org_id(), &id).await.unwrap();
    let mut workflow = workflow.unwrap();
    workflow.value.triggers = vec![declaration];
    let write = workflows::replace(&workflow).unwrap();
    app.store.commit(vec![write]).await.unwrap();
}

fn schedule(cron: &str, missed: &str) -> Value {
    json!({ "type": "schedule", "cron": cron, "missed": missed })
}

impl App {
    /// A tick of Cloud Scheduler for the time.
    async fn tick_at(&self, time: &str) {
        assert_eq!(self.answer_at(time).await, StatusCode::OK);
    }

    /// What a tick for the time is answered.
    async fn answer_at(&self, time: &str) -> StatusCode {
        let due_at = format!("2026-11-23T{time}Z");
        let headers = vec![("x-cloudscheduler-scheduletime", due_at.as_str())];
        self.post("/schedule", headers, Vec::new()).await
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

/// The minutes from the first to the last.
fn minutes(first: &str, last: &str) -> Vec<String> {
    let of_day = |text: &str| {
        let (hour, minute) = text.split_once(':').unwrap();
        hour.parse::<u32>().unwrap() * 60 + minute.parse::<u32>().unwrap()
    };
    let text = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
    (of_day(first)..=of_day(last)).map(text).collect()
}

#[tokio::test]
async fn after_a_long_outage_each_tick_makes_up_for_a_part() {
    let mut every_minute = schedule("* * * * *", "all");
    every_minute["maxCatchUpSecs"] = json!(86_400);
    let app = app(every_minute).await;
    add_schedule(&app, "w2", schedule("30 14 * * *", "once")).await;
    app.tick_at("12:00:00").await;
    app.advance(2 * 3600 + 1800);
    app.tick_at("14:30:00").await;
    let now = ["14:30", "14:30"].map(str::to_owned);
    assert_eq!(app.fired(), [&minutes("12:00", "13:00")[..], &now].concat());
    assert_eq!(app.last_tick(), "2026-11-23T13:00:00Z");
    app.tick_at("14:30:00").await;
    assert_eq!(app.last_tick(), "2026-11-23T14:00:00Z");
    app.advance(60);
    app.tick_at("14:31:00").await;
    let twice = vec!["14:30".to_owned()];
    let mut all = [minutes("12:00", "14:31"), twice].concat();
    all.sort();
    assert_eq!(app.fired(), all);
    assert_eq!(app.last_tick(), "2026-11-23T14:31:00Z");
}

#[tokio::test]
async fn many_schedules_of_one_minute_are_not_begun_again_for_ever() {
    let app = app(json!({})).await;
    let id = "w1".parse().unwrap();
    let workflow = app.store.find_workflow(&org_id(), &id).await.unwrap();
    let mut workflow = workflow.unwrap();
    // A cron that names the minutes in another order is another schedule.
    let crons = (2..60).flat_map(|n| [format!("1,{n} * * * *"), format!("{n},1 * * * *")]);
    workflow.value.triggers = crons.map(|cron| schedule(&cron, "all")).collect();
    let write = workflows::replace(&workflow).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    app.tick_at("12:00:00").await;
    app.advance(60 * 3);
    for _ in 0..3 {
        app.tick_at("12:03:00").await;
    }
    let of_first = app
        .fired()
        .iter()
        .filter(|minute| **minute == "12:01")
        .count();
    assert_eq!(of_first, 116);
    assert_eq!(app.last_tick(), "2026-11-23T12:03:00Z");
}

#[tokio::test]
async fn a_workflow_that_cannot_be_fired_for_stops_no_other() {
    let app = app(schedule("* * * * *", "all")).await;
    add_schedule(&app, "w2", schedule("* * * * *", "all")).await;
    app.tick_at("12:00:00").await;
    app.advance(60);
    app.db.fail_next_commits(1, false);
    let failed = app.answer_at("12:01:00").await;
    assert_eq!(failed, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(app.fired(), ["12:00", "12:00", "12:01"]);
    assert_eq!(app.last_tick(), "2026-11-23T12:00:00Z");
    app.advance(60);
    app.tick_at("12:02:00").await;
    let expected = ["12:00", "12:00", "12:01", "12:01", "12:02", "12:02"];
    assert_eq!(app.fired(), expected);
    assert_eq!(app.last_tick(), "2026-11-23T12:02:00Z");
}

#[tokio::test]
async fn messages_are_sent_although_schedules_cannot_be_read() {
    let app = app(schedule("* * * * *", "all")).await;
    let row = OutboxRow {
        id: "m1".parse().unwrap(),
        org_id: org_id(),
        message: OutboxMessage::WelcomeEmail {
            uid: "nobody".parse().unwrap(),
        },
        state: OutboxState::Pending,
        attempts: 0,
        due_at: NOW.parse::<jiff::Timestamp>().unwrap().into(),
        last_error: None,
        created_at: NOW.parse::<jiff::Timestamp>().unwrap().into(),
    };
    let unreadable = Write {
        path: DocumentPath::new("schedule_ticks", "last"),
        operation: Operation::Replace(Default::default()),
        precondition: Precondition::None,
    };
    let writes = vec![outbox::create(&row).unwrap(), unreadable];
    app.store.commit(writes).await.unwrap();
    let failed = app.answer_at("12:00:00").await;
    assert_eq!(failed, StatusCode::INTERNAL_SERVER_ERROR);
    let row: OutboxRow = decode(&app.db.documents("outbox/m1")[0]).unwrap();
    assert_ne!(row.state, OutboxState::Pending);
}

/// Counts the commits that are under way at the same time.
struct Counting {
    inner: Arc<MemoryDb>,
    now: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl DocumentDb for Counting {
    async fn get(&self, path: &DocumentPath) -> Result<Option<Document>, Error> {
        self.inner.get(path).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Document>, Error> {
        self.inner.query(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Timestamp, Error> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let committed = self.inner.commit(writes).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        committed
    }
}

#[tokio::test]
async fn workflows_are_fired_for_side_by_side_but_not_all_at_once() {
    let db = Arc::new(MemoryDb::new());
    let counting = Arc::new(Counting {
        inner: db.clone(),
        now: AtomicUsize::default(),
        most: AtomicUsize::default(),
    });
    let provider = Arc::new(ScriptedLlm::answering("x"));
    let app = App::on(db, Some(counting.clone()), provider).await;
    for number in 0..40 {
        add_schedule(&app, &format!("w{number}"), schedule("* * * * *", "skip")).await;
    }
    app.tick_at("12:00:00").await;
    assert_eq!(app.fired().len(), 40);
    assert_eq!(counting.most.load(Ordering::SeqCst), 16);
}
