//! P6: a worker that was stopped past its lease cannot write any more.

use std::time::Instant;

use anyhow::Result;
use futures::{StreamExt, TryStreamExt};

use super::{Ground, Outcome, drill, judge};
use crate::faults::plan::Plan;
use crate::faults::size::Size;
use crate::faults::world::World;

/// One worker must be left to take over.
const AT_ONCE: usize = 2;

/// Freezes a worker in each round until another one has ended its execution.
///
/// # Errors
/// When the world cannot be set up or judged.
pub async fn run(ground: &Ground, size: &Size) -> Result<Outcome> {
    let started = Instant::now();
    let plan = Plan::one_effect("zombie", "keyed");
    let world = World::start(ground.setup(vec![plan.clone()])).await?;
    let events = world.record(&plan, 0, size.zombies).await?;
    futures::stream::iter(&events)
        .map(async |event| {
            let drilled = drill::freeze_at_call(&world, event, "work").await;
            ground.progress.inc(1);
            drilled
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    let verdict = judge(&world)?;
    let mut outcome = Outcome::of("P6 zombies", started, &verdict);
    let (wanted, tally) = (size.zombies, verdict.tally);
    outcome.require(tally.succeeded == wanted, || {
        format!("{} of {wanted} succeeded", tally.succeeded)
    });
    outcome.require(tally.repeats >= wanted, || {
        format!("only {} takeovers", tally.repeats)
    });
    Ok(outcome)
}
