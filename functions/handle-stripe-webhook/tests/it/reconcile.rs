//! The nightly comparison of all tiers with what Stripe says.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use shared::{
    models::{SubscriptionTier, TierReconcile},
    stripe::Error,
    testing::killed_after,
};

use crate::app::{Answer, CALLER, TestApp, called, subscription_event};

async fn tick(app: &TestApp) -> Answer {
    let answer = app.send(called("/reconcile", "")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer
}

async fn report(app: &TestApp) -> TierReconcile {
    let found = app.store.find_tier_reconcile(&CALLER).await.unwrap();
    found.unwrap().value
}

async fn tier_of(app: &TestApp, id: &str) -> SubscriptionTier {
    app.organization(id).await.unwrap().value.subscription_tier
}

/// Customers of whom every tenth has a tier that nobody has heard of.
async fn with_drift(count: usize) -> TestApp {
    let app = TestApp::new().await;
    for number in 0..count {
        let customer = format!("cus_{number}");
        app.add_organization(&format!("org{number}"), Some(&customer))
            .await;
        if number % 10 == 3 {
            app.stripe.set(&customer, "active", "pro_monthly");
        }
    }
    app
}

#[tokio::test]
async fn drift_is_repaired_as_an_event_would_and_reported() {
    let app = TestApp::with_customer().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    let answer = tick(&app).await;
    assert_eq!(answer.body["repaired"], 1);
    assert_eq!((app.tier().await, app.audits()), (SubscriptionTier::Pro, 1));
    let report = report(&app).await;
    assert_eq!((report.checked, report.repaired, report.failed), (1, 1, 0));
    let drift = serde_json::to_value(&report.drifts).unwrap();
    assert_eq!(
        drift,
        json!([{ "orgId": "o1", "from": "free", "to": "pro" }])
    );
    let quota = app
        .store
        .find_agent_quota(&"o1".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(
        quota.unwrap().value.enforce_at,
        None,
        "agents are within the limit"
    );
    assert_eq!(
        tick(&app).await.body["repaired"],
        0,
        "the next night all is well"
    );
    assert_eq!(app.audits(), 1);
}

#[tokio::test]
async fn what_is_in_step_is_not_written() {
    let app = TestApp::with_customer().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    app.outcome(&subscription_event("evt_1", "invoice.paid"))
        .await;
    let before = app.db.commits().len();
    tick(&app).await;
    let commits = app.db.commits().split_off(before);
    let paths: Vec<_> = commits
        .iter()
        .flatten()
        .map(|write| write.path.as_str())
        .collect();
    assert_eq!(paths, ["platform/tier_reconcile"; 2]);
}

#[tokio::test]
async fn all_organizations_are_compared_page_by_page() {
    let app = with_drift(250).await;
    assert_eq!(tick(&app).await.body["finished"], false);
    app.drain().await;
    let report = report(&app).await;
    assert_eq!((report.checked, report.repaired), (250, 25));
    assert!(report.finished_at.is_some());
    assert_eq!(tier_of(&app, "org3").await, SubscriptionTier::Pro);
    assert_eq!(tier_of(&app, "org243").await, SubscriptionTier::Pro);
    assert_eq!(tier_of(&app, "org4").await, SubscriptionTier::Free);
}

#[tokio::test]
async fn one_that_cannot_be_compared_holds_no_other_up() {
    let app = with_drift(20).await;
    app.stripe.fail_next(Error::Rejected { status: 403 });
    tick(&app).await;
    let report = report(&app).await;
    assert_eq!((report.checked, report.repaired, report.failed), (20, 2, 1));
}

#[tokio::test]
async fn a_repeat_of_a_page_or_of_the_tick_counts_nothing_twice() {
    let app = with_drift(150).await;
    tick(&app).await;
    let page = app.queue.take().remove(0);
    // The tick comes again while the comparison is under way: it goes on with it.
    assert_eq!(tick(&app).await.body["checked"], 150);
    assert_eq!(app.bring(&page).await, StatusCode::OK);
    assert_eq!(report(&app).await.checked, 150);
}

#[tokio::test]
async fn a_comparison_that_dies_anywhere_is_finished_by_the_sweep() {
    let mut deaths = 0;
    for polls in (0..).step_by(40) {
        let app = with_drift(120).await;
        let whole = async {
            tick(&app).await;
            app.drain().await;
        };
        let lived = killed_after(polls, whole).await.is_some();
        deaths += usize::from(!lived);
        for _ in 0..3 {
            app.clock.advance(Duration::from_secs(180));
            app.sweep().await;
            app.drain().await;
        }
        if app.db.count("platform") == 0 {
            // It has not begun: the scheduler tries again.
            tick(&app).await;
            app.drain().await;
        }
        let report = report(&app).await;
        assert!(report.finished_at.is_some(), "{polls}");
        assert_eq!(report.checked, 120, "{polls}");
        for number in [3, 113] {
            assert_eq!(
                tier_of(&app, &format!("org{number}")).await,
                SubscriptionTier::Pro
            );
        }
        if lived {
            break;
        }
    }
    assert!(deaths > 3, "{deaths} deaths");
}
