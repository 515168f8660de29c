//! A meter that is slow, and another one that goes on meanwhile.

use std::{
    pin::{Pin, pin},
    time::Duration,
};

use futures::{
    future::{MaybeDone, maybe_done},
    poll,
};
use shared::{
    clock::Clock,
    ids::{OrgId, RecordId},
    models::{MeterRow, MeterRowState, SubscriptionTier},
    store::meter_events,
};

use super::world::World;

/// Polls in which a meter has done all that it does here.
const POLLS: usize = 20;

/// In one minute of a day ago, of the same size: `u1`, whose attempt never arrived and of which Stripe
/// may be asked in a second, and `u2`, which is due.
async fn world() -> World {
    let world = World::empty();
    // Whose subscription has ended keeps the times of its calls.
    world.add("o1", SubscriptionTier::Free, Some("cus_1")).await;
    let (now, at) = (world.now(), world.now().plus_seconds(-24 * 3_600));
    let due = MeterRow {
        id: RecordId::parse("u2").unwrap(),
        org_id: OrgId::parse("o1").unwrap(),
        customer_id: "cus_1".to_owned(),
        tokens: 20,
        at,
        minute: at,
        day: "2026-11-22".to_owned(),
        state: MeterRowState::Due,
        attempts: 0,
        first_attempt_at: None,
        last_attempt_at: None,
        due_at: Some(now),
        sent_at: None,
        last_error: None,
    };
    let open = MeterRow {
        id: RecordId::parse("u1").unwrap(),
        state: MeterRowState::Sending,
        attempts: 1,
        first_attempt_at: Some(at),
        last_attempt_at: Some(at),
        due_at: Some(now.plus_seconds(1)),
        ..due.clone()
    };
    let writes = [due, open].map(|row| meter_events::create(&row).unwrap());
    world.store.commit(writes.to_vec()).await.unwrap();
    world
}

/// Has a meter go on for so many polls; what it waits for comes between them.
async fn go_on<F: Future>(mut meter: Pin<&mut MaybeDone<F>>, polls: usize) {
    for _ in 0..polls {
        let _ = poll!(meter.as_mut());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_another_meter_sends_while_stripe_is_asked_is_not_taken_for_what_was_unheard() {
    for begun in 0..POLLS {
        for asked in 0..POLLS {
            let world = world().await;
            let mut slow = pin!(maybe_done(world.meter.run()));
            go_on(slow.as_mut(), begun).await;
            world.clock.advance(Duration::from_secs(1));
            let mut asking = pin!(maybe_done(world.meter.run()));
            go_on(asking.as_mut(), asked).await;
            slow.await;
            asking.await;
            world.run_for_hours(3).await;
            let counted: Vec<_> = world.stripe.counted().into_iter().collect();
            let expected = ["u1", "u2"].map(|id| (id.to_owned(), vec![20]));
            assert_eq!(counted, expected, "{begun} {asked}");
        }
    }
}

/// Tokens on their way to Stripe with which the API refuses to ask for another plan.
const MUCH: i64 = 50_000;

#[tokio::test]
async fn a_plan_that_is_changed_while_usage_is_claimed_leaves_none_of_it_in_no_period() {
    let mut changes = 0;
    for polls in 0..POLLS {
        let world = World::over().await;
        let mut meter = pin!(maybe_done(world.meter.run()));
        go_on(meter.as_mut(), polls).await;
        let mut organization = world.organization().await.value;
        assert!(organization.ask_for_plan(world.now()));
        world.change(|it| *it = organization).await;
        let claimed = world.rows().into_values();
        let claimed = claimed.filter(|row| row.state == MeterRowState::Sending);
        if claimed.map(|row| row.tokens).sum::<i64>() > MUCH {
            continue;
        }
        changes += 1;
        let before = world.stripe.events().len();
        world.clock.advance(Duration::from_secs(1));
        let changed_at = world.clock.now();
        meter.await;
        world.clock.advance(Duration::from_mins(2));
        world.run().await;
        world.assert_billed_once(&format!("{polls} polls"));
        for event in &world.stripe.events()[before..] {
            assert!(event.at >= changed_at, "{polls} polls: {event:?}");
        }
    }
    assert!(changes > 5, "{changes}");
}
