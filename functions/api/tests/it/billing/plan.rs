//! Another plan for the subscription that stands: in one call, at once, and not without its payment.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use shared::{
    clock::Clock,
    ids::RecordId,
    models::{MeterRow, MeterRowState, Timestamp},
    store::meter_events,
    testing::StripeFault,
};

use super::Shop;
use crate::app::{Answer, json_body, request};

pub(super) const ENTERPRISE: [&str; 2] = ["enterprise_monthly", "enterprise_tokens_monthly"];
pub(super) const PRO: [&str; 2] = ["pro_monthly", "pro_tokens_monthly"];

impl Shop {
    /// An organization on the smaller plan, in a shop that sells the larger one as well.
    pub(super) async fn on_pro() -> Self {
        let shop = Self::open().await;
        let meter = shop.stripe.objects("meter")[0]["id"].clone();
        let _ = shop
            .stripe
            .add_price(ENTERPRISE[1], 1, Some(meter.as_str().unwrap()));
        shop.subscribe().await;
        let _ = shop.stripe.take_events();
        shop
    }

    pub(super) async fn change_plan(&self, body: &Value) -> Answer {
        self.app.post("guest", "/billing/plan", body).await
    }

    pub(super) async fn change_to(&self, tier: &str) -> Answer {
        self.change_plan(&json!({ "tier": tier })).await
    }

    pub(super) fn subscription(&self) -> Value {
        let mut all = self.stripe.objects("subscription");
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn items(&self) -> Vec<Value> {
        let subscription = self.subscription();
        subscription["items"]["data"].as_array().unwrap().clone()
    }

    pub(super) fn lookup_keys(&self) -> Vec<String> {
        let items = self.items().into_iter();
        let keys = items.map(|item| item["price"]["lookup_key"].as_str().unwrap().to_owned());
        keys.collect()
    }

    pub(super) fn last_invoice(&self) -> Value {
        self.stripe.objects("invoice").pop().unwrap()
    }

    pub(super) fn changes(&self) -> usize {
        let calls = self.stripe.calls().into_iter();
        let changes = calls
            .filter(|call| call.method == "POST" && call.path.starts_with("/v1/subscriptions/"));
        changes.count()
    }

    fn meter_row(&self, tokens: i64, state: MeterRowState) -> MeterRow {
        let now: Timestamp = self.app.clock.now().into();
        MeterRow {
            id: RecordId::generate(),
            org_id: self.org_id.clone(),
            customer_id: "cus_deleted".to_owned(),
            tokens,
            at: now,
            minute: now,
            day: "2026-11-23".to_owned(),
            state,
            attempts: 1,
            first_attempt_at: Some(now),
            last_attempt_at: Some(now),
            due_at: Some(now),
            sent_at: None,
            last_error: None,
        }
    }
}

#[tokio::test]
async fn a_larger_plan_is_one_call_that_begins_a_period_and_charges_the_difference() {
    let shop = Shop::on_pro().await;
    let before = shop.items();
    shop.app.clock.advance(Duration::from_secs(15 * 24 * 3_600));
    let answer = shop.change_to("enterprise").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let expected = json!({
        "status": "changed",
        "lookupKey": "enterprise_monthly",
        "payUrl": null,
    });
    assert_eq!(answer.body, expected);
    assert_eq!(shop.lookup_keys(), ENTERPRISE);
    let ids = |items: &[Value]| items.iter().map(|it| it["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&shop.items()), ids(&before), "the items are the same");
    assert_ne!(
        shop.items()[0]["current_period_end"],
        before[0]["current_period_end"]
    );
    assert_eq!(shop.changes(), 1);
    let invoice = shop.last_invoice();
    assert_eq!(
        (&invoice["total"], &invoice["status"]),
        (&json!(99_000 - 2_450), &json!("paid"))
    );
    assert_eq!(shop.audited().last(), Some(&"BILLING_PLAN_CHANGE"));
    let told: Vec<_> = shop.stripe.take_events();
    let told: Vec<_> = told.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(told, ["customer.subscription.updated", "invoice.paid"]);
    assert_eq!(shop.stripe.problems(), [""; 0]);
}

#[tokio::test]
async fn a_payment_that_fails_leaves_the_plan_and_tells_where_to_pay() {
    let shop = Shop::on_pro().await;
    let customer = shop.organization().await.stripe_customer_id.unwrap();
    shop.stripe.decline(&customer, true);
    let answer = shop.change_to("enterprise").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let invoice = shop.last_invoice();
    assert_eq!(answer.body["status"], "payment_required");
    assert_eq!(answer.body["payUrl"], invoice["hosted_invoice_url"]);
    assert!(answer.body["payUrl"].is_string());
    assert_eq!(shop.lookup_keys(), PRO);
    assert_eq!(shop.subscription()["status"], "active");
    assert!(shop.stripe.pay_invoice(invoice["id"].as_str().unwrap()));
    assert_eq!(shop.lookup_keys(), ENTERPRISE);
    assert_eq!(shop.stripe.problems(), [""; 0]);
}

#[tokio::test]
async fn a_change_that_stripe_refuses_is_told_and_changes_nothing() {
    let shop = Shop::on_pro().await;
    shop.stripe.fail_at(2, StripeFault::Status(402));
    let answer = shop.change_to("enterprise").await;
    assert_eq!(answer.refusal(), (409, "failed_precondition"));
    assert_eq!(shop.lookup_keys(), PRO);
    let asked_at = shop.organization().await.plan_asked_at;
    assert_eq!(
        asked_at,
        Some(shop.app.clock.now().into()),
        "before it was asked"
    );
}

#[tokio::test]
async fn nobody_changes_the_plan_while_much_usage_may_be_on_its_way_to_stripe() {
    for (tokens, state, is_deleted, status) in [
        (50_001, MeterRowState::Sending, false, 409),
        (50_000, MeterRowState::Sending, false, 200),
        (50_001, MeterRowState::Due, false, 200),
        (50_001, MeterRowState::Sending, true, 200),
    ] {
        let shop = Shop::on_pro().await;
        let mut row = shop.meter_row(tokens, state);
        if !is_deleted {
            row.customer_id = shop.organization().await.stripe_customer_id.unwrap();
        }
        let write = meter_events::create(&row).unwrap();
        shop.app.store.commit(vec![write]).await.unwrap();
        let answer = shop.change_to("enterprise").await;
        assert_eq!(answer.status, status, "{tokens} {state:?}: {}", answer.body);
        assert_eq!(shop.changes(), usize::from(status == 200));
    }
}

#[tokio::test]
async fn the_plan_that_it_is_already_is_no_change() {
    let shop = Shop::on_pro().await;
    let id = shop.subscription()["id"].as_str().unwrap().to_owned();
    let audited = shop.audited();
    for status in ["active", "past_due"] {
        shop.stripe.set_status(&id, status);
        let answer = shop.change_to("pro").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.body["status"], "unchanged");
    }
    assert_eq!((shop.changes(), shop.audited()), (0, audited));
}

#[tokio::test]
async fn a_subscription_that_cannot_be_changed_is_told_why() {
    let table = [
        ("past_due", "not paid"),
        ("unpaid", "not paid"),
        ("paused", "rests"),
        ("canceled", "open a checkout"),
    ];
    for (status, why) in table {
        let shop = Shop::on_pro().await;
        let id = shop.subscription()["id"].as_str().unwrap().to_owned();
        shop.stripe.set_status(&id, status);
        assert_refused(&shop, why).await;
    }
    let shop = Shop::on_pro().await;
    let id = shop.subscription()["id"].as_str().unwrap().to_owned();
    let ending = "cancel_at_period_end";
    shop.stripe.change("subscription", &id, ending, json!(true));
    assert_refused(&shop, "to end").await;

    let shop = Shop::on_pro().await;
    let id = shop.subscription()["id"].as_str().unwrap().to_owned();
    let classic = json!({ "flexible": null, "type": "classic" });
    shop.stripe
        .change("subscription", &id, "billing_mode", classic);
    assert_refused(&shop, "classic billing mode").await;
}

pub(super) async fn assert_refused(shop: &Shop, why: &str) {
    let answer = shop.change_to("enterprise").await;
    assert_eq!(answer.refusal(), (409, "failed_precondition"), "{why}");
    let message = answer.body["error"]["message"].as_str().unwrap();
    assert!(message.contains(why), "{why}: {message}");
    assert_eq!(shop.changes(), 0, "{why}");
}

#[tokio::test]
async fn who_has_bought_nothing_is_sent_to_a_checkout_and_free_is_no_plan_to_buy() {
    let shop = Shop::open().await;
    assert_refused(&shop, "open a checkout").await;
    shop.buy_pro().await;
    assert_refused(&shop, "open a checkout").await;
    let free = shop.change_to("free").await;
    assert_eq!(free.refusal(), (400, "invalid_argument"));
    assert_eq!(free.fields(), ["tier"]);
}

#[tokio::test]
async fn a_repeat_with_the_same_key_changes_once() {
    let shop = Shop::on_pro().await;
    let change = async |key: &str, tier: &str| {
        let request = request(Method::POST, "/billing/plan", "guest");
        let request = request.header("Idempotency-Key", key);
        let body = json!({ "tier": tier });
        shop.app.send(json_body(request, &body)).await
    };
    let first = change("k1", "enterprise").await;
    assert_eq!(first.body["status"], "changed", "{}", first.body);
    assert_eq!(change("k1", "enterprise").await.body, first.body);
    assert_eq!(shop.changes(), 1);
    assert_eq!(change("k1", "pro").await.refusal(), (409, "already_exists"));
}

#[tokio::test]
async fn a_change_that_dies_at_any_call_is_completed_by_the_next() {
    let reference = Shop::on_pro().await;
    let before = reference.stripe.calls().len();
    reference.change_to("enterprise").await;
    let calls = reference.stripe.calls().len() - before;
    assert!(calls >= 3, "{calls}");
    for number in 0..calls {
        for is_carried_out in [false, true] {
            let shop = Shop::on_pro().await;
            shop.stripe.kill_at(number, is_carried_out);
            tokio::select! {
                answer = shop.change_to("enterprise") => panic!("{number}: {}", answer.body),
                () = shop.stripe.death() => {}
            }
            let again = shop.change_to("enterprise").await;
            assert_eq!(again.status, 200, "{number}: {}", again.body);
            assert_eq!(shop.lookup_keys(), ENTERPRISE);
            let invoices = shop.stripe.objects("invoice");
            assert_eq!(invoices.len(), 2, "{number}: charged once");
            assert!(shop.audited().contains(&"BILLING_PLAN_CHANGE"));
        }
    }
}

#[tokio::test]
async fn an_outage_of_stripe_is_told_and_leaves_the_plan() {
    let shop = Shop::on_pro().await;
    shop.stripe.fail_next([StripeFault::Status(503); 4]);
    let answer = shop.change_to("enterprise").await;
    assert_eq!(answer.refusal(), (503, "unavailable"));
    assert_eq!(shop.lookup_keys(), PRO);
}
