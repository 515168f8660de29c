//! Usage is billed by the plan that it was used on, whenever it is metered.

use std::time::Duration;

use shared::models::{Metering, SubscriptionTier};

use super::world::{self, World};
use crate::app::{TestApp, subscription_event};

use SubscriptionTier::{Enterprise, Free, Pro};

/// The plan changes now, as an event of Stripe has it.
async fn change(world: &World, tier: SubscriptionTier) {
    let now = world.now();
    world
        .change(|organization| organization.change_tier(tier, now))
        .await;
    world.clock.advance(Duration::from_secs(1));
}

#[tokio::test]
async fn an_upgrade_counts_what_was_billed_before() {
    let world = World::over().await;
    world.run().await;
    change(&world, Enterprise).await;
    world.call("u5", 44_000_000).await;
    world.call("u6", 1_000_000).await;
    world.run().await;
    assert_eq!(world.metering("u5"), Metering::Included);
    assert_eq!(
        world.metering("u6"),
        Metering::Included,
        "50M and what was billed"
    );
    world.call("u7", 10).await;
    world.run().await;
    assert_eq!(world.metering("u7"), Metering::Due { tokens: 10 });
}

#[tokio::test]
async fn what_was_used_before_a_change_is_metered_by_the_plan_of_its_time() {
    for later in [Free, Enterprise] {
        let world = World::over().await;
        change(&world, later).await;
        world.run().await;
        world.assert_billed_once(&format!("{later:?}"));
    }
}

#[tokio::test]
async fn a_downgrade_bills_what_is_used_from_then_on() {
    let world = World::empty();
    world.add("o1", Enterprise, Some("cus_1")).await;
    world.call("u0", 20_000_000).await;
    world.clock.advance(Duration::from_secs(1));
    change(&world, Pro).await;
    world.call("u1", 10).await;
    world.run().await;
    assert_eq!(world.metering("u0"), Metering::Included);
    assert_eq!(world.metering("u1"), Metering::Due { tokens: 10 });
}

#[tokio::test]
async fn what_was_used_before_anything_was_sold_is_billed_by_no_later_plan() {
    let world = World::empty();
    world.add("o1", Free, Some("cus_1")).await;
    world.call("u0", world::INCLUDED + 10).await;
    world.clock.advance(Duration::from_secs(1));
    change(&world, Pro).await;
    world.run().await;
    assert_eq!(world.metering("u0"), Metering::Unbilled);
}

#[tokio::test]
async fn the_events_of_stripe_have_the_former_plan_remembered() {
    let app = TestApp::with_customer().await;
    app.stripe.set("cus_1", "active", "pro_monthly");
    app.outcome(&subscription_event("evt_1", "invoice.paid"))
        .await;
    let organization = app.organization("o1").await.unwrap().value;
    let at_once = app.now().plus_seconds(-1);
    assert_eq!(
        (
            organization.tier_at(at_once),
            organization.tier_at(app.now())
        ),
        (Free, Pro)
    );
}
