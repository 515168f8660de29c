//! Usage is in a period of the subscription, also when the plan changes before Stripe is told of it.

use std::time::Duration;

use handle_stripe_webhook::Metered;
use shared::models::{MeterRowState, SubscriptionTier};

use super::{
    http::Shop,
    world::{INCLUDED, World},
};

impl Shop {
    /// With 200,000 tokens above what is included that nobody has told Stripe of, and a subscription.
    async fn subscribed() -> (Self, String) {
        let shop = Self::new().await;
        let customer = shop.world.organization().await.value.stripe_customer_id;
        let meter = shop.stripe.objects("meter")[0]["id"].clone();
        let price = shop
            .stripe
            .add_price("pro_tokens_monthly", 1, meter.as_str());
        let subscription = shop.stripe.subscribe(&customer.unwrap(), &[&price]);
        shop.world.clock.advance(Duration::from_mins(5));
        shop.world.call("u0", INCLUDED + 200_000).await;
        shop.world.clock.advance(Duration::from_secs(10));
        (shop, subscription)
    }

    /// As the API does it before it asks Stripe; tells whether it may.
    async fn ask_for_another_plan(&self) -> bool {
        let mut organization = self.world.organization().await;
        let may_ask = organization.value.ask_for_plan(self.world.now());
        self.world.change(|it| *it = organization.value).await;
        may_ask
    }

    /// Usage is counted, and Stripe is not told of it.
    async fn count_only(&self) {
        let meter = self.stripe.objects("meter")[0]["id"].clone();
        let meter = meter.as_str().unwrap();
        self.stripe
            .change("meter", meter, "status", "inactive".into());
        assert!(self.meter.run().await.is_err());
        self.stripe
            .change("meter", meter, "status", "active".into());
    }
}

#[tokio::test]
async fn usage_around_a_change_of_plan_is_told_when_it_is_made_and_counts_after_it() {
    let (shop, subscription) = Shop::subscribed().await;
    shop.count_only().await;
    assert!(shop.ask_for_another_plan().await);
    shop.world.clock.advance(Duration::from_secs(1));
    shop.world.call("u1", 1_000).await;
    let metered = shop.run().await;
    let Metered {
        counted,
        sent,
        postponed,
        ..
    } = metered;
    assert_eq!((counted, sent, postponed), (0, 0, 1), "it may be made now");
    shop.world.clock.advance(Duration::from_secs(1));
    shop.stripe.begin_period(&subscription);
    shop.world.clock.advance(Duration::from_mins(1));
    let metered = shop.run().await;
    assert_eq!(metered.sent, 2);
    assert_eq!(shop.stripe.lost_usage(), 0);
    shop.assert_billed_once("after the change");
}

#[tokio::test]
async fn a_change_that_stripe_tells_of_has_what_was_used_before_it_count_after_it() {
    let (shop, subscription) = Shop::subscribed().await;
    shop.stripe.begin_period(&subscription);
    let now = shop.world.now();
    shop.world
        .change(|organization| organization.change_tier(SubscriptionTier::Enterprise, now))
        .await;
    shop.run().await;
    assert_eq!(shop.stripe.lost_usage(), 0);
    shop.assert_billed_once("after the change");
}

#[tokio::test]
async fn usage_that_waited_for_hours_is_in_the_period_in_which_it_is_told() {
    let (shop, subscription) = Shop::subscribed().await;
    shop.count_only().await;
    assert_eq!(shop.world.state("u0"), MeterRowState::Due);
    shop.world.clock.advance(Duration::from_hours(3));
    shop.stripe.begin_period(&subscription);
    shop.run().await;
    assert_eq!(shop.stripe.lost_usage(), 0);
    shop.assert_billed_once("hours later");
}

#[tokio::test]
async fn nobody_keeps_usage_back_by_asking_for_another_plan_again_and_again() {
    let (shop, _) = Shop::subscribed().await;
    let mut refused = 0;
    for _ in 0..23 {
        refused += usize::from(!shop.ask_for_another_plan().await);
        shop.run().await;
        shop.world.clock.advance(Duration::from_secs(30));
    }
    assert!(refused > 0);
    shop.assert_billed_once("after eleven minutes");
}

#[tokio::test]
async fn after_the_end_of_a_subscription_usage_counts_when_it_was_made() {
    let world = World::over().await;
    let now = world.now();
    world
        .change(|organization| organization.change_tier(SubscriptionTier::Free, now))
        .await;
    world.clock.advance(Duration::from_secs(1));
    let calls: Vec<_> = world
        .entries()
        .iter()
        .map(|entry| entry.created_at)
        .collect();
    world.run().await;
    let rows = world.rows();
    assert_eq!(rows.len(), 3);
    assert!(rows.values().all(|row| calls.contains(&row.at)));
}
