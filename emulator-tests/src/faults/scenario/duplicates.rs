//! P5: an event has one effect, however often and in whatever order it comes.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Ground, Outcome, judge};
use crate::faults::plan::Plan;
use crate::faults::size::Size;
use crate::faults::world::World;

const PATIENCE: Duration = Duration::from_secs(120);

/// Delivers each event one to five times, shuffled and side by side.
///
/// # Errors
/// When the world cannot be set up or judged.
pub async fn run(ground: &Ground, size: &Size) -> Result<Outcome> {
    let started = Instant::now();
    let plan = Plan::one_effect("one-effect", "keyed");
    let world = World::start(ground.setup(vec![plan.clone()])).await?;
    let events = world.record(&plan, 0, size.events).await?;
    let deliveries = world.deliverer.deliver(&events, (1, 5), None).await;
    world.settle(&events, PATIENCE).await;
    let verdict = judge(&world)?;
    let mut outcome = Outcome::of("P5 repeated and shuffled events", started, &verdict);
    outcome.fact(format!("{deliveries} deliveries"));
    let (wanted, tally) = (size.events, verdict.tally);
    outcome.require(tally.succeeded == wanted && tally.effects == wanted, || {
        format!(
            "{} successes and {} effects of {wanted} events",
            tally.succeeded, tally.effects
        )
    });
    Ok(outcome)
}
