//! A checker that cannot fail is worthless: each rule of the engine is broken once, and must be
//! missed.

use std::time::{Duration, Instant};

use anyhow::Result;
use execute_workflow::fault_points::Flaw;

use super::{Ground, Outcome, drill, judge};
use crate::faults::checker::{Rule, Verdict};
use crate::faults::events::Event;
use crate::faults::plan::Plan;
use crate::faults::sinks::Moment;
use crate::faults::size::Size;
use crate::faults::world::{Setup, World};

const PATIENCE: Duration = Duration::from_secs(30);

/// What is done to a broken engine in each round.
#[derive(Clone, Copy, Debug)]
enum Drill {
    /// A worker is frozen past its lease.
    Freeze,
    /// A worker gets an event without a store, and dies as soon as it has answered.
    KillAfterAck,
    /// A worker dies while it waits for an answer.
    KillAtCall,
    /// Nothing: the engine harms itself.
    Nothing,
}

/// Breaks one rule of the engine; the outcome holds when the checker notices.
///
/// # Errors
/// When the world cannot be set up or judged.
pub async fn run(ground: &Ground, size: &Size, flaw: Flaw) -> Result<Outcome> {
    let started = Instant::now();
    let (drill, sink) = drill_of(flaw);
    let plan = Plan::two_effects("two-effects", sink);
    let setup = Setup {
        flaw: Some(flaw),
        ..ground.setup(vec![plan.clone()])
    };
    let world = World::start(setup).await?;
    let events = world.record(&plan, 0, size.flaw_rounds).await?;
    let (mut rounds, mut verdict) = (0, Verdict::default());
    for event in &events {
        go_through(drill, &world, event).await?;
        rounds += 1;
        verdict = judge(&world)?;
        if rules_against(flaw).iter().any(|rule| verdict.breaks(*rule)) {
            break;
        }
    }
    let name = format!("broken on purpose: {}", flaw.as_str());
    let mut outcome = Outcome::of(&name, started, &Verdict::default());
    outcome.facts = vec![format!("{rounds} rounds of {drill:?}")];
    let seen = verdict.violations.iter();
    let seen = seen.filter(|found| rules_against(flaw).contains(&found.rule));
    outcome.facts.extend(seen.take(2).map(ToString::to_string));
    let is_caught = outcome.facts.len() > 1;
    outcome.require(is_caught, || "the checker did not notice".to_owned());
    Ok(outcome)
}

/// The same drills with a sound engine: nothing may be noticed.
///
/// # Errors
/// When the world cannot be set up or judged.
pub async fn run_sound(ground: &Ground) -> Result<Outcome> {
    let started = Instant::now();
    let plans: Vec<Plan> = [("keyed", "keyed"), ("bad", "bad")]
        .map(|(name, sink)| Plan::two_effects(name, sink))
        .into();
    let world = World::start(ground.setup(plans.clone())).await?;
    for flaw in Flaw::ALL {
        let (drill, sink) = drill_of(flaw);
        for (index, plan) in plans
            .iter()
            .enumerate()
            .filter(|(_, plan)| plan.name == sink)
        {
            let number = flaw as usize * plans.len() + index;
            for event in world.record(plan, number, 1).await? {
                go_through(drill, &world, &event).await?;
                // Without a store it was not acknowledged, and otherwise a repeat does nothing.
                go_through(Drill::Nothing, &world, &event).await?;
            }
        }
    }
    Ok(Outcome::of(
        "the same drills, nothing broken",
        started,
        &judge(&world)?,
    ))
}

fn drill_of(flaw: Flaw) -> (Drill, &'static str) {
    match flaw {
        Flaw::NoFence => (Drill::Freeze, "keyed"),
        Flaw::AckFirst => (Drill::KillAfterAck, "keyed"),
        Flaw::AttemptInKey | Flaw::NoIntent | Flaw::LastResultWins => (Drill::KillAtCall, "keyed"),
        Flaw::RetryOn400 => (Drill::Nothing, "bad"),
    }
}

/// The rules that an engine with this flaw cannot keep.
fn rules_against(flaw: Flaw) -> &'static [Rule] {
    match flaw {
        Flaw::NoFence => &[Rule::FenceFell, Rule::EndChanged, Rule::ResultChanged],
        Flaw::AckFirst => &[Rule::Lost],
        Flaw::AttemptInKey => &[Rule::KeyChanged, Rule::EffectTwice],
        Flaw::NoIntent => &[Rule::NoIntent],
        Flaw::RetryOn400 => &[Rule::RetriedRefusal],
        Flaw::LastResultWins => &[Rule::ResultChanged],
    }
}

async fn go_through(drill: Drill, world: &World, event: &Event) -> Result<()> {
    match drill {
        Drill::Freeze => drill::freeze_at_call(world, event, "work").await,
        Drill::KillAtCall => {
            let moment = Moment::AfterEffect;
            drill::kill_at_call(world, event, "work", moment).await
        }
        Drill::KillAfterAck => drill::kill_after_ack(world, event).await,
        Drill::Nothing => {
            let events = std::slice::from_ref(event);
            world.deliverer.deliver(events, (1, 1), None).await;
            world.settle(events, PATIENCE).await;
            Ok(())
        }
    }
}
