//! Failed payments, trials and ends: which tier they leave, and who is told.

use serde_json::{Value, json};
use shared::{
    models::{BillingNotice, OutboxMessage, OutboxRow, Role, SubscriptionTier},
    store::decode,
};

use crate::{
    app::{TestApp, event, subscription_event},
    told_stripe::subscription,
};

const UPDATED: &str = "customer.subscription.updated";

fn told(app: &TestApp) -> Vec<(String, BillingNotice)> {
    let rows = app.db.documents("outbox/");
    let rows = rows.iter().map(|row| decode::<OutboxRow>(row).unwrap());
    let mut told: Vec<_> = rows
        .map(|row| match row.message {
            OutboxMessage::BillingNotice { uid, notice } => (uid.to_string(), notice),
            other => unreachable!("{other:?}"),
        })
        .collect();
    told.sort_by(|one, other| one.0.cmp(&other.0));
    told
}

/// Two admins and one who is none, on the pro tier.
async fn pro() -> TestApp {
    let app = TestApp::with_customer().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    app.outcome(&subscription_event("evt_0", UPDATED)).await;
    app.add_member("ada", Role::Admin).await;
    app.add_member("bob", Role::Admin).await;
    app.add_member("eve", Role::User).await;
    app
}

fn invoice(id: &str, invoice: &str) -> Value {
    let object = json!({ "id": invoice, "object": "invoice", "customer": "cus_1" });
    event(id, "invoice.payment_failed", &object)
}

#[tokio::test]
async fn each_status_keeps_the_tier_or_ends_it() {
    let table = [
        ("trialing", SubscriptionTier::Pro),
        ("active", SubscriptionTier::Pro),
        ("past_due", SubscriptionTier::Pro),
        ("incomplete", SubscriptionTier::Free),
        ("incomplete_expired", SubscriptionTier::Free),
        ("unpaid", SubscriptionTier::Free),
        ("canceled", SubscriptionTier::Free),
        ("paused", SubscriptionTier::Free),
        ("a status of the future", SubscriptionTier::Pro),
    ];
    for (status, tier) in table {
        let app = pro().await;
        app.stripe.set("cus_1", status, "pro_monthly");
        app.outcome(&subscription_event("evt_1", UPDATED)).await;
        assert_eq!(app.tier().await, tier, "{status}");
        let lowered = usize::from(tier == SubscriptionTier::Free) * 2;
        assert_eq!(told(&app).len(), lowered, "{status}");
    }
}

#[tokio::test]
async fn admins_are_told_once_of_each_invoice_that_is_not_paid() {
    let app = pro().await;
    app.stripe.set("cus_1", "past_due", "pro_monthly");
    for (id, number) in [("evt_1", "in_1"), ("evt_2", "in_1"), ("evt_3", "in_2")] {
        assert_eq!(app.outcome(&invoice(id, number)).await, "applied");
    }
    let failed = |uid: &str| (uid.to_owned(), BillingNotice::PaymentFailed);
    assert_eq!(
        told(&app),
        [failed("ada"), failed("ada"), failed("bob"), failed("bob")]
    );
    assert_eq!(app.tier().await, SubscriptionTier::Pro);
}

#[tokio::test]
async fn admins_are_told_that_a_trial_ends_and_once_more_when_it_was_prolonged() {
    let app = pro().await;
    app.stripe.set("cus_1", "trialing", "pro_monthly");
    for (id, end) in [("evt_1", 1), ("evt_2", 1), ("evt_3", 2)] {
        let object = json!({ "id": "sub_1", "customer": "cus_1", "trial_end": end });
        app.outcome(&event(id, "customer.subscription.trial_will_end", &object))
            .await;
    }
    let ending = |uid: &str| (uid.to_owned(), BillingNotice::TrialEnding);
    assert_eq!(
        told(&app),
        [ending("ada"), ending("ada"), ending("bob"), ending("bob")]
    );
}

#[tokio::test]
async fn admins_are_told_of_a_lower_tier_and_not_of_a_higher_one() {
    let app = pro().await;
    app.stripe.set("cus_1", "active", "enterprise_yearly");
    app.outcome(&subscription_event("evt_1", UPDATED)).await;
    assert_eq!(told(&app), []);
    app.stripe.set("cus_1", "canceled", "enterprise_yearly");
    let ended = subscription_event("evt_2", "customer.subscription.deleted");
    app.outcome(&ended).await;
    let lowered = |uid: &str| {
        let (from, to) = ("Enterprise".to_owned(), "Starter".to_owned());
        (uid.to_owned(), BillingNotice::TierLowered { from, to })
    };
    assert_eq!(told(&app), [lowered("ada"), lowered("bob")]);
}

#[tokio::test]
async fn a_trial_that_ends_without_a_means_of_payment_ends_the_tier() {
    let app = pro().await;
    app.stripe.set("cus_1", "paused", "pro_monthly");
    let paused = subscription_event("evt_1", "customer.subscription.paused");
    app.outcome(&paused).await;
    assert_eq!(app.tier().await, SubscriptionTier::Free);
    app.stripe.set("cus_1", "active", "pro_monthly");
    let resumed = subscription_event("evt_2", "customer.subscription.resumed");
    app.outcome(&resumed).await;
    assert_eq!(app.tier().await, SubscriptionTier::Pro);
}

#[tokio::test]
async fn the_best_subscription_that_is_paid_counts() {
    let app = pro().await;
    let all = [
        ("sub_1", "canceled", "enterprise_yearly"),
        ("sub_2", "past_due", "pro_monthly"),
    ];
    let all = all.map(|(id, status, key)| subscription(id, status, key));
    app.stripe.set_all("cus_1", all.to_vec());
    app.outcome(&subscription_event("evt_1", UPDATED)).await;
    assert_eq!(app.tier().await, SubscriptionTier::Pro);
}
