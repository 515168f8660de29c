//! What events do, alone and in sequences.

use axum::body::Body;
use futures::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use shared::{models::SubscriptionTier, store::document_db::Document, testing::stripe_signature};

use crate::app::{SUBSCRIPTION_KINDS, TestApp, checkout, event, signed, subscription_event};

/// The vendor's own objects; see `tests/fixtures/README.md`.
const OBJECTS: &str = include_str!("../fixtures/stripe-objects.json");

const UPDATED: &str = "customer.subscription.updated";

fn vendor_object(name: &str) -> Value {
    let mut objects: Value = serde_json::from_str(OBJECTS).unwrap();
    objects["resources"][name].take()
}

fn states(app: &TestApp) -> Vec<String> {
    let state = |document: &Document| {
        let event: shared::models::StripeEvent = shared::store::decode(document).unwrap();
        serde_json::to_value(event.state)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    app.db
        .documents("stripe_events/")
        .iter()
        .map(state)
        .collect()
}

#[tokio::test]
async fn every_event_about_a_subscription_brings_the_tier_in_step() {
    for kind in SUBSCRIPTION_KINDS {
        let app = TestApp::with_customer().await;
        app.stripe.set("cus_1", "active", "pro_monthly");
        assert_eq!(
            app.outcome(&subscription_event("evt_1", kind)).await,
            "applied",
            "{kind}"
        );
        assert_eq!(app.tier().await, SubscriptionTier::Pro, "{kind}");
    }
}

#[tokio::test]
async fn the_vendors_own_objects_are_understood() {
    let app = TestApp::new().await;
    let mut subscription = vendor_object("subscription");
    let customer = subscription["customer"].as_str().unwrap().to_owned();
    app.add_organization("o2", Some(&customer)).await;
    app.stripe.set(&customer, "active", "enterprise_yearly");
    subscription["items"]["data"][0]["price"]["lookup_key"] = json!("pro_monthly");
    assert_eq!(
        app.outcome(&event("evt_1", UPDATED, &subscription)).await,
        "applied"
    );
    let tier = app
        .organization("o2")
        .await
        .unwrap()
        .value
        .subscription_tier;
    assert_eq!(
        tier,
        SubscriptionTier::Enterprise,
        "what the API says counts, not the event"
    );

    let mut session = vendor_object("checkout.session");
    for (name, value) in [
        ("mode", json!("subscription")),
        ("customer", json!("cus_1")),
        ("subscription", json!("sub_1")),
        ("metadata", json!({ "orgId": "o1" })),
    ] {
        session[name] = value;
    }
    app.stripe.set("cus_1", "trialing", "pro_monthly");
    let completed = event("evt_2", "checkout.session.completed", &session);
    assert_eq!(app.outcome(&completed).await, "applied");
    assert_eq!(app.tier().await, SubscriptionTier::Pro);

    assert_eq!(app.outcome(&vendor_object("event")).await, "ignored");
}

#[tokio::test]
async fn effect_audit_record_and_event_are_one_commit() {
    let app = TestApp::with_customer().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    let before = app.db.commits().len();
    app.outcome(&subscription_event("evt_1", UPDATED)).await;
    let commits = app.db.commits().split_off(before);
    // The first keeps the event, the last sees that no agent is above the limit.
    let [_, commit, _] = &commits[..] else {
        panic!("{} commits", commits.len())
    };
    let mut collections: Vec<_> = commit
        .iter()
        .map(|write| write.path.as_str().split('/').next().unwrap())
        .collect();
    collections.sort_unstable();
    let expected = [
        "audit_heads",
        "audit_logs",
        "organizations",
        "organizations",
        "stripe_customers",
        "stripe_events",
    ];
    assert_eq!(collections, expected);
    let audit = &app.db.documents("audit_logs/")[0];
    let audit: shared::models::AuditLog = shared::store::decode(audit).unwrap();
    assert_eq!(audit.actor_id, "system:handle-stripe-webhook");
    let expected = json!({ "from": "free", "to": "pro", "stripeEventId": "evt_1" });
    assert_eq!(audit.metadata.0, expected);
}

#[tokio::test]
async fn a_checkout_links_the_customer_to_the_organization_it_was_made_for() {
    let app = TestApp::new().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    assert_eq!(
        app.outcome(&checkout("evt_1", "cus_1", "o1")).await,
        "applied"
    );
    let organization = app.organization("o1").await.unwrap().value;
    assert_eq!(organization.stripe_customer_id.as_deref(), Some("cus_1"));
    assert_eq!(organization.subscription_tier, SubscriptionTier::Pro);
    app.stripe.set("cus_1", "canceled", "pro_monthly");
    let deleted = subscription_event("evt_2", "customer.subscription.deleted");
    assert_eq!(app.outcome(&deleted).await, "applied");
    assert_eq!(
        (app.tier().await, app.audits()),
        (SubscriptionTier::Free, 2)
    );
}

#[tokio::test]
async fn a_subscription_event_before_its_checkout_does_no_harm() {
    let app = TestApp::new().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    let created = subscription_event("evt_1", "customer.subscription.created");
    assert_eq!(app.outcome(&created).await, "parked");
    assert_eq!(
        app.outcome(&checkout("evt_2", "cus_1", "o1")).await,
        "applied"
    );
    assert_eq!(app.tier().await, SubscriptionTier::Pro);
    assert_eq!(states(&app), ["parked", "applied"]);
}

#[tokio::test]
async fn what_fits_no_organization_is_parked_without_effect() {
    let renamed = |mut event: Value| {
        event["data"]["object"]["client_reference_id"] = json!("o2");
        event
    };
    let unclaimed = |mut event: Value| {
        event["data"]["object"]["metadata"] = json!({});
        event
    };
    let table = [
        ("unknown customer", subscription_event("evt_1", UPDATED)),
        ("unknown organization", checkout("evt_1", "cus_1", "o9")),
        (
            "organization with another customer",
            checkout("evt_1", "cus_1", "o2"),
        ),
        (
            "customer of another organization",
            checkout("evt_1", "cus_2", "o1"),
        ),
        ("contradiction", renamed(checkout("evt_1", "cus_1", "o1"))),
        (
            "claim of the payer alone",
            unclaimed(checkout("evt_1", "cus_1", "o1")),
        ),
        ("no id at all", checkout("evt_1", "cus_1", "a/b")),
    ];
    for (case, event) in table {
        let app = TestApp::new().await;
        app.add_organization("o2", Some("cus_2")).await;
        app.stripe.set("cus_1", "active", "pro_monthly");
        app.stripe.set("cus_2", "active", "pro_monthly");
        assert_eq!(app.outcome(&event).await, "parked", "{case}");
        let organization = app.organization("o1").await.unwrap().value;
        assert_eq!(organization.stripe_customer_id, None, "{case}");
        assert_eq!(
            organization.subscription_tier,
            SubscriptionTier::Free,
            "{case}"
        );
        assert_eq!(
            (app.audits(), states(&app)),
            (0, vec!["parked".to_owned()]),
            "{case}"
        );
    }
}

#[tokio::test]
async fn a_contradiction_about_a_linked_customer_is_parked_too() {
    let app = TestApp::with_customer().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    let mut event = checkout("evt_1", "cus_1", "o1");
    event["data"]["object"]["client_reference_id"] = json!("o2");
    assert_eq!(app.outcome(&event).await, "parked");
    assert_eq!(app.tier().await, SubscriptionTier::Free);
}

#[tokio::test]
async fn events_of_no_interest_are_kept_as_ignored() {
    let app = TestApp::with_customer().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    let payment = json!({ "customer": "cus_1", "mode": "payment", "subscription": null });
    let thin = json!({
        "id": "evt_thin",
        "object": "v2.core.event",
        "type": "v1.billing.meter.error_report_triggered",
        "related_object": { "id": "mtr_1", "type": "billing.meter" },
        "data": { "reason": {} },
    });
    let events = [
        event("evt_a", "customer.created", &json!({ "id": "cus_1" })),
        event("evt_b", "a.type.of.the.future", &json!([1, 2])),
        event("evt_c", "checkout.session.completed", &payment),
        event("evt_d", "invoice.paid", &json!({ "customer": null })),
        thin,
    ];
    for event in &events {
        assert_eq!(app.outcome(event).await, "ignored", "{event}");
    }
    assert_eq!(states(&app), vec!["ignored"; events.len()]);
    assert_eq!(app.tier().await, SubscriptionTier::Free);
}

#[tokio::test]
async fn a_repeat_is_acknowledged_and_does_nothing() {
    let app = TestApp::with_customer().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    let event = subscription_event("evt_1", UPDATED);
    assert_eq!(app.outcome(&event).await, "applied");
    let commits = app.db.commits().len();
    app.stripe.set("cus_1", "canceled", "pro_monthly");
    assert_eq!(app.outcome(&event).await, "repeated");
    assert_eq!(app.db.commits().len(), commits);
    assert_eq!(app.tier().await, SubscriptionTier::Pro);
}

#[tokio::test]
async fn parallel_deliveries_of_one_event_act_once() {
    let app = TestApp::with_customer().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    let event = subscription_event("evt_1", UPDATED);
    let receipts = join_all((0..10).map(|_| app.receipt(&event))).await;
    assert_eq!(receipts, ["queued"; 10]);
    let tasks = app.queue.take();
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    let statuses = join_all((0..10).map(|_| app.bring(&tasks[0]))).await;
    assert_eq!(statuses, [StatusCode::NO_CONTENT; 10]);
    assert_eq!(states(&app), ["applied"]);
    assert_eq!((app.tier().await, app.audits()), (SubscriptionTier::Pro, 1));
}

#[tokio::test]
async fn parallel_events_of_one_customer_all_count_and_change_the_tier_once() {
    let app = TestApp::with_customer().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    let events: Vec<_> = (0..12)
        .map(|number| subscription_event(&format!("evt_{number}"), UPDATED))
        .collect();
    let receipts = join_all(events.iter().map(|event| app.receipt(event))).await;
    assert_eq!(receipts, ["queued"; 12]);
    let tasks = app.queue.take();
    let statuses = join_all(tasks.iter().map(|task| app.bring(task))).await;
    assert_eq!(statuses, [StatusCode::NO_CONTENT; 12]);
    assert_eq!(
        (states(&app), app.audits()),
        (vec!["applied".to_owned(); 12], 1)
    );
}

/// One event reads Stripe while the subscription is active. Before it can commit, the subscription
/// ends, and the event of that is acted on.
#[tokio::test]
async fn an_older_reading_of_stripe_never_wins() {
    for known_before in [false, true] {
        let app = TestApp::with_customer().await;
        if known_before {
            let created = subscription_event("evt_0", "customer.subscription.created");
            app.outcome(&created).await;
        }
        app.stripe.set("cus_1", "active", "pro_monthly");
        let held = app.stripe.hold_next();
        app.receipt(&subscription_event("evt_1", UPDATED)).await;
        let updated = app.queue.take().remove(0);
        let overtaking = async {
            held.given.notified().await;
            app.stripe.set("cus_1", "canceled", "pro_monthly");
            let deleted = subscription_event("evt_2", "customer.subscription.deleted");
            let outcome = app.outcome(&deleted).await;
            held.released.notify_one();
            outcome
        };
        let (status, outcome) = futures::join!(app.bring(&updated), overtaking);
        assert_eq!(
            (status, outcome.as_str()),
            (StatusCode::NO_CONTENT, "applied")
        );
        assert_eq!(app.state("evt_1").await, "applied");
        let after = (app.tier().await, app.audits());
        assert_eq!(after, (SubscriptionTier::Free, 0), "{known_before}");
    }
}

/// A checkout reads Stripe while the subscription is active. Before it can link the customer, the
/// subscription ends, and the event of that finds no organization.
#[tokio::test]
async fn an_event_that_is_parked_while_its_customer_is_linked_is_not_lost() {
    let app = TestApp::new().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    app.receipt(&checkout("evt_1", "cus_1", "o1")).await;
    let linking = app.queue.take().remove(0);
    let held = app.stripe.hold_next();
    let overtaking = async {
        held.given.notified().await;
        app.stripe.set("cus_1", "canceled", "pro_monthly");
        let deleted = subscription_event("evt_2", "customer.subscription.deleted");
        let outcome = app.outcome(&deleted).await;
        held.released.notify_one();
        outcome
    };
    let (status, outcome) = futures::join!(app.bring(&linking), overtaking);
    assert_eq!(
        (status, outcome.as_str()),
        (StatusCode::NO_CONTENT, "parked")
    );
    assert_eq!(app.tier().await, SubscriptionTier::Free);
}

#[tokio::test]
async fn a_link_that_leaves_the_tier_is_not_audited() {
    let app = TestApp::new().await;
    app.stripe.set("cus_1", "incomplete", "pro_monthly");
    assert_eq!(
        app.outcome(&checkout("evt_1", "cus_1", "o1")).await,
        "applied"
    );
    let organization = app.organization("o1").await.unwrap().value;
    assert_eq!(organization.stripe_customer_id.as_deref(), Some("cus_1"));
    assert_eq!(app.audits(), 0);
}

#[tokio::test]
async fn any_order_of_events_ends_in_the_same_tier() {
    let events = [
        checkout("evt_1", "cus_1", "o1"),
        subscription_event("evt_2", "customer.subscription.created"),
        subscription_event("evt_3", "invoice.paid"),
    ];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        let app = TestApp::new().await;
        app.stripe.set("cus_1", "active", "pro_monthly");
        for index in order {
            app.outcome(&events[index]).await;
        }
        assert_eq!(
            (app.tier().await, app.audits()),
            (SubscriptionTier::Pro, 1),
            "{order:?}"
        );
    }
}

#[tokio::test]
async fn two_checkouts_for_one_organization_link_one_customer() {
    let app = TestApp::new().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    app.stripe.set("cus_2", "active", "enterprise_yearly");
    let events = [
        checkout("evt_1", "cus_1", "o1"),
        checkout("evt_2", "cus_2", "o1"),
    ];
    join_all(events.iter().map(|event| app.receipt(event))).await;
    let tasks = app.queue.take();
    join_all(tasks.iter().map(|task| app.bring(task))).await;
    let mut states = states(&app);
    states.sort_unstable();
    assert_eq!(states, ["applied", "parked"]);
}

#[tokio::test]
async fn an_unknown_price_keeps_the_tier() {
    let app = TestApp::with_customer().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    app.outcome(&subscription_event("evt_1", UPDATED)).await;
    app.stripe.set("cus_1", "active", "gold_monthly");
    assert_eq!(
        app.outcome(&subscription_event("evt_2", UPDATED)).await,
        "applied"
    );
    assert_eq!((app.tier().await, app.audits()), (SubscriptionTier::Pro, 1));
}

#[tokio::test]
async fn either_secret_is_accepted_while_one_is_rolled() {
    let app = TestApp::with_customer().await;
    let body = subscription_event("evt_1", UPDATED).to_string();
    let time = app.now().instant().as_second();
    let signature = stripe_signature("whsec_rolled", time, body.as_bytes());
    let answer = app.send(signed(&signature, Body::from(body))).await;
    assert_eq!(answer.status, StatusCode::OK);
}
