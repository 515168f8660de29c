//! Stripe, the rows, the ledger and the quota are compared.

mod pages;

use std::{pin::pin, time::Duration};

use futures::poll;
use serde_json::json;
use shared::{
    clock::Clock,
    ids::{OrgId, RecordId},
    models::{
        MeterRow, MeterRowState, SubscriptionTier, SystemPrincipal, TokenQuota, UsageEntry,
        UsageReconcile, UsageReconciliation,
    },
    store::{
        document_db::DocumentPath,
        meter_events,
        organizations::{day_of, set_api_usage, set_token_quota},
    },
    stripe::MeterEvent,
};

use super::{stripe::Fault, world::World};

/// What is told of the day of [`World::over`], the day after.
async fn report(world: &World) -> UsageReconciliation {
    world.tick("/reconcile-usage").await;
    world.drain().await;
    find(world).await
}

async fn find(world: &World) -> UsageReconciliation {
    let caller = SystemPrincipal { function: "test" };
    let found = world.store.find_usage_reconciliation(&caller, "2026-11-23");
    found.await.unwrap().unwrap()
}

/// The quota's count, as the calls' own commits would have left it.
async fn count(world: &World, tokens: i64) {
    let org_id = OrgId::parse("o1").unwrap();
    let quota = TokenQuota {
        period: "2026-11".to_owned(),
        used: tokens,
        ..TokenQuota::default()
    };
    let writes = vec![
        set_token_quota(&org_id, &quota, None).unwrap(),
        set_api_usage(&org_id, tokens).unwrap(),
    ];
    world.store.commit(writes).await.unwrap();
}

#[tokio::test]
async fn what_agrees_is_told_to_agree() {
    let world = World::over().await;
    count(&world, 6_000_000).await;
    world.run().await;
    world.clock.advance(Duration::from_hours(24));
    let report = report(&world).await;
    assert_eq!(
        (report.customers, report.differing, report.drifting),
        (1, 0, 0)
    );
}

#[tokio::test]
async fn what_stripe_has_counted_beside_us_is_told_and_not_made_up_for() {
    let world = World::over().await;
    world.run().await;
    world.stripe.count_foreign(MeterEvent {
        event_name: "llm_tokens".to_owned(),
        customer_id: "cus_1".to_owned(),
        value: 7,
        identifier: "foreign".to_owned(),
        at: world.clock.now(),
    });
    world.clock.advance(Duration::from_hours(24));
    let report = report(&world).await;
    assert_eq!((report.customers, report.differing), (1, 1));
    let difference = &report.differences[0];
    assert_eq!((difference.sent, difference.stripe), (1_000_000, 1_000_007));
    assert_eq!(world.stripe.requests().len(), 3);
}

#[tokio::test]
async fn what_may_have_arrived_is_no_difference() {
    let world = World::over().await;
    world.stripe.plan([Some(Fault::Unheard)]);
    world.run().await;
    world.clock.advance(Duration::from_hours(24));
    let report = report(&world).await;
    assert_eq!((report.customers, report.differing), (1, 0));
}

/// A call is metered at each await of the comparison.
#[tokio::test]
async fn an_organization_whose_ledger_never_stands_still_is_named_and_not_taken_to_agree() {
    let world = World::over().await;
    count(&world, 6_000_000).await;
    world.run().await;
    world.clock.advance(Duration::from_hours(24));
    let mut look = pin!(world.tick("/reconcile-usage"));
    let mut calls = 0;
    while poll!(look.as_mut()).is_pending() {
        world.call(&format!("c{calls}"), 1).await;
        world.run().await;
        calls += 1;
    }
    world.drain().await;
    let report = find(&world).await;
    assert_eq!((report.failed, report.drifting), (1, 0));
    let failure = &report.failures[0];
    assert_eq!(failure.org_id, Some(OrgId::parse("o1").unwrap()));
    assert_eq!(failure.cause, "the ledger was summed up anew at each look");
}

#[tokio::test]
async fn counters_that_do_not_agree_with_the_ledger_are_told() {
    for (quota, api_usage, drifting) in [
        (6_000_000, 6_000_000, 0),
        (5_999_999, 5_999_999, 1),
        (6_000_001, 6_000_001, 1),
        (6_000_000, 5_000_000, 1),
    ] {
        let world = World::over().await;
        count(&world, quota).await;
        let org_id = OrgId::parse("o1").unwrap();
        let write = set_api_usage(&org_id, api_usage).unwrap();
        world.store.commit(vec![write]).await.unwrap();
        world.run().await;
        // Entries that nobody has summed up yet are in the ledger all the same.
        world.clock.advance(Duration::from_hours(24));
        let report = report(&world).await;
        assert_eq!(report.drifting, drifting, "{:?}", report.drifts);
    }
}
