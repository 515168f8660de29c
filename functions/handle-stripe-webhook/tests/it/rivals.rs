//! Two pages that were both paid, against the fake that keeps to Stripe's types: one subscription
//! goes on, the other is ended with credit, and usage is billed once.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use serde_json::Value;
use shared::{
    ids::{OrgId, RecordId},
    models::{
        AuditAction, AuditLog, BillingNotice, OutboxMessage, OutboxRow, Role, SubscriptionTier,
    },
    store::{decode, organizations},
    stripe::CheckoutOrder,
    testing::FakeStripe,
};

use crate::{
    app::{CALLER, SECRET, TestApp, called, checkout, function, subscription_event},
    told_stripe::subscription,
};

const PRO: [&str; 2] = ["pro_monthly", "pro_tokens_monthly"];
const ENTERPRISE: [&str; 2] = ["enterprise_monthly", "enterprise_tokens_monthly"];

/// The function with an account at Stripe, and an organization with a customer and an admin.
struct Shop {
    app: TestApp,
    stripe: FakeStripe,
    customer: String,
}

impl Shop {
    async fn open() -> Self {
        let mut app = TestApp::new().await;
        let stripe = FakeStripe::start(app.clock.shared()).await;
        let meter = stripe.add_meter("llm_tokens");
        for ([flat, tokens], cents) in [(PRO, 4_900), (ENTERPRISE, 99_000)] {
            let _ = stripe.add_price(flat, cents, None);
            let _ = stripe.add_price(tokens, 1, Some(&meter));
        }
        let customer = stripe.add_customer("o1");
        let mut organization = app.organization("o1").await.unwrap();
        organization.value.stripe_customer_id = Some(customer.clone());
        let write = organizations::replace(&organization).unwrap();
        app.store.commit(vec![write]).await.unwrap();
        app.add_member("ada", Role::Admin).await;
        let billing = Arc::new(stripe.client());
        let secrets = vec![SecretString::from(SECRET)];
        app.router = function(&app.store, &app.queue, &app.clock, billing, secrets);
        Self {
            app,
            stripe,
            customer,
        }
    }

    /// A page of an organization's that is paid.
    async fn pay_for(&self, org_id: &str, keys: [&str; 2]) {
        let client = self.stripe.client();
        let order = CheckoutOrder {
            org_id: OrgId::parse(org_id).unwrap(),
            customer_id: self.customer.clone(),
            prices: client.find_prices(&keys).await.unwrap(),
            success_url: "https://app.example.com/".to_owned(),
            cancel_url: "https://app.example.com/".to_owned(),
        };
        let key = RecordId::generate();
        let page = client.open_checkout(&order, key.as_str()).await.unwrap();
        assert!(self.stripe.pay(&page.id));
        self.app.clock.advance(Duration::from_secs(1));
    }

    /// Has Stripe tell what happened, and the function act on it, until nothing happens any more.
    async fn settle(&self) {
        loop {
            let events = self.stripe.take_events();
            if events.is_empty() {
                return;
            }
            for event in &events {
                self.app.outcome(event).await;
            }
        }
    }

    fn subscriptions(&self) -> Vec<Value> {
        self.stripe.objects("subscription")
    }

    /// Oldest first.
    fn statuses(&self) -> Vec<Value> {
        let all = self.subscriptions().into_iter();
        all.map(|it| it["status"].clone()).collect()
    }

    /// How many items bill usage of subscriptions that go on.
    fn metered(&self) -> usize {
        let standing = self.subscriptions().into_iter();
        let standing = standing.filter(|it| it["status"] != "canceled");
        let items = standing.flat_map(|it| it["items"]["data"].as_array().unwrap().clone());
        let metered = items.filter(|it| it["price"]["recurring"]["usage_type"] == "metered");
        metered.count()
    }

    fn told(&self) -> Vec<OutboxMessage> {
        let rows = self.app.db.documents("outbox/");
        let rows = rows.iter().map(|row| decode::<OutboxRow>(row).unwrap());
        rows.map(|row| row.message).collect()
    }

    /// The subscriptions whose end is recorded, with who has ended them.
    fn recorded(&self) -> Vec<(Value, String)> {
        recorded(&self.app)
    }
}

fn recorded(app: &TestApp) -> Vec<(Value, String)> {
    let logs = app.db.documents("audit_logs/");
    let logs = logs.iter().map(|log| decode::<AuditLog>(log).unwrap());
    let ends = logs.filter(|log| log.action == AuditAction::BillingSubscriptionEnd);
    ends.map(|log| (log.metadata.0["subscriptionId"].clone(), log.actor_id))
        .collect()
}

#[tokio::test]
async fn the_better_of_two_goes_on_and_the_other_is_credited() {
    for keys in [[PRO, ENTERPRISE], [ENTERPRISE, PRO]] {
        let shop = Shop::open().await;
        for keys in keys {
            shop.pay_for("o1", keys).await;
        }
        shop.settle().await;
        let (lower, better) = if keys[0] == PRO { (0, 1) } else { (1, 0) };
        assert_eq!(shop.statuses()[better], "active");
        assert_eq!(shop.statuses()[lower], "canceled");
        assert_eq!(shop.app.tier().await, SubscriptionTier::Enterprise);
        assert_eq!(shop.metered(), 1);
        let ended = &shop.subscriptions()[lower];
        let items = ended["items"]["data"].as_array().unwrap();
        assert_eq!(items.len(), 1, "its usage went before the last invoice");
        let credits = shop.stripe.objects("invoice").into_iter();
        let credits: Vec<_> = credits.filter_map(|it| it["total"].as_i64()).collect();
        assert!(credits.iter().any(|total| *total < -4_800), "{credits:?}");
        assert_eq!(shop.told().len(), 1);
        let ended = (
            ended["id"].clone(),
            "system:handle-stripe-webhook".to_owned(),
        );
        assert_eq!(shop.recorded(), [ended]);
        assert_eq!(shop.stripe.problems(), [""; 0]);
    }
}

/// It has billed the usage so far.
#[tokio::test]
async fn of_three_that_are_equal_the_oldest_goes_on() {
    let shop = Shop::open().await;
    for _ in 0..3 {
        shop.pay_for("o1", PRO).await;
    }
    shop.settle().await;
    assert_eq!(shop.statuses(), ["active", "canceled", "canceled"]);
    assert_eq!(shop.app.tier().await, SubscriptionTier::Pro);
    assert_eq!(shop.told().len(), 2);
    assert_eq!(shop.recorded().len(), 2);
    assert_eq!(shop.metered(), 1);
}

#[tokio::test]
async fn of_equals_one_that_is_to_end_does_not_go_on() {
    let shop = Shop::open().await;
    shop.pay_for("o1", PRO).await;
    let first = shop.subscriptions().pop().unwrap();
    let (id, field) = (first["id"].as_str().unwrap(), "cancel_at_period_end");
    shop.stripe
        .change("subscription", id, field, Value::Bool(true));
    shop.pay_for("o1", PRO).await;
    shop.settle().await;
    assert_eq!(shop.statuses(), ["canceled", "active"]);
}

#[tokio::test]
async fn what_somebody_made_by_hand_or_for_others_or_is_not_paid_stays() {
    let shop = Shop::open().await;
    shop.pay_for("o1", ENTERPRISE).await;
    shop.pay_for("o2", PRO).await;
    let prices = shop.stripe.objects("price");
    let by_hand = shop
        .stripe
        .subscribe(&shop.customer, &[prices[0]["id"].as_str().unwrap()]);
    shop.pay_for("o1", PRO).await;
    let last = shop.subscriptions().pop().unwrap();
    shop.stripe
        .set_status(last["id"].as_str().unwrap(), "past_due");
    shop.settle().await;
    let statuses = shop.statuses();
    assert_eq!(
        statuses,
        ["active", "active", "active", "past_due"],
        "{by_hand}"
    );
}

#[tokio::test]
async fn whoever_dies_on_the_way_leaves_nothing_that_a_repeat_does_not_end() {
    let mut deaths = 0;
    for number in 0.. {
        let mut is_over = false;
        for is_carried_out in [false, true] {
            let shop = Shop::open().await;
            shop.pay_for("o1", PRO).await;
            shop.pay_for("o1", ENTERPRISE).await;
            let event = shop.stripe.take_events().remove(0);
            assert_eq!(shop.app.receipt(&event).await, "queued");
            let task = shop.app.queue.take().remove(0);
            shop.stripe.kill_at(number, is_carried_out);
            tokio::select! {
                status = shop.app.bring(&task) => {
                    assert!(status.is_success());
                    is_over = true;
                }
                () = shop.stripe.death() => {
                    deaths += 1;
                    let is_ended = shop.statuses()[0] == "canceled";
                    assert!(is_ended || shop.told().is_empty(), "{number}");
                    assert!(!is_ended || shop.recorded().len() == 1, "{number}");
                    let again = shop.app.bring(&task).await;
                    assert!(again.is_success(), "{number}");
                }
            }
            assert_eq!(shop.statuses(), ["canceled", "active"], "{number}");
            assert_eq!(shop.told().len(), 1, "{number}");
            assert_eq!(shop.recorded().len(), 1, "{number}");
        }
        if is_over {
            break;
        }
    }
    assert!(deaths >= 6, "{deaths}");
}

/// The event has Stripe's own of the end beside it, and the night comes once more.
#[tokio::test]
async fn whatever_the_database_does_an_end_is_recorded_and_told_once() {
    let mut failures = 0;
    for number in 0.. {
        let mut is_over = false;
        for is_applied in [false, true] {
            let shop = Shop::open().await;
            shop.pay_for("o1", PRO).await;
            shop.pay_for("o1", ENTERPRISE).await;
            let event = shop.stripe.take_events().remove(0);
            assert_eq!(shop.app.receipt(&event).await, "queued");
            let task = shop.app.queue.take().remove(0);
            shop.app.db.fail_commit_after(number, is_applied);
            if shop.app.bring(&task).await.is_success() {
                is_over = true;
                continue;
            }
            failures += 1;
            let again = shop.app.bring(&task).await;
            assert!(again.is_success(), "{number}");
            shop.settle().await;
            let night = shop.app.send(called("/reconcile", "")).await;
            assert_eq!(night.status, 200, "{}", night.body);
            assert_eq!(shop.statuses(), ["canceled", "active"], "{number}");
            assert_eq!(shop.told().len(), 1, "{number}");
            assert_eq!(shop.recorded().len(), 1, "{number}");
        }
        if is_over {
            break;
        }
    }
    assert!(failures >= 6, "{failures}");
}

#[tokio::test]
async fn what_no_event_told_of_is_found_at_night() {
    let shop = Shop::open().await;
    shop.pay_for("o1", PRO).await;
    shop.settle().await;
    shop.pay_for("o1", PRO).await;
    let _ = shop.stripe.take_events();
    let answer = shop.app.send(called("/reconcile", "")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(shop.statuses(), ["active", "canceled"]);
    assert_eq!((shop.told().len(), shop.recorded().len()), (1, 1));
}

/// Stripe has ended it, and who had asked died before the mail was written.
#[tokio::test]
async fn what_is_ended_and_not_told_is_told_at_night() {
    let shop = Shop::open().await;
    shop.pay_for("o1", PRO).await;
    shop.pay_for("o1", ENTERPRISE).await;
    let event = shop.stripe.take_events().remove(0);
    assert_eq!(shop.app.receipt(&event).await, "queued");
    let task = shop.app.queue.take().remove(0);
    // Two lists of subscriptions, the usage that goes first, and the end.
    shop.stripe.kill_at(3, true);
    tokio::select! {
        status = shop.app.bring(&task) => panic!("{status}"),
        () = shop.stripe.death() => {}
    }
    assert_eq!(shop.statuses(), ["canceled", "active"]);
    assert_eq!((shop.told().len(), shop.recorded().len()), (0, 1));
    let night = shop.app.send(called("/reconcile", "")).await;
    assert_eq!(night.status, 200, "{}", night.body);
    assert_eq!((shop.told().len(), shop.recorded().len()), (1, 1));
}

/// It was to be ended; then the other one ended, and it is all that is left.
#[tokio::test]
async fn one_that_goes_on_after_all_is_not_told_of() {
    let shop = Shop::open().await;
    shop.pay_for("o1", PRO).await;
    shop.pay_for("o1", ENTERPRISE).await;
    let event = shop.stripe.take_events().remove(0);
    assert_eq!(shop.app.receipt(&event).await, "queued");
    let task = shop.app.queue.take().remove(0);
    // Two lists of subscriptions, and the usage that goes first.
    shop.stripe.kill_at(2, false);
    tokio::select! {
        status = shop.app.bring(&task) => panic!("{status}"),
        () = shop.stripe.death() => {}
    }
    assert_eq!((shop.told().len(), shop.recorded().len()), (0, 1));
    let other = shop.subscriptions().pop().unwrap();
    shop.stripe
        .set_status(other["id"].as_str().unwrap(), "canceled");
    shop.settle().await;
    assert_eq!(shop.statuses(), ["active", "canceled"]);
    assert_eq!(shop.told().iter().filter(is_bought_twice).count(), 0);
    let customer = RecordId::parse(&shop.customer).unwrap();
    let known = shop
        .app
        .store
        .find_stripe_customer(&CALLER, &customer)
        .await;
    assert_eq!(known.unwrap().unwrap().value.ending, [""; 0]);
}

fn is_bought_twice(message: &&OutboxMessage) -> bool {
    let notice = BillingNotice::BoughtTwice;
    matches!(message, OutboxMessage::BillingNotice { notice: told, .. } if *told == notice)
}

/// The key of this Stripe may end nothing.
#[tokio::test]
async fn a_refusal_to_end_one_does_not_keep_the_tier_from_being_applied() {
    let app = TestApp::new().await;
    app.add_member("ada", Role::Admin).await;
    let all = ["pro_monthly", "enterprise_monthly"];
    let all = all.map(|key| subscription(key, "active", key));
    let bought = all.map(|mut it| {
        it.org_id = Some(OrgId::parse("o1").unwrap());
        it
    });
    app.stripe.set_all("cus_1", bought.to_vec());
    assert_eq!(
        app.outcome(&checkout("evt_1", "cus_1", "o1")).await,
        "applied"
    );
    assert_eq!(app.tier().await, SubscriptionTier::Enterprise);
    let updated = subscription_event("evt_2", "customer.subscription.updated");
    assert_eq!(app.outcome(&updated).await, "applied");
    assert_eq!(app.stripe.ended(), ["pro_monthly"; 2]);
    assert_eq!(recorded(&app).len(), 1);
    assert_eq!(app.db.count("outbox"), 0, "it is not ended");
}
