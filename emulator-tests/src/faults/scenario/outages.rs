//! P8: when the store comes back, so does the service.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::Semaphore;

use super::{Ground, Outcome, judge};
use crate::faults::pause::pause;
use crate::faults::plan::Plan;
use crate::faults::proxy::Network;
use crate::faults::size::Size;
use crate::faults::world::World;

/// Normal service again after the end of an outage, beside the lease.
const PATIENCE: Duration = Duration::from_secs(30);
/// Executions that begin in each outage, and before the first.
const LOAD: usize = 10;
/// Cuts of all connections, one after the other.
const CUTS: usize = 5;

/// Takes the store away in several ways while executions run.
///
/// # Errors
/// When the world cannot be set up or judged.
pub async fn run(ground: &Ground, size: &Size) -> Result<Outcome> {
    let started = Instant::now();
    let plan = Plan::eight_nodes();
    let world = World::start(ground.setup(vec![plan.clone()])).await?;
    let outages = [Network::Refusing, Network::Hanging];
    let events = world.record(&plan, 0, LOAD * (outages.len() + 2)).await?;
    let pace = Semaphore::new(LOAD);
    let breaking = async {
        for outage in outages {
            pause(Duration::from_millis(500)).await;
            world.proxy.set(outage);
            pace.add_permits(LOAD);
            pause(Duration::from_secs(size.outage_secs)).await;
            world.proxy.set(Network::Up);
            ground.progress.inc(1);
        }
        pace.add_permits(LOAD);
        for _ in 0..CUTS {
            pause(Duration::from_millis(300)).await;
            world.proxy.cut();
        }
        Instant::now()
    };
    let delivering = world.deliverer.deliver(&events, (1, 1), Some(&pace));
    let (last, _) = tokio::join!(breaking, delivering);
    world.settle(&events, PATIENCE).await;
    let healed = last.elapsed();
    let verdict = judge(&world)?;
    let mut outcome = Outcome::of("P8 outages of the store", started, &verdict);
    outcome.fact(format!(
        "all ended {:.1} s after the last",
        healed.as_secs_f32()
    ));
    let (succeeded, all) = (verdict.tally.succeeded, events.len());
    outcome.require(succeeded == all, || {
        format!("{succeeded} of {all} succeeded")
    });
    Ok(outcome)
}
