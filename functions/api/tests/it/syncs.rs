//! How far syncs have come, having one begin, and sharing what it brings.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures::StreamExt;
use http::Method;
use serde_json::{Value, json};
use shared::{
    ids::{IntegrationId, OrgId},
    models::{
        AuditAction, Integration, KnowledgeKind, Role, SubscriptionTier, SyncCounts, SyncState,
        Timestamp,
    },
    store::{Versioned, document_db::Precondition, integrations, organizations},
    topic::Message,
};
use tokio::time::Instant;

use crate::{
    app::{Answer, TestApp, empty, request},
    seeds,
};

const SYNC: &str = "/integrations/g1/sync";
const STREAM: &str = "/integrations/g1/sync/stream";

fn org_id() -> OrgId {
    OrgId::parse("o1").unwrap()
}

fn id() -> IntegrationId {
    IntegrationId::parse("g1").unwrap()
}

fn at(seconds: i64) -> Timestamp {
    seeds::now().plus_seconds(seconds)
}

/// The application with a Google account `g1` of `user`, in an organization that may sync.
async fn app() -> TestApp {
    let app = TestApp::new().await;
    set_tier(&app, SubscriptionTier::Pro).await;
    let writes = seeds::google_integration("g1", "user");
    app.store.commit(writes).await.unwrap();
    app
}

async fn set_tier(app: &TestApp, tier: SubscriptionTier) {
    let found = app.store.find_organization(&org_id()).await.unwrap();
    let mut organization = found.unwrap();
    organization.value.subscription_tier = tier;
    let write = organizations::replace(&organization).unwrap();
    app.store.commit(vec![write]).await.unwrap();
}

async fn set_state(app: &TestApp, kind: KnowledgeKind, change: impl FnOnce(&mut SyncState)) {
    let mut state = SyncState::new(org_id());
    change(&mut state);
    let mut write = integrations::set_sync_state(&id(), kind, &state, None).unwrap();
    write.precondition = Precondition::None;
    app.store.commit(vec![write]).await.unwrap();
}

/// Mail was looked at just now, files a while ago.
async fn set_synced(app: &TestApp, mail_age: i64, files_age: i64) {
    let synced = |age: i64| move |state: &mut SyncState| state.synced_at = Some(at(-age));
    set_state(app, KnowledgeKind::Gmail, synced(mail_age)).await;
    set_state(app, KnowledgeKind::Drive, synced(files_age)).await;
}

async fn post(app: &TestApp, token: &str) -> Answer {
    app.send(empty(request(Method::POST, SYNC, token))).await
}

async fn share(app: &TestApp, token: &str, shares: bool) -> Answer {
    let body = json!({ "sharesKnowledge": shares });
    app.patch(token, "/integrations/g1", &body).await
}

async fn integration(app: &TestApp) -> Versioned<Integration> {
    let found = app.store.find_integration(&org_id(), &id()).await;
    found.unwrap().unwrap()
}

/// What the sync is told: `g1` of `o1` is due.
fn due() -> Message {
    Message {
        data: br#"{"integrationId":"g1","orgId":"o1"}"#.to_vec(),
        attributes: [("kind".to_owned(), "integration".to_owned())].into(),
    }
}

#[tokio::test]
async fn a_sync_that_never_began_is_told_as_such() {
    let app = app().await;
    let answer = app.get("viewer", SYNC).await;
    let new = json!({
        "state": "new",
        "counts": { "documents": 0, "written": 0, "removed": 0, "skipped": 0 },
        "pending": 0,
        "cursorAgeSeconds": null,
        "error": null,
        "nextTryAt": null,
    });
    let expected = json!({
        "integrationId": "g1",
        "status": "connected",
        "sharesKnowledge": false,
        "allowsTriggers": false,
        "gmail": new,
        "drive": new,
    });
    assert_eq!((answer.status.as_u16(), answer.body), (200, expected));
}

#[tokio::test]
async fn a_report_tells_counts_age_and_what_is_left_to_do() {
    let app = app().await;
    set_state(&app, KnowledgeKind::Gmail, |state| {
        state.lease.until = Some(at(30));
        state.counts = SyncCounts {
            documents: 1,
            written: 2,
            removed: 3,
            skipped: 4,
            pending: 5,
        };
    })
    .await;
    set_state(&app, KnowledgeKind::Drive, |state| {
        state.synced_at = Some(at(-90));
        state.retry_at = Some(at(60));
        state.error_cause = Some("rate_limited".to_owned());
    })
    .await;
    let body = app.get("user", SYNC).await.body;
    let gmail = &body["gmail"];
    assert_eq!(
        (&gmail["state"], &gmail["pending"]),
        (&json!("running"), &json!(5))
    );
    let counts = json!({ "documents": 1, "written": 2, "removed": 3, "skipped": 4 });
    assert_eq!(gmail["counts"], counts);
    let drive = &body["drive"];
    assert_eq!(drive["state"], "waiting");
    assert_eq!(drive["cursorAgeSeconds"], 90);
    assert_eq!(drive["nextTryAt"], json!(at(60)));
    assert_eq!(drive["error"]["code"], "rate_limited");
    let message = drive["error"]["message"].as_str().unwrap();
    assert!(message.ends_with('.'), "{message}");
}

#[tokio::test]
async fn what_is_over_is_idle() {
    let app = app().await;
    set_state(&app, KnowledgeKind::Gmail, |state| {
        state.lease.until = Some(at(0));
        state.retry_at = Some(at(0));
    })
    .await;
    let body = app.get("user", SYNC).await.body;
    assert_eq!(body["gmail"]["state"], "idle");
    assert_eq!(body["gmail"]["nextTryAt"], Value::Null);
}

#[tokio::test]
async fn a_sync_that_is_due_is_published() {
    let app = app().await;
    let answer = post(&app, "user").await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(answer.body["queued"], true);
    assert_eq!(answer.body["gmail"]["state"], "new");
    assert_eq!(app.topic.take(), [due()]);
    set_synced(&app, 10, 10).await;
    assert_eq!(post(&app, "user").await.body["queued"], true);
    assert_eq!(app.topic.take(), [due()]);
}

#[tokio::test]
async fn a_sync_under_way_or_waiting_or_done_just_now_is_not_published_again() {
    let app = app().await;
    set_synced(&app, 9, 9).await;
    let fresh = post(&app, "user").await;
    set_state(&app, KnowledgeKind::Gmail, |state| {
        state.lease.until = Some(at(1))
    })
    .await;
    set_state(&app, KnowledgeKind::Drive, |state| {
        state.retry_at = Some(at(1))
    })
    .await;
    let busy = post(&app, "user").await;
    for answer in [fresh, busy] {
        assert_eq!(answer.status, 202, "{}", answer.body);
        assert_eq!(answer.body["queued"], false);
    }
    assert_eq!(app.topic.take(), []);
}

#[tokio::test]
async fn one_leg_that_is_due_is_enough() {
    let app = app().await;
    set_synced(&app, 0, 60).await;
    assert_eq!(post(&app, "user").await.body["queued"], true);
    assert_eq!(app.topic.take(), [due()]);
}

#[tokio::test]
async fn what_cannot_be_synced_is_refused() {
    let app = app().await;
    let mut broken = integration(&app).await;
    broken.value.status = shared::models::IntegrationStatus::Error;
    let writes = integrations::replace(&broken).unwrap();
    app.store.commit(writes.into()).await.unwrap();
    assert_eq!(
        post(&app, "user").await.refusal(),
        (400, "failed_precondition")
    );
    let app = self::app().await;
    set_tier(&app, SubscriptionTier::Free).await;
    assert_eq!(
        post(&app, "user").await.refusal(),
        (400, "failed_precondition")
    );
    assert_eq!(app.topic.take(), []);
}

#[tokio::test]
async fn a_topic_that_takes_nothing_is_told() {
    let app = app().await;
    app.topic.fail_next(1);
    assert_eq!(post(&app, "user").await.refusal(), (503, "unavailable"));
}

#[tokio::test]
async fn sharing_is_kept_recorded_and_synced_at_once() {
    let app = app().await;
    let answer = share(&app, "user", true).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body["sharesKnowledge"], true);
    assert!(integration(&app).await.value.shares_knowledge);
    let listed = app.get("viewer", "/integrations").await.body;
    assert_eq!(listed["items"][0]["sharesKnowledge"], true);
    let records = app.records(&org_id());
    let last = records.last().unwrap();
    assert_eq!(last.action, AuditAction::IntegrationShare);
    assert_eq!(last.metadata.0["sharesKnowledge"], true);
    assert_eq!(app.topic.take(), [due()]);
}

#[tokio::test]
async fn sharing_what_is_shared_changes_nothing() {
    let app = app().await;
    share(&app, "user", true).await;
    assert_eq!(app.topic.take(), [due()]);
    let (records, version) = (
        app.records(&org_id()).len(),
        integration(&app).await.version,
    );
    assert_eq!(share(&app, "user", true).await.status, 200);
    assert_eq!(app.records(&org_id()).len(), records);
    assert_eq!(integration(&app).await.version, version);
    assert_eq!(app.topic.take(), []);
}

#[tokio::test]
async fn only_who_has_connected_the_account_and_admins_may_share_it() {
    let app = app().await;
    app.add_user("colleague", "o1", Role::User).await;
    let refused = share(&app, "colleague", true).await;
    assert_eq!(refused.refusal(), (403, "permission_denied"));
    assert!(!integration(&app).await.value.shares_knowledge);
    assert_eq!(share(&app, "admin", true).await.status, 200);
}

#[tokio::test]
async fn only_who_has_connected_the_account_may_let_its_mail_start_workflows() {
    let app = app().await;
    let allow = async |token: &str, allows: bool| {
        let body = json!({ "allowsTriggers": allows });
        app.patch(token, "/integrations/g1", &body).await
    };
    let refused = allow("admin", true).await;
    assert_eq!(refused.refusal(), (403, "permission_denied"));
    assert!(!integration(&app).await.value.allows_triggers);
    assert_eq!(allow("user", true).await.body["allowsTriggers"], true);
    assert!(integration(&app).await.value.allows_triggers);
    let last = app.records(&org_id()).pop().unwrap();
    assert_eq!(last.metadata.0["allowsTriggers"], true);
    assert_eq!(allow("admin", true).await.status, 200, "it is so already");
    assert_eq!(allow("admin", false).await.status, 200);
    let value = integration(&app).await.value;
    assert!(!value.allows_triggers && !value.shares_knowledge);
}

#[tokio::test]
async fn what_is_not_told_stays_as_it_is() {
    let app = app().await;
    let changes = [
        (json!({ "sharesKnowledge": true }), (true, false)),
        (json!({ "allowsTriggers": true }), (true, true)),
        (json!({ "sharesKnowledge": false }), (false, true)),
        (json!({}), (false, true)),
        (json!({ "allowsTriggers": false }), (false, false)),
    ];
    for (body, expected) in changes {
        let answer = app.patch("user", "/integrations/g1", &body).await;
        assert_eq!(answer.status, 200, "{body}");
        let value = integration(&app).await.value;
        let found = (value.shares_knowledge, value.allows_triggers);
        assert_eq!(found, expected, "{body}");
    }
}

#[tokio::test]
async fn sharing_does_not_need_the_topic() {
    let app = app().await;
    app.topic.fail_next(1);
    assert_eq!(share(&app, "user", true).await.status, 200);
    assert!(integration(&app).await.value.shares_knowledge);
}

/// What a client receives of a stream, event by event.
struct Events {
    body: BodyDataStream,
    text: String,
}

impl Events {
    async fn open(app: &TestApp, seen: Option<&str>) -> Self {
        let request = request(Method::GET, STREAM, "viewer");
        let request = match seen {
            Some(seen) => request.header("Last-Event-ID", seen),
            None => request,
        };
        let response = app.open(empty(request)).await;
        assert_eq!(response.status(), 200);
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next event's id and data, comments left out; none at the end of the stream.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    let mut lines = event.lines();
                    lines.find_map(|line| Some(line.strip_prefix(name)?.to_owned()))
                };
                if let Some(data) = field("data: ") {
                    assert_eq!(field("event: ").unwrap(), "sync");
                    return Some((field("id: ").unwrap(), serde_json::from_str(&data).unwrap()));
                }
            }
            let chunk = self.body.next().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_tells_what_changes_and_nothing_else() {
    let app = app().await;
    let mut events = Events::open(&app, None).await;
    let (first, report) = events.next().await.unwrap();
    assert_eq!(report, app.get("viewer", SYNC).await.body);
    set_synced(&app, 5, 5).await;
    let (second, report) = events.next().await.unwrap();
    assert_eq!(report["gmail"]["cursorAgeSeconds"], 5);
    assert_ne!(first, second);
    // The age alone is no news.
    set_synced(&app, 6, 6).await;
    let silence = tokio::time::timeout(Duration::from_secs(5), events.next()).await;
    assert!(silence.is_err());
}

#[tokio::test(start_paused = true)]
async fn who_comes_again_sees_only_what_is_new() {
    let app = app().await;
    let (seen, _) = Events::open(&app, None).await.next().await.unwrap();
    let mut events = Events::open(&app, Some(&seen)).await;
    let silence = tokio::time::timeout(Duration::from_secs(5), events.next()).await;
    assert!(silence.is_err());
    set_synced(&app, 5, 5).await;
    assert!(events.next().await.is_some());
    let mut events = Events::open(&app, Some(&seen)).await;
    assert!(events.next().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_cut_off_after_a_while_with_signs_of_life() {
    let app = app().await;
    let started = Instant::now();
    let answer = app.get("viewer", STREAM).await;
    let text = String::from_utf8(answer.bytes.to_vec()).unwrap();
    let lasted = started.elapsed().as_secs();
    assert!((50..60).contains(&lasted), "{lasted}");
    assert_eq!(
        text.lines().filter(|line| *line == ":").count(),
        3,
        "{text}"
    );
    assert!(text.contains("retry: 1000\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn who_may_not_watch_any_more_and_what_is_gone_end_a_stream() {
    let app = app().await;
    let mut events = Events::open(&app, None).await;
    events.next().await.unwrap();
    let mut viewer = seeds::user("viewer", "o2", Role::Viewer);
    viewer.precondition = Precondition::None;
    app.store.commit(vec![viewer]).await.unwrap();
    let since = Instant::now();
    assert!(events.next().await.is_none());
    assert!(since.elapsed() < Duration::from_secs(30));

    let app = self::app().await;
    let mut events = Events::open(&app, None).await;
    events.next().await.unwrap();
    let writes = integrations::delete_unchanged(&integration(&app).await);
    app.store.commit(writes.into()).await.unwrap();
    let since = Instant::now();
    assert!(events.next().await.is_none());
    assert!(since.elapsed() < Duration::from_secs(30));
}
