//! Usage reaches Stripe once, whatever happens on the way.

mod failures;
mod http;
mod kills;
mod periods;
mod races;
mod reconciliation;
mod routes;
mod stripe;
mod terms;
mod unreadable;
mod world;

use std::time::Duration;

use futures::future::join_all;
use shared::{
    llm::Usage,
    models::{Metering, SubscriptionTier, UsageEntry, UsageState},
    quota::{Admissions, admissions::FirestoreAdmissions},
};

use self::world::World;

#[tokio::test]
async fn only_what_is_above_the_included_amount_is_billed() {
    let world = World::over().await;
    let metered = world.run().await;
    assert_eq!((metered.counted, metered.sent), (5, 3));
    assert_eq!(world.metering("u0"), Metering::Included);
    assert_eq!(world.metering("u1"), Metering::Due { tokens: 500_000 });
    assert_eq!(world.metering("u2"), Metering::Due { tokens: 300_000 });
    assert_eq!(world.metering("u3"), Metering::Due { tokens: 200_000 });
    assert_eq!(world.metering("u4"), Metering::Included);
    world.assert_billed_once("one run");
    let month = world.month().await;
    assert_eq!((month.counted, month.billed), (6_000_000, 1_000_000));
}

#[tokio::test]
async fn a_limit_that_admins_set_between_use_and_metering_forgives_nothing() {
    let world = World::over().await;
    world
        .change(|organization| organization.limits.own_monthly_tokens = Some(0))
        .await;
    assert_eq!(world.run().await.sent, 3);
    world.assert_billed_once("a limit of zero");
}

#[tokio::test]
async fn usage_that_is_metered_late_counts_now_and_not_on_an_invoice_that_is_closed() {
    let world = World::over().await;
    world.clock.advance(Duration::from_hours(2));
    world.run().await;
    let rows = world.rows();
    assert_eq!(rows.len(), 3);
    assert!(rows.values().all(|row| row.at == world.now()));
    world.assert_billed_once("late");
}

#[tokio::test]
async fn an_acknowledged_event_is_never_sent_again() {
    let world = World::over().await;
    world.run().await;
    world.run_for_hours(30).await;
    assert_eq!(world.stripe.requests().len(), 3);
}

#[tokio::test]
async fn many_entries_are_decided_in_batches_with_the_same_sum() {
    let world = World::new().await;
    world.call("first", world::INCLUDED - 10).await;
    for number in 0..450 {
        world.call(&format!("n{number}"), 1).await;
    }
    world.run().await;
    world.assert_billed_once("batches");
    assert_eq!(world.month().await.entries, 451);
}

#[tokio::test]
async fn each_month_has_its_own_included_amount() {
    let world = World::over().await;
    world.clock.advance(Duration::from_hours(9 * 24));
    world.call("december", 5_000_000).await;
    world.run().await;
    assert_eq!(world.metering("december"), Metering::Included);
    let billed: i64 = world.stripe.counted().into_values().flatten().sum();
    assert_eq!(billed, 1_000_000);
}

#[tokio::test]
async fn tokens_of_own_keys_are_neither_billed_nor_included() {
    let world = World::new().await;
    let own = UsageEntry {
        is_own_key: true,
        ..world.settled("own", 9_000_000)
    };
    world.keep(&own).await;
    world.call("u0", 5_000_000).await;
    world.run().await;
    assert_eq!(world.metering("own"), Metering::OwnKey);
    assert_eq!(world.metering("u0"), Metering::Included);
    assert_eq!(world.month().await.own_key, 9_000_000);
    assert!(world.stripe.requests().is_empty());
}

#[tokio::test]
async fn who_has_no_overage_or_no_customer_pays_nothing_and_is_told_so() {
    for (tier, customer) in [
        (SubscriptionTier::Free, Some("cus_1")),
        (SubscriptionTier::Pro, None),
    ] {
        let world = World::empty();
        world.add("o1", tier, customer).await;
        world.call("u0", 6_000_000).await;
        world.run().await;
        assert_eq!(world.metering("u0"), Metering::Unbilled);
        assert!(world.rows().is_empty());
        let month = world.month().await;
        assert_eq!(month.billed, 0);
        assert!(month.unbilled > 0);
    }
}

#[tokio::test]
async fn what_was_used_before_there_was_a_customer_is_not_made_up_for() {
    let world = World::empty();
    world.add("o1", SubscriptionTier::Pro, None).await;
    world.call("u0", 6_000_000).await;
    world.run().await;
    world
        .change(|organization| organization.stripe_customer_id = Some("cus_1".to_owned()))
        .await;
    world.call("u1", 100).await;
    world.run().await;
    assert_eq!(world.metering("u1"), Metering::Due { tokens: 100 });
}

#[tokio::test]
async fn two_meters_at_once_bill_nothing_twice() {
    let world = World::over().await;
    for _ in 0..3 {
        let (one, other) = tokio::join!(world.meter.run(), world.meter.run());
        let (one, other) = (one.unwrap(), other.unwrap());
        assert!(one.counted + other.counted <= 5);
        world.clock.advance(Duration::from_mins(6));
    }
    world.assert_billed_once("two meters");
    assert_eq!(world.stripe.requests().len(), 3);
}

#[tokio::test]
async fn calls_that_go_on_meanwhile_are_billed_once_too() {
    let world = World::new().await;
    let clock = world.clock.shared();
    let admissions = FirestoreAdmissions::new(world.store.clone(), clock);
    let call = async |number: i64| {
        let entry = UsageEntry {
            state: UsageState::Reserved,
            meter: None,
            ..world.settled(&format!("c{number}"), 400_000)
        };
        let admission = admissions.reserve(&entry).await.unwrap();
        let usage = Usage {
            input_tokens: 300_000 + number,
            output_tokens: 1,
            ..Usage::default()
        };
        admissions
            .settle(&admission, &admission.book(&usage, 1))
            .await
            .unwrap();
    };
    let metering = async {
        for _ in 0..30 {
            world.run().await;
        }
    };
    tokio::join!(join_all((0..24).map(call)), metering);
    world.run().await;
    world.assert_billed_once("meanwhile");
}
