//! P9: a worker that is asked to end does so in time, and hands over what it has.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::Semaphore;

use super::{Ground, Outcome, judge};
use crate::faults::fleet::Fleet;
use crate::faults::plan::Plan;
use crate::faults::size::Size;
use crate::faults::world::World;

/// Cloud Run kills an instance 10 s after SIGTERM
/// (<https://cloud.google.com/run/docs/container-contract#instance-shutdown>).
const LIMIT: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);
/// Executions that begin in each round.
const LOAD: usize = 3;

/// Asks workers to end, in full load.
///
/// # Errors
/// When the world cannot be set up or judged.
pub async fn run(ground: &Ground, size: &Size) -> Result<Outcome> {
    let started = Instant::now();
    let plan = Plan::eight_nodes();
    let world = World::start(ground.setup(vec![plan.clone()])).await?;
    let events = world.record(&plan, 0, size.shutdowns * LOAD).await?;
    let pace = Semaphore::new(0);
    let terminating = async {
        let mut ends = Vec::new();
        for _ in 0..size.shutdowns {
            pace.add_permits(LOAD);
            ends.push(terminate_one(&world.fleet).await?);
            ground.progress.inc(1);
        }
        anyhow::Ok(ends)
    };
    let delivering = world.deliverer.deliver(&events, (1, 1), Some(&pace));
    let (ends, _) = tokio::join!(terminating, delivering);
    let ends = ends?;
    world.settle(&events, PATIENCE).await;
    let verdict = judge(&world)?;
    let mut outcome = Outcome::of("P9 SIGTERM in full load", started, &verdict);
    let clean: Vec<Duration> = ends.iter().copied().flatten().collect();
    let slowest = clean.iter().max().copied().unwrap_or_default();
    outcome.fact(format!("{} shutdowns", ends.len()));
    outcome.fact(format!("the slowest in {:.1} s", slowest.as_secs_f32()));
    outcome.require(clean.len() == size.shutdowns, || {
        format!(
            "only {} of {} ended cleanly in time",
            clean.len(),
            ends.len()
        )
    });
    let (succeeded, all) = (verdict.tally.succeeded, events.len());
    outcome.require(succeeded == all, || {
        format!("{succeeded} of {all} succeeded")
    });
    Ok(outcome)
}

/// How long a worker took to end; none when it did not end in time, or not cleanly.
async fn terminate_one(fleet: &Fleet) -> Result<Option<Duration>> {
    let mut worker = fleet.hold_any().await?;
    let ended = worker.terminate(LIMIT).await?;
    if ended.is_none() {
        worker.kill().await?;
    }
    worker.restart().await?;
    let clean = ended.filter(|(status, _)| status.success());
    Ok(clean.map(|(_, took)| took))
}
