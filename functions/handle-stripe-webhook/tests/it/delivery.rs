//! Events between Stripe, the database and the queue: what is down, what comes twice, what is lost.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;
use shared::{
    models::SubscriptionTier,
    queue::{StripeEventTask, Work},
    stripe::Error,
    testing::{TestServiceVerifier, killed_after},
};

use tokio::time::Instant;

use crate::app::{TestApp, called, checkout, event, subscription_event};

const UPDATED: &str = "customer.subscription.updated";
const MINUTE: u64 = 60;

/// Longer than anybody waits.
const A_DAY: Duration = Duration::from_hours(24);

async fn paying() -> TestApp {
    let app = TestApp::with_customer().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    app
}

#[tokio::test]
async fn an_event_is_kept_and_handed_in_before_it_is_acknowledged_and_acted_on_later() {
    let app = paying().await;
    assert_eq!(
        app.receipt(&subscription_event("evt_1", UPDATED)).await,
        "queued"
    );
    assert_eq!(
        (app.state("evt_1").await.as_str(), app.stripe.asked()),
        ("pending", 0)
    );
    let tasks = app.queue.tasks();
    let event_id = "evt_1".parse().unwrap();
    assert_eq!(
        tasks[0].work,
        Work::StripeEvent(StripeEventTask { event_id })
    );
    app.drain().await;
    assert_eq!(app.state("evt_1").await, "applied");
    assert_eq!(app.tier().await, SubscriptionTier::Pro);
}

/// An upgrade works within seconds because no step on its way has a time: neither the task nor what
/// it does waits, and the sweeper is not needed.
#[tokio::test(start_paused = true)]
async fn between_an_event_and_what_it_changes_nothing_waits() {
    let app = paying().await;
    let began = Instant::now();
    app.receipt(&subscription_event("evt_1", UPDATED)).await;
    assert_eq!(app.queue.tasks()[0].due_at, None);
    app.drain().await;
    assert_eq!(app.tier().await, SubscriptionTier::Pro);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn what_is_kept_of_an_event_is_no_more_than_it_takes() {
    let app = TestApp::new().await;
    app.receipt(&checkout("evt_1", "cus_1", "o1")).await;
    let document = &app.db.documents("stripe_events/")[0];
    let mut names: Vec<_> = document.fields.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = [
        "attempts",
        "claim",
        "customerId",
        "id",
        "receivedAt",
        "state",
        "sweepAt",
        "type",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_database_that_is_down_is_told_and_redelivery_completes() {
    for applied in [false, true] {
        let app = paying().await;
        let event = subscription_event("evt_1", UPDATED);
        app.db.fail_all(true);
        let answer = app.deliver(&event).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.body["error"]["code"], "unavailable");
        app.db.fail_all(false);
        app.db.fail_next_commits(1, applied);
        assert_eq!(
            app.deliver(&event).await.status,
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(app.db.count("stripe_events"), usize::from(applied));
        assert_eq!(app.outcome(&event).await, "applied");
        assert_eq!((app.tier().await, app.audits()), (SubscriptionTier::Pro, 1));
    }
}

#[tokio::test]
async fn a_queue_that_is_down_keeps_no_event_from_being_acknowledged_or_acted_on() {
    let app = paying().await;
    app.queue.fail_next(1);
    assert_eq!(
        app.receipt(&subscription_event("evt_1", UPDATED)).await,
        "queued"
    );
    assert!(app.queue.tasks().is_empty());
    assert_eq!(app.sweep().await.body["events"], 0, "it may be on its way");
    app.clock.advance(Duration::from_secs(MINUTE));
    // It is still down: the sweeper acts on the event itself.
    app.queue.fail_next(1);
    assert_eq!(app.sweep().await.body["events"], 1);
    assert_eq!(app.state("evt_1").await, "applied");
    assert_eq!(app.sweep().await.body["events"], 0);
}

/// The queue gets a second, or what a slow database leaves of the time.
#[tokio::test(start_paused = true)]
async fn a_queue_that_does_not_answer_keeps_no_event_from_being_acknowledged_in_time() {
    let slow = Duration::from_millis(800);
    for (database, most) in [(Duration::ZERO, 1_100), (slow, 2_000)] {
        let app = paying().await;
        app.db.delay_all(database);
        app.queue.delay_all(A_DAY);
        let began = Instant::now();
        let receipt = app.receipt(&subscription_event("evt_1", UPDATED)).await;
        let most = Duration::from_millis(most);
        assert!(began.elapsed() < most, "{:?}", began.elapsed());
        assert_eq!(receipt, "queued");
        app.db.delay_all(Duration::ZERO);
        app.queue.delay_all(Duration::ZERO);
        assert_eq!(app.state("evt_1").await, "pending");
        app.clock.advance(Duration::from_secs(MINUTE));
        assert_eq!(app.sweep().await.body["events"], 1);
        app.drain().await;
        assert_eq!(app.state("evt_1").await, "applied");
    }
}

#[tokio::test(start_paused = true)]
async fn a_database_that_does_not_answer_is_told_in_time_and_redelivery_completes() {
    let app = paying().await;
    let event = subscription_event("evt_1", UPDATED);
    for delay in [A_DAY, Duration::from_millis(1_200)] {
        app.db.delay_all(delay);
        let began = Instant::now();
        let answer = app.deliver(&event).await;
        assert!(began.elapsed() < Duration::from_secs(2), "{delay:?}");
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.body["error"]["code"], "unavailable");
    }
    app.db.delay_all(Duration::ZERO);
    assert_eq!(app.outcome(&event).await, "applied");
}

#[tokio::test]
async fn an_event_whose_task_was_lost_is_handed_in_again_after_a_minute() {
    let app = paying().await;
    app.receipt(&subscription_event("evt_1", UPDATED)).await;
    assert_eq!(app.queue.take().len(), 1);
    for _ in 0..2 {
        app.clock.advance(Duration::from_secs(MINUTE));
        assert_eq!(app.sweep().await.body["events"], 1);
        assert_eq!(
            app.queue.take().len(),
            1,
            "each tick makes a task of its own"
        );
    }
    app.clock.advance(Duration::from_secs(MINUTE));
    app.sweep().await;
    app.drain().await;
    assert_eq!(app.state("evt_1").await, "applied");
}

#[tokio::test]
async fn a_repeat_of_a_pending_event_hands_it_in_again() {
    let app = paying().await;
    let event = subscription_event("evt_1", UPDATED);
    app.queue.fail_next(1);
    app.receipt(&event).await;
    assert_eq!(app.receipt(&event).await, "queued");
    assert_eq!(app.queue.tasks().len(), 1);
    app.drain().await;
    assert_eq!(app.receipt(&event).await, "repeated");
    assert!(app.queue.tasks().is_empty());
}

#[tokio::test]
async fn stripe_down_has_the_queue_try_again() {
    let app = paying().await;
    app.receipt(&subscription_event("evt_1", UPDATED)).await;
    let task = app.queue.take().remove(0);
    app.stripe
        .fail_next(Error::Unavailable("connection refused".into()));
    assert_eq!(app.bring(&task).await, StatusCode::SERVICE_UNAVAILABLE);
    let kept = app.event("evt_1").await.unwrap();
    assert_eq!((kept.attempts, app.audits()), (1, 0));
    assert_eq!(app.bring(&task).await, StatusCode::NO_CONTENT);
    assert_eq!(app.state("evt_1").await, "applied");
}

#[tokio::test]
async fn an_event_is_given_up_after_three_days_and_begun_anew_when_it_is_sent_again() {
    let app = paying().await;
    let event = subscription_event("evt_1", UPDATED);
    app.receipt(&event).await;
    let task = app.queue.take().remove(0);
    for hour in 0..=72 {
        app.stripe.fail_next(Error::Rejected { status: 401 });
        let expected = match hour {
            72 => StatusCode::NO_CONTENT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        assert_eq!(app.bring(&task).await, expected, "{hour}");
        app.clock.advance(Duration::from_secs(3_600));
    }
    assert_eq!(app.state("evt_1").await, "failed");
    app.clock.advance(Duration::from_secs(86_400));
    assert_eq!(app.sweep().await.body["events"], 0, "it is given up");
    assert_eq!(app.outcome(&event).await, "applied");
}

#[tokio::test]
async fn a_parked_event_is_acted_on_when_it_is_sent_again() {
    let app = TestApp::new().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    let event = subscription_event("evt_1", UPDATED);
    assert_eq!(app.outcome(&event).await, "parked");
    app.add_organization("o2", Some("cus_1")).await;
    assert_eq!(app.outcome(&event).await, "applied");
    let organization = app.organization("o2").await.unwrap().value;
    assert_eq!(organization.subscription_tier, SubscriptionTier::Pro);
}

#[tokio::test]
async fn refunds_and_disputes_are_noted_and_change_no_tier() {
    let app = paying().await;
    app.set_tier(SubscriptionTier::Pro).await;
    app.stripe.set("cus_1", "canceled", "pro_monthly");
    let refund = json!({ "id": "ch_1", "object": "charge", "customer": "cus_1" });
    let dispute = json!({ "id": "du_1", "object": "dispute", "charge": "ch_1" });
    assert_eq!(
        app.outcome(&event("evt_1", "charge.refunded", &refund))
            .await,
        "noted"
    );
    assert_eq!(
        app.outcome(&event("evt_2", "charge.dispute.created", &dispute))
            .await,
        "noted"
    );
    let org_id = app.event("evt_1").await.unwrap().org_id;
    assert_eq!(org_id, Some("o1".parse().unwrap()));
    assert_eq!(
        (app.tier().await, app.stripe.asked()),
        (SubscriptionTier::Pro, 0)
    );
}

#[tokio::test]
async fn a_task_that_cannot_be_understood_or_found_is_acknowledged() {
    let app = paying().await;
    for body in ["", "{}", "nonsense", r#"{"eventId":"evt_9"}"#] {
        let answer = app.send(called("/events/process", body)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{body}");
    }
}

#[tokio::test]
async fn only_the_queue_and_the_scheduler_may_call_what_is_theirs() {
    let app = paying().await;
    app.receipt(&subscription_event("evt_1", UPDATED)).await;
    let tokens = [None, Some(TestServiceVerifier::FOREIGN), Some("forged")];
    for path in ["/events/process", "/sweep", "/reconcile"] {
        for token in tokens {
            let mut request = Request::post(path);
            if let Some(token) = token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let body = r#"{"eventId":"evt_1"}"#;
            let answer = app.send(request.body(Body::from(body)).unwrap()).await;
            let status = answer.status.as_u16();
            assert!(matches!(status, 401 | 403), "{path} {token:?}: {status}");
        }
    }
    assert_eq!(app.state("evt_1").await, "pending");
}

/// Each process dies somewhere else: before the event is kept, before it is handed in, after the
/// tier has changed, while agents are paused.
#[tokio::test]
async fn a_process_that_dies_at_any_await_leaves_nothing_undone_and_nothing_done_twice() {
    let mut deaths = 0;
    for polls in 0.. {
        let app = paying().await;
        app.add_member("admin", shared::models::Role::Admin).await;
        let event = subscription_event("evt_1", UPDATED);
        let whole = async {
            app.receipt(&event).await;
            app.drain().await;
        };
        let lived = killed_after(polls, whole).await.is_some();
        deaths += usize::from(!lived);
        // Stripe was not answered, or the queue was not: both come again.
        app.receipt(&event).await;
        app.clock.advance(Duration::from_secs(MINUTE));
        app.sweep().await;
        app.drain().await;
        assert_eq!(app.state("evt_1").await, "applied", "{polls}");
        assert_eq!(
            (app.tier().await, app.audits()),
            (SubscriptionTier::Pro, 1),
            "{polls}"
        );
        let quota = app
            .store
            .find_agent_quota(&"o1".parse().unwrap())
            .await
            .unwrap();
        assert_eq!(quota.unwrap().value.enforce_at, None, "{polls}");
        if lived {
            break;
        }
    }
    assert!(deaths > 5, "{deaths} deaths");
}
