//! One worker, one call, one mishap, exactly when it hurts.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::faults::events::Event;
use crate::faults::pause::pause;
use crate::faults::proxy::Network;
use crate::faults::sinks::{Caller, Moment, Sprung, Trap};
use crate::faults::world::World;

/// For a call to reach its sink.
const CALL_PATIENCE: Duration = Duration::from_secs(30);
/// For an execution to end once another worker may take it.
const END_PATIENCE: Duration = Duration::from_secs(15);
/// For a zombie to do what harm it can.
const AFTERLIFE: Duration = Duration::from_millis(400);

/// Has a worker die while it waits for the answer of a call.
pub(super) async fn kill_at_call(
    world: &World,
    event: &Event,
    node: &'static str,
    moment: Moment,
) -> Result<()> {
    let disturb = async |sprung: Sprung| {
        let mut worker = world.fleet.hold(sprung.worker).await?;
        worker.kill().await?;
        worker.restart().await
    };
    disturb_call(world, event, node, moment, disturb).await
}

/// Freezes a worker while it waits for the answer of a call, lets another one end the execution,
/// and then lets the first one go on with its answer.
pub(super) async fn freeze_at_call(world: &World, event: &Event, node: &'static str) -> Result<()> {
    let disturb = async |sprung: Sprung| {
        let worker = world.fleet.hold(sprung.worker).await?;
        worker.freeze();
        world
            .settle(std::slice::from_ref(event), END_PATIENCE)
            .await;
        drop(sprung);
        worker.thaw();
        pause(AFTERLIFE).await;
        anyhow::Ok(())
    };
    disturb_call(world, event, node, Moment::AfterEffect, disturb).await
}

/// Delivers an event once to a worker that does not reach the store, and has the worker die as
/// soon as it has answered.
pub(super) async fn kill_after_ack(world: &World, event: &Event) -> Result<()> {
    let mut worker = world.fleet.hold_any().await?;
    world.proxy.set(Network::Refusing);
    world.deliverer.deliver_once(&worker.url(), event).await;
    world.proxy.set(Network::Up);
    worker.kill().await?;
    worker.restart().await
}

async fn disturb_call(
    world: &World,
    event: &Event,
    node: &'static str,
    moment: Moment,
    disturb: impl AsyncFnOnce(Sprung) -> Result<()>,
) -> Result<()> {
    let sprung = world.sinks.set(Trap {
        moment,
        of: Caller::Node {
            execution: event.id.clone(),
            node,
        },
    });
    let disturbing = async {
        let sprung = tokio::time::timeout(CALL_PATIENCE, sprung).await;
        let sprung = sprung.context("a call did not come")?;
        disturb(sprung.context("the sinks have gone")?).await
    };
    let events = std::slice::from_ref(event);
    let delivering = world.deliverer.deliver(events, (1, 1), None);
    let (disturbed, _) = tokio::join!(disturbing, delivering);
    disturbed?;
    world.settle(events, END_PATIENCE).await;
    Ok(())
}
