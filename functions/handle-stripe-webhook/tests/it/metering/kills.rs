//! The meter dies at every await.

use std::time::Duration;

use shared::testing::killed_after;

use super::{stripe::Fault, world::World};

#[tokio::test]
async fn a_meter_that_dies_anywhere_neither_loses_nor_doubles() {
    for polls in 0.. {
        let world = World::over().await;
        let is_done = killed_after(polls, world.meter.run()).await.is_some();
        for _ in 0..3 {
            world.clock.advance(Duration::from_mins(6));
            world.run().await;
        }
        world.assert_billed_once(&format!("{polls} polls"));
        if is_done {
            assert!(polls > 15, "it died nowhere");
            return;
        }
    }
}

#[tokio::test]
async fn a_meter_that_dies_anywhere_and_comes_back_days_later_neither_loses_nor_doubles() {
    for polls in 0.. {
        // A call in each minute, so that each minute tells of one.
        let world = World::new().await;
        for (number, tokens) in [5_000_000, 10, 20].into_iter().enumerate() {
            world.call(&format!("u{number}"), tokens).await;
            world.clock.advance(Duration::from_mins(1));
        }
        let is_done = killed_after(polls, world.meter.run()).await.is_some();
        world.clock.advance(Duration::from_hours(60));
        world.run_for_hours(4).await;
        world.assert_billed_once(&format!("{polls} polls"));
        if is_done {
            return;
        }
    }
}

#[tokio::test]
async fn a_meter_that_dies_while_it_finds_out_neither_loses_nor_doubles() {
    for polls in 0.. {
        let world = World::new().await;
        for (number, tokens) in [5_000_000, 10, 20].into_iter().enumerate() {
            world.call(&format!("u{number}"), tokens).await;
            world.clock.advance(Duration::from_mins(1));
        }
        world.stripe.plan([Some(Fault::Unheard)]);
        world.run().await;
        world.clock.advance(Duration::from_mins(1));
        world.stripe.plan([Some(Fault::Down)]);
        world.run().await;
        world.clock.advance(Duration::from_hours(30));
        let is_done = killed_after(polls, world.meter.run()).await.is_some();
        world.run_for_hours(4).await;
        world.assert_billed_once(&format!("{polls} polls"));
        if is_done {
            return;
        }
    }
}

#[tokio::test]
async fn commits_whose_outcome_is_unknown_neither_lose_nor_double() {
    for spared in 0..8 {
        for applied in [true, false] {
            let world = World::over().await;
            world.db.fail_commit_after(spared, applied);
            let _ = world.meter.run().await;
            for _ in 0..4 {
                world.clock.advance(Duration::from_mins(6));
                world.run().await;
            }
            world.assert_billed_once(&format!("{spared} {applied}"));
        }
    }
}
