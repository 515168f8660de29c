//! Subscriptions that somebody makes in Stripe's dashboard, beside those of the plans.

use serde_json::{Value, json};
use shared::models::SubscriptionTier;

use super::{
    Shop,
    plan::{ENTERPRISE, assert_refused},
};

impl Shop {
    /// Has somebody subscribe the organization's customer by hand to a price with this lookup key;
    /// the subscription's id.
    async fn subscribe_by_hand(&self, lookup_key: &str) -> String {
        let customer = self.organization().await.stripe_customer_id.unwrap();
        let mut prices = self.stripe.objects("price").into_iter();
        let known = prices.find(|price| price["lookup_key"] == lookup_key);
        let price = known.map_or_else(
            || self.stripe.add_price(lookup_key, 10_000, None),
            |price| price["id"].as_str().unwrap().to_owned(),
        );
        self.stripe.subscribe(&customer, &[&price])
    }

    /// The lookup keys of a subscription.
    fn keys_of(&self, id: &str) -> Vec<Value> {
        let mut all = self.stripe.objects("subscription").into_iter();
        let found = all.find(|it| it["id"] == id).unwrap();
        let items = found["items"]["data"].as_array().unwrap().iter();
        items
            .map(|item| item["price"]["lookup_key"].clone())
            .collect()
    }
}

#[tokio::test]
async fn one_for_something_else_keeps_nobody_from_buying_a_plan() {
    let shop = Shop::open().await;
    shop.buy_pro().await;
    shop.subscribe_by_hand("support").await;
    assert_refused(&shop, "open a checkout").await;
    let page = shop.buy_pro().await;
    assert_eq!(page.status, 201, "{}", page.body);
    assert!(shop.stripe.pay(page.id()));
    let second = shop.buy_pro().await;
    assert_eq!(second.refusal(), (409, "failed_precondition"));
}

#[tokio::test]
async fn one_for_something_else_stays_when_the_plan_beside_it_is_changed() {
    let shop = Shop::on_pro().await;
    let plan = shop.subscription()["id"].as_str().unwrap().to_owned();
    let support = shop.subscribe_by_hand("support").await;
    let answer = shop.change_to("enterprise").await;
    assert_eq!(answer.body["status"], "changed", "{}", answer.body);
    assert_eq!(shop.keys_of(&plan), ENTERPRISE);
    assert_eq!(shop.keys_of(&support), ["support"]);
}

#[tokio::test]
async fn a_plan_that_was_sold_by_hand_is_neither_bought_again_nor_changed() {
    let shop = Shop::open().await;
    shop.buy_pro().await;
    shop.subscribe_by_hand("enterprise_acme").await;
    assert_refused(&shop, "none of the plans").await;
    let second = shop.buy_pro().await;
    assert_eq!(second.refusal(), (409, "failed_precondition"));
}

#[tokio::test]
async fn two_for_plans_are_not_changed() {
    let shop = Shop::on_pro().await;
    shop.subscribe_by_hand("pro_monthly").await;
    assert_refused(&shop, "two subscriptions").await;
}

/// The webhook knows products that nobody else does, and keeps the tier by prices that it does not
/// know.
#[tokio::test]
async fn one_that_may_be_what_the_tier_is_paid_by_is_neither_bought_again_nor_changed() {
    let shop = Shop::open().await;
    shop.buy_pro().await;
    let made = shop.subscribe_by_hand("made_for_acme").await;
    for tier in [SubscriptionTier::Pro, SubscriptionTier::Enterprise] {
        shop.change(|it| it.subscription_tier = tier).await;
        assert_refused(&shop, "made by hand").await;
        let second = shop.buy_pro().await;
        assert_eq!(second.refusal(), (409, "failed_precondition"));
        let message = second.body["error"]["message"].as_str().unwrap();
        assert!(message.contains("made by hand"), "{message}");
        assert_eq!(shop.pages(), ["open"], "the one from before");
    }
    shop.stripe.set_status(&made, "canceled");
    assert_refused(&shop, "open a checkout").await;
    assert_eq!(shop.buy_pro().await.status, 201);
}

/// It is paid, whatever it is for.
#[tokio::test]
async fn an_organization_with_one_for_something_else_is_not_closed() {
    let shop = Shop::open().await;
    shop.buy_pro().await;
    let support = shop.subscribe_by_hand("support").await;
    assert_eq!(shop.close().await.status, 400);
    shop.stripe.set_status(&support, "canceled");
    assert_eq!(shop.close().await.status, 204);
}

#[tokio::test]
async fn an_item_that_was_added_by_hand_stays() {
    let shop = Shop::on_pro().await;
    let support = shop.stripe.add_price("support", 10_000, None);
    let id = shop.subscription()["id"].as_str().unwrap().to_owned();
    let form =
        json!({ "items": [{ "price": support, "quantity": 1 }], "proration_behavior": "none" });
    let path = format!("/subscriptions/{id}");
    let added = shop.stripe.client();
    let _: Value = added.write(&path, &form, "by hand").await.unwrap();
    assert_eq!(shop.change_to("enterprise").await.body["status"], "changed");
    let keys = shop.lookup_keys();
    assert!(keys.contains(&"support".to_owned()), "{keys:?}");
    assert_eq!(keys.len(), 3, "{keys:?}");
}
