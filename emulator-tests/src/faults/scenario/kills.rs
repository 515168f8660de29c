//! P1, P2, P3: nothing is lost, doubled or stuck, whenever workers are killed.

use std::time::{Duration, Instant};

use anyhow::Result;
use execute_workflow::fault_points::KillPoint;
use tokio::sync::Semaphore;

use super::{Ground, Outcome, judge};
use crate::faults::killer::{Killer, schedule};
use crate::faults::plan::Plan;
use crate::faults::size::Size;
use crate::faults::world::{Setup, World};

/// After the last kill, beside the lease.
const PATIENCE: Duration = Duration::from_secs(60);

/// Kills workers while executions run. The clocks are two minutes apart each.
///
/// # Errors
/// When the world cannot be set up or judged.
pub async fn run(ground: &Ground, size: &Size) -> Result<Outcome> {
    let started = Instant::now();
    let plan = Plan::eight_nodes();
    let setup = Setup {
        clocks: vec![0, 120, -120],
        ..ground.setup(vec![plan.clone()])
    };
    let lease = Duration::from_secs(setup.lease_secs);
    let world = World::start(setup).await?;
    let events = world.record(&plan, 0, size.executions).await?;
    let (pace, chance) = (Semaphore::new(0), ground.chance("killer"));
    let kills = schedule(size, &chance);
    let killer = Killer {
        fleet: &world.fleet,
        sinks: &world.sinks,
        chance,
        pace: &pace,
        load: events.len(),
        progress: &ground.progress,
    };
    let killing = async {
        let toll = killer.run(kills).await?;
        anyhow::Ok((toll, Instant::now()))
    };
    let delivering = world.deliverer.deliver(&events, (1, 1), Some(&pace));
    let (killed, _) = tokio::join!(killing, delivering);
    let (toll, last_kill) = killed?;
    world.settle(&events, lease + PATIENCE).await;
    let healed = last_kill.elapsed();
    let verdict = judge(&world)?;
    let mut outcome = Outcome::of("P1 P2 P3 kill -9 at any moment", started, &verdict);
    outcome.fact(format!("{} kills", toll.sum()));
    for (point, count) in &toll.at_points {
        outcome.fact(format!("{count} at {point}"));
    }
    outcome.fact(format!("{} at random", toll.at_random));
    outcome.fact(format!(
        "all ended {:.1} s after the last",
        healed.as_secs_f32()
    ));
    outcome.require(verdict.tally.executions == size.executions, || {
        format!(
            "{} executions of {}",
            verdict.tally.executions, size.executions
        )
    });
    for point in KillPoint::ALL.map(KillPoint::as_str) {
        let is_met = toll.at_points.contains_key(point);
        outcome.require(is_met, || format!("nobody died at {point}"));
    }
    let enough = size.executions / 2;
    outcome.require(verdict.tally.succeeded >= enough, || {
        format!("only {} succeeded", verdict.tally.succeeded)
    });
    Ok(outcome)
}
