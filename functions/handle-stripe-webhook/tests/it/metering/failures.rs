//! Stripe refuses, is away, or forgets.

use std::time::Duration;

use handle_stripe_webhook::MeterError;
use shared::models::{MeterRow, MeterRowState};

use super::{
    stripe::Fault::{Down, Refused, Unheard},
    world::World,
};

#[tokio::test]
async fn a_connection_that_breaks_after_the_work_is_done_bills_once() {
    for unheard in 0..3 {
        let world = World::over().await;
        let faults = (0..3).map(|call| (call == unheard).then_some(Unheard));
        world.stripe.plan(faults);
        let metered = world.run().await;
        assert!(metered.postponed > 0);
        for _ in 0..3 {
            world.clock.advance(Duration::from_mins(6));
            world.run().await;
        }
        world.assert_billed_once(&format!("call {unheard}"));
    }
}

#[tokio::test]
async fn a_busy_stripe_is_left_alone_for_a_while() {
    let world = World::over().await;
    world
        .stripe
        .plan([Some(Refused(429)), Some(Down), Some(Down), Some(Down)]);
    world.run().await;
    let after_one = world.stripe.requests().len();
    assert_eq!(after_one, 1, "the customer's other events wait");
    world.run().await;
    assert_eq!(
        world.stripe.requests().len(),
        after_one,
        "it is not due yet"
    );
    for _ in 0..8 {
        world.clock.advance(Duration::from_mins(10));
        world.run().await;
    }
    world.assert_billed_once("in the end");
}

#[tokio::test]
async fn an_outage_of_a_day_bills_what_had_arrived_no_second_time() {
    for (fault, requests) in [(Unheard, 1), (Down, 2)] {
        let world = World::new().await;
        world.call("u0", 5_000_070).await;
        world.stripe.plan([Some(fault)]);
        world.run().await;
        assert_eq!(world.state("u0"), MeterRowState::Sending);
        world.clock.advance(Duration::from_hours(26));
        world.run().await;
        world.run().await;
        world.assert_billed_once("after a day");
        assert_eq!(world.stripe.requests().len(), requests);
    }
}

#[tokio::test]
async fn a_minute_of_which_all_or_none_has_arrived_is_settled_by_its_sum() {
    for fault in [Unheard, Down] {
        let world = World::over().await;
        for _ in 0..8 {
            world.stripe.plan([Some(fault)]);
            world.run().await;
            world.clock.advance(Duration::from_secs(31));
        }
        world.stripe.plan([]);
        let rows = world.rows();
        let open = |row: &MeterRow| row.first_attempt_at.is_some() && row.sent_at.is_none();
        assert_eq!(rows.values().filter(|row| open(row)).count(), 3, "{rows:?}");
        world.clock.advance(Duration::from_hours(30));
        world.run_for_hours(3).await;
        world.assert_billed_once(&format!("{fault:?}"));
    }
}

#[tokio::test]
async fn a_minute_that_tells_nothing_is_given_up_and_billed_no_second_time() {
    let world = World::new().await;
    world.call("u0", 5_000_000).await;
    world.call("u1", 10).await;
    world.call("u2", 20).await;
    world.stripe.plan([Some(Unheard)]);
    world.run().await;
    world.clock.advance(Duration::from_secs(31));
    world.stripe.plan([Some(Down), Some(Down)]);
    world.run().await;
    world.clock.advance(Duration::from_mins(2));
    world.stripe.plan([Some(Down), Some(Down)]);
    world.run().await;
    world.clock.advance(Duration::from_hours(30));
    world.run_for_hours(4).await;
    let unknown = world
        .rows()
        .values()
        .filter(|row| row.state == MeterRowState::Unknown)
        .count();
    assert_eq!(unknown, 2, "{:?}", world.rows());
    let counted: Vec<i64> = world.stripe.counted().into_values().flatten().collect();
    assert_eq!(counted.len(), 1, "{counted:?}");
}

#[tokio::test]
async fn a_fresh_attempt_in_the_minute_keeps_the_verdict_back() {
    let world = World::new().await;
    world.call("u0", 5_000_000).await;
    world.call("u1", 10).await;
    world.call("u2", 20).await;
    world.stripe.plan([Some(Unheard)]);
    world.run().await;
    // The other call of the same minute is sent later, and not so late that it would count then.
    world.clock.advance(Duration::from_mins(29));
    world.stripe.plan([Some(Down)]);
    world.run().await;
    world.clock.advance(Duration::from_secs(31));
    world.stripe.plan([Some(Unheard)]);
    world.run().await;
    assert_eq!(world.state("u2"), MeterRowState::Sending);
    world.clock.advance(Duration::from_mins(22 * 60 + 45));
    world.stripe.plan([Some(Down)]);
    world.run().await;
    assert_eq!(
        world.state("u1"),
        MeterRowState::Sending,
        "nobody can tell yet"
    );
    world.run_for_hours(30).await;
    world.assert_billed_once("both in the end");
}

#[tokio::test]
async fn stripe_is_asked_of_a_minute_an_hour_after_the_last_attempt() {
    let world = World::new().await;
    world.call("u0", 5_000_070).await;
    world.stripe.plan([Some(Down)]);
    world.run().await;
    world.clock.advance(Duration::from_mins(22 * 60 + 50));
    world.stripe.plan([Some(Down)]);
    world.run().await;
    world.clock.advance(Duration::from_mins(15));
    world.run().await;
    assert_eq!(world.stripe.asked(), 0, "it may not be summed up yet");
    assert_eq!(world.state("u0"), MeterRowState::Sending);
    world.run_for_hours(3).await;
    world.assert_billed_once("an hour later");
}

#[tokio::test]
async fn a_refused_event_is_given_up_and_the_others_go_on() {
    let world = World::over().await;
    world.stripe.plan([Some(Refused(400))]);
    let metered = world.run().await;
    assert_eq!((metered.sent, metered.given_up), (2, 1));
    let failed = world
        .rows()
        .into_values()
        .find(|row| row.state == MeterRowState::Failed);
    assert_eq!(failed.unwrap().last_error.unwrap(), "status 400");
    world.run_for_hours(30).await;
    assert_eq!(world.stripe.requests().len(), 3);
}

#[tokio::test]
async fn a_repeat_that_is_refused_is_no_proof_that_it_never_arrived() {
    let world = World::new().await;
    world.call("u0", 5_000_070).await;
    world.stripe.refuse_repeats();
    world.stripe.plan([Some(Unheard)]);
    world.run().await;
    world.clock.advance(Duration::from_mins(6));
    world.run().await;
    assert_eq!(world.state("u0"), MeterRowState::Sending);
    world.run_for_hours(26).await;
    world.assert_billed_once("by the sum of its minute");
}

#[tokio::test]
async fn a_wrong_key_gives_no_event_up() {
    let world = World::over().await;
    world.stripe.plan([Some(Refused(401))]);
    let metered = world.run().await;
    assert_eq!((metered.sent, metered.given_up), (0, 0));
    world.clock.advance(Duration::from_hours(1));
    world.run().await;
    world.assert_billed_once("with the right key");
}

#[tokio::test]
async fn what_waits_for_longer_than_stripe_takes_usage_counts_when_it_is_sent() {
    let world = World::over().await;
    world.stripe.remove_meter(true);
    assert!(matches!(
        world.meter.run().await,
        Err(MeterError::NoMeter(_))
    ));
    assert!(world.stripe.requests().is_empty());
    world.clock.advance(Duration::from_hours(35 * 24));
    world.stripe.remove_meter(false);
    let metered = world.run().await;
    assert_eq!((metered.sent, metered.given_up), (3, 0));
    assert!(world.rows().values().all(|row| row.at == world.now()));
    world.assert_billed_once("with the meter");
}

#[tokio::test]
async fn a_stripe_that_is_away_is_not_asked_for_everybody() {
    let world = World::empty();
    for number in 0..40 {
        let (id, customer) = (format!("o{number}"), format!("cus_{number}"));
        let tier = shared::models::SubscriptionTier::Pro;
        world.add(&id, tier, Some(&customer)).await;
        let mut entry = world.settled(&format!("u{number}"), 5_000_001);
        entry.org_id = shared::ids::OrgId::parse(&id).unwrap();
        world.keep(&entry).await;
    }
    world.stripe.plan([Some(Down); 40]);
    world.run().await;
    let requests = world.stripe.requests().len();
    assert!(requests < 20, "{requests}");
}

/// Another meter may take a claim for dead soon after.
#[tokio::test]
async fn no_request_begins_long_after_its_claim() {
    let world = World::over().await;
    world.stripe.take(Duration::from_secs(100));
    let metered = world.run().await;
    assert_eq!((metered.sent, metered.postponed), (2, 1));
    assert_eq!(world.state("u3"), MeterRowState::Due);
    world.stripe.take(Duration::ZERO);
    world.clock.advance(Duration::from_mins(1));
    world.run().await;
    world.assert_billed_once("in another run");
}
