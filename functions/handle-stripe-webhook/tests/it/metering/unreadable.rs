//! What cannot be read stays where it is, and holds nothing else back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use handle_stripe_webhook::Meter;
use serde::Serialize;
use serde_json::json;
use shared::{
    clock::Clock,
    ids::{OrgId, RecordId},
    models::{MeterRow, MeterRowState, Metering, SubscriptionTier, Timestamp, UsageEntry},
    store::{document_db::DocumentPath, meter_events},
};

use super::world::{INCLUDED, World};

/// What no entry can be, and is to be metered.
fn spoilt_entry(org_id: &str) -> serde_json::Value {
    let meter = json!({ "state": "pending" });
    json!({ "orgId": org_id, "meter": meter, "inputTokens": "many" })
}

#[tokio::test]
async fn an_organization_that_fails_holds_nobody_else_back() {
    let world = World::over().await;
    let broken = UsageEntry {
        org_id: OrgId::parse("a-broken-one").unwrap(),
        ..world.settled("broken", 5)
    };
    world.keep(&broken).await;
    let organization = DocumentPath::new("organizations", "a-broken-one");
    let path = organization.child("metering", "2026-11");
    world.spoil(path, json!({ "counted": "many" })).await;
    world.run().await;
    let entries = world.entries().into_iter();
    let pending = entries.filter(|entry| entry.meter == Some(Metering::Pending));
    let pending: Vec<String> = pending.map(|entry| entry.id.to_string()).collect();
    assert_eq!(pending, ["broken"]);
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_holds_no_other_back() {
    let world = World::over().await;
    // More than are read at once, and before all others.
    for number in 0..250 {
        let path = DocumentPath::new("usage_ledger", &format!("a{number}"));
        world.spoil(path, spoilt_entry("o1")).await;
    }
    let path = DocumentPath::new("usage_ledger", "a-nobodys");
    world
        .spoil(path, json!({ "meter": { "state": "pending" } }))
        .await;
    let metered = world.run().await;
    assert_eq!((metered.counted, metered.sent), (5, 3));
}

/// What no row can be, and is due.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpoiltRow {
    minute: Timestamp,
    due_at: Timestamp,
    customer_id: &'static str,
    tokens: &'static str,
}

#[tokio::test]
async fn a_row_that_cannot_be_read_holds_no_other_back() {
    let world = World::over().await;
    let spoilt = SpoiltRow {
        minute: world.now(),
        due_at: world.now(),
        customer_id: "cus_1",
        tokens: "many",
    };
    // More than are read at once, and before all others.
    for number in 0..600 {
        let path = DocumentPath::new("meter_events", &format!("a{number}"));
        world.spoil(path, &spoilt).await;
    }
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.run().await.sent, 3);
}

#[tokio::test]
async fn a_minute_of_which_a_row_cannot_be_read_holds_no_other_row_back() {
    let world = World::over().await;
    world.stripe.plan([Some(super::stripe::Fault::Down)]);
    world.run().await;
    let open = world.rows().into_values();
    let open = open.filter(|row| row.state == MeterRowState::Sending);
    let open: Vec<_> = open.collect();
    assert_eq!(open.len(), 1);
    let spoilt = SpoiltRow {
        minute: open[0].minute,
        due_at: world.now().plus_seconds(48 * 3_600),
        customer_id: "cus_1",
        tokens: "many",
    };
    let path = DocumentPath::new("meter_events", "spoilt");
    world.spoil(path, spoilt).await;
    world.clock.advance(Duration::from_hours(24));
    assert_eq!(world.run().await.sent, 2);
}

#[tokio::test]
async fn organizations_that_cannot_be_read_keep_nobody_elses_usage_from_stripe() {
    let world = World::over().await;
    world.stripe.plan([Some(super::stripe::Fault::Down)]);
    world.run().await;
    for number in 0..8 {
        let path = DocumentPath::new("organizations", &format!("broken{number}"));
        world.spoil(path, json!({ "name": 7 })).await;
        let row = MeterRow {
            id: RecordId::generate(),
            org_id: OrgId::parse(format!("broken{number}")).unwrap(),
            customer_id: format!("cus_0{number}"),
            ..world.rows()["u2"].clone()
        };
        let write = meter_events::create(&row).unwrap();
        world.store.commit(vec![write]).await.unwrap();
    }
    world.clock.advance(Duration::from_mins(6));
    assert_eq!(world.run().await.sent, 3);
}

/// A clock on which each look takes 100 ms.
struct Busy(AtomicI64);

impl Clock for Busy {
    fn now(&self) -> jiff::Timestamp {
        let millisecond = self.0.fetch_add(100, Ordering::Relaxed);
        jiff::Timestamp::from_millisecond(millisecond).unwrap()
    }
}

#[tokio::test]
async fn a_ledger_that_is_far_behind_leaves_time_to_send_what_is_due() {
    let world = World::over().await;
    world.meter.run().await.unwrap();
    assert_eq!(world.stripe.requests().len(), 3);
    world.call("due", 10).await;
    // Decided, and not sent yet.
    world.stripe.plan([Some(super::stripe::Fault::Down)]);
    world.meter.run().await.unwrap();
    for number in 0..150 {
        let id = format!("org{number}");
        world.add(&id, SubscriptionTier::Pro, Some("cus_2")).await;
        let mut entry = world.settled(&format!("n{number}"), INCLUDED);
        entry.org_id = OrgId::parse(&id).unwrap();
        world.keep(&entry).await;
    }
    world.clock.advance(Duration::from_mins(6));
    let now = world.clock.now().as_millisecond();
    let clock = Arc::new(Busy(AtomicI64::new(now)));
    let meter = Meter::new(world.store.clone(), world.stripe.clone(), clock);
    let metered = meter.run().await.unwrap();
    assert!(metered.counted > 0 && metered.counted < 150, "{metered:?}");
    assert_eq!(metered.sent, 1, "{metered:?}");
}
