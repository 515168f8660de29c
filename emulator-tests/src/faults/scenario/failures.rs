//! P4: calls that happen and are reported as failed do no harm.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{Ground, Outcome, judge};
use crate::faults::plan::Plan;
use crate::faults::size::Size;
use crate::faults::worker::FaultRates;
use crate::faults::world::{Setup, World};

/// 5 % are done and not answered, 5 % 503 and 2 % 429, 1 % aborted.
const STORE: FaultRates = FaultRates {
    lost: 50,
    unavailable: 70,
    aborted: 10,
};
/// The same, with 429 in the place of an abort.
const SINKS: FaultRates = FaultRates {
    lost: 50,
    unavailable: 50,
    aborted: 20,
};
/// A commit that is retried must not outlast its lease, or runs look as if they had crashed.
const LEASE_SECS: u64 = 20;
/// Executions that begin side by side. All of them are of one organization, whose token quota is one
/// document: more would get in each other's way there for longer than a commit is tried.
const PARALLEL: usize = 16;
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs executions while store and sinks fail.
///
/// # Errors
/// When the world cannot be set up or judged.
pub async fn run(ground: &Ground, size: &Size) -> Result<Outcome> {
    let started = Instant::now();
    let plan = Plan::eight_nodes();
    let setup = Setup {
        lease_secs: LEASE_SECS,
        store_rates: STORE,
        sink_rates: SINKS,
        ..ground.setup(vec![plan.clone()])
    };
    let world = World::start(setup).await?;
    let events = world.record(&plan, 0, size.faulty_executions).await?;
    for some in events.chunks(PARALLEL) {
        world.deliverer.deliver(some, (1, 1), None).await;
    }
    world.settle(&events, PATIENCE).await;
    let verdict = judge(&world)?;
    let mut outcome = Outcome::of("P4 done but reported as failed", started, &verdict);
    // A database that fails is no crash of a worker: hardly any run is quarantined for it.
    let (executions, enough) = (size.faulty_executions, size.faulty_executions * 9 / 10);
    outcome.require(verdict.tally.executions == executions, || {
        format!("{} executions of {executions}", verdict.tally.executions)
    });
    outcome.require(verdict.tally.succeeded >= enough, || {
        format!("only {} succeeded", verdict.tally.succeeded)
    });
    Ok(outcome)
}
