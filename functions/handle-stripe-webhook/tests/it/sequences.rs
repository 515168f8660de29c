//! Sequences of events as subscriptions go through them, and the tier after each.

use shared::models::SubscriptionTier::{self, Enterprise, Free, Pro};

use crate::{
    app::{TestApp, checkout, subscription_event},
    told_stripe::subscription,
};

const CREATED: &str = "customer.subscription.created";
const UPDATED: &str = "customer.subscription.updated";
const DELETED: &str = "customer.subscription.deleted";
const PAUSED: &str = "customer.subscription.paused";
const RESUMED: &str = "customer.subscription.resumed";
const TRIAL: &str = "customer.subscription.trial_will_end";
const PAID: &str = "invoice.paid";
const FAILED: &str = "invoice.payment_failed";
/// A checkout that our server has made for the organization.
const CHECKOUT: &str = "checkout.session.completed";

const PRO: &str = "pro_monthly";
const YEARLY: &str = "enterprise_yearly";

/// What Stripe says of all subscriptions, the event that it sends then, and the tier after it.
type Step = (
    &'static [(&'static str, &'static str)],
    &'static str,
    SubscriptionTier,
);

const SEQUENCES: [(&str, &[Step]); 16] = [
    (
        "a checkout that is paid",
        &[
            (&[("active", PRO)], CHECKOUT, Pro),
            (&[("active", PRO)], PAID, Pro),
        ],
    ),
    (
        "the subscription is told before the checkout",
        &[
            (&[("active", PRO)], CREATED, Free),
            (&[("active", PRO)], PAID, Free),
            (&[("active", PRO)], CHECKOUT, Pro),
        ],
    ),
    (
        "the first payment never comes",
        &[
            (&[("incomplete", PRO)], CHECKOUT, Free),
            (&[("incomplete", PRO)], FAILED, Free),
            (&[("incomplete_expired", PRO)], DELETED, Free),
        ],
    ),
    (
        "the first payment comes late",
        &[
            (&[("incomplete", PRO)], CHECKOUT, Free),
            (&[("active", PRO)], PAID, Pro),
        ],
    ),
    (
        "a trial that is paid for",
        &[
            (&[("trialing", PRO)], CHECKOUT, Pro),
            (&[("trialing", PRO)], TRIAL, Pro),
            (&[("active", PRO)], PAID, Pro),
        ],
    ),
    (
        "a trial that ends without a means of payment, and goes on later",
        &[
            (&[("trialing", PRO)], CHECKOUT, Pro),
            (&[("paused", PRO)], PAUSED, Free),
            (&[("active", PRO)], RESUMED, Pro),
        ],
    ),
    (
        "a trial that is not wanted",
        &[
            (&[("trialing", PRO)], CHECKOUT, Pro),
            (&[("canceled", PRO)], DELETED, Free),
        ],
    ),
    (
        "a payment that fails once",
        &[
            (&[("active", PRO)], CHECKOUT, Pro),
            (&[("past_due", PRO)], FAILED, Pro),
            (&[("active", PRO)], PAID, Pro),
        ],
    ),
    (
        "payments that fail to the end",
        &[
            (&[("active", PRO)], CHECKOUT, Pro),
            (&[("past_due", PRO)], FAILED, Pro),
            (&[("unpaid", PRO)], UPDATED, Free),
            (&[("canceled", PRO)], DELETED, Free),
        ],
    ),
    (
        "a debt that is paid after all",
        &[
            (&[("active", PRO)], CHECKOUT, Pro),
            (&[("unpaid", PRO)], UPDATED, Free),
            (&[("active", PRO)], PAID, Pro),
        ],
    ),
    (
        "an upgrade and a downgrade",
        &[
            (&[("active", PRO)], CHECKOUT, Pro),
            (&[("active", YEARLY)], UPDATED, Enterprise),
            (&[("active", PRO)], UPDATED, Pro),
        ],
    ),
    (
        "an end that is due later",
        &[
            (&[("active", PRO)], CHECKOUT, Pro),
            (&[("active", PRO)], UPDATED, Pro),
            (&[("canceled", PRO)], DELETED, Free),
        ],
    ),
    (
        "the old subscription ends after the new one has begun",
        &[
            (&[("active", PRO)], CHECKOUT, Pro),
            (&[("active", PRO), ("active", YEARLY)], CREATED, Enterprise),
            (
                &[("canceled", PRO), ("active", YEARLY)],
                DELETED,
                Enterprise,
            ),
        ],
    ),
    (
        "the better of two ends",
        &[
            (&[("active", YEARLY), ("active", PRO)], CHECKOUT, Enterprise),
            (&[("unpaid", YEARLY), ("active", PRO)], UPDATED, Pro),
        ],
    ),
    (
        "a price that nobody knows",
        &[
            (&[("active", PRO)], CHECKOUT, Pro),
            (&[("active", "gold_monthly")], UPDATED, Pro),
            (&[("canceled", "gold_monthly")], DELETED, Free),
        ],
    ),
    (
        "an end and a new beginning",
        &[
            (&[("active", YEARLY)], CHECKOUT, Enterprise),
            (&[("canceled", YEARLY)], DELETED, Free),
            (&[("canceled", YEARLY), ("active", PRO)], CREATED, Pro),
        ],
    ),
];

#[tokio::test]
async fn each_sequence_leads_from_tier_to_tier() {
    for (name, steps) in SEQUENCES {
        let app = TestApp::new().await;
        for (number, (subscriptions, kind, tier)) in steps.iter().enumerate() {
            let all = (0..).zip(*subscriptions);
            let all =
                all.map(|(id, (status, key))| subscription(&format!("sub_{id}"), status, key));
            app.stripe.set_all("cus_1", all.collect());
            let id = format!("evt_{number}");
            let event = match *kind {
                CHECKOUT => checkout(&id, "cus_1", "o1"),
                kind => subscription_event(&id, kind),
            };
            app.outcome(&event).await;
            assert_eq!(app.tier().await, *tier, "{name}: {number} {kind}");
        }
    }
}
