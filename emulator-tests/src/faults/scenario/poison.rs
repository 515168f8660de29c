//! P7: what can never work is put aside with a reason, and the rest runs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use shared::{
    events::{Document, encode_written},
    models::{Execution, ProcessedEvent},
    store::document_db::{ValueType, value},
};

use super::{Ground, Outcome, judge};
use crate::faults::checker::Evidence;
use crate::faults::events::Event;
use crate::faults::plan::{Plan, edge, effect, node};
use crate::faults::size::Size;
use crate::faults::world::World;

const PATIENCE: Duration = Duration::from_secs(90);
/// Deeper than any reader of JSON follows.
const DEPTH: usize = 100_000;

/// Runs good executions, first alone and then among poisoned ones.
///
/// # Errors
/// When the world cannot be set up or judged.
pub async fn run(ground: &Ground, size: &Size) -> Result<Outcome> {
    let started = Instant::now();
    let good = Plan::one_effect("good", "keyed");
    let bad = bad_plans();
    // Last, the one that no workflow is saved for.
    let saved = std::iter::once(&good).chain(&bad).cloned().collect();
    let world = World::start(ground.setup(saved)).await?;
    let alone = world.record(&good, 0, size.good_executions).await?;
    world.deliverer.deliver(&alone, (1, 1), None).await;
    world.settle(&alone, PATIENCE).await;
    let among = world
        .record(&good, alone.len(), size.good_executions)
        .await?;
    let mut failing = Vec::new();
    for plan in bad.iter().chain([&Plan::one_effect("missing", "keyed")]) {
        failing.extend(world.record(plan, 0, size.poisoned).await?);
    }
    let unreadable = unreadable_events(size.poisoned);
    let mut events = [among.as_slice(), &failing, &unreadable].concat();
    ground.chance("poison").shuffle(&mut events);
    world.deliverer.deliver(&events, (1, 1), None).await;
    world
        .settle(&[among.as_slice(), &failing].concat(), PATIENCE)
        .await;
    let (evidence, verdict) = (world.evidence()?, judge(&world)?);
    let mut outcome = Outcome::of("P7 poison", started, &verdict);
    outcome.fact(format!("{} poisoned", failing.len() + unreadable.len()));
    let (calm, stormy) = (p95(&evidence, &alone)?, p95(&evidence, &among)?);
    outcome.fact(format!(
        "p95 of good ones {calm} ms alone, {stormy} ms among poison"
    ));
    let (succeeded, wanted) = (verdict.tally.succeeded, alone.len() + among.len());
    outcome.require(succeeded == wanted, || {
        format!("{succeeded} of {wanted} good ones succeeded")
    });
    let reasons = failures(&evidence)?;
    for event in failing.iter().chain(&unreadable) {
        let id = &event.id;
        outcome.require(reasons.contains(id), || format!("{id} has no reason"));
    }
    let (quarantined, killers) = (verdict.tally.quarantined, size.poisoned);
    outcome.require(quarantined == killers, || {
        format!("{quarantined} of {killers} that kill their workers are quarantined")
    });
    Ok(outcome)
}

/// Each fails in its own way.
fn bad_plans() -> Vec<Plan> {
    let impatient = |sink: &str| {
        let mut call = effect("work", sink);
        call["data"]["timeoutSecs"] = json!(1);
        call["data"]["retry"] = json!({ "attempts": 1 });
        call
    };
    let nothing = node(
        "work",
        "transform",
        json!({ "value": "${nodes.start.output.none.at.all}" }),
    );
    let mut cyclic = Plan::one_effect("cyclic", "keyed");
    cyclic.edges.push(edge("work", "work"));
    let mut self_made = Plan::around("self-made", node("work", "no_such_kind", json!({})));
    self_made.edges.push(edge("end", "start"));
    vec![
        Plan::around("killer", effect("work", "poison")),
        Plan::around("silent", impatient("silent")),
        Plan::around("huge", impatient("huge")),
        Plan::around("refused", impatient("bad")),
        Plan::around("nothing", nothing),
        cyclic,
        self_made,
    ]
}

/// Messages that are no trigger: noise, a document without fields, and one that is nested too deep.
fn unreadable_events(count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    for number in 0..count {
        let id = |kind: &str| format!("{kind}-{number}");
        let written = |id: &str, fields: Vec<(&str, String)>| {
            let text = |text| value(ValueType::StringValue(text));
            let document = Document {
                name: format!("projects/p/databases/(default)/documents/triggers/{id}"),
                fields: fields
                    .into_iter()
                    .map(|(name, content)| (name.to_owned(), text(content)))
                    .collect(),
                create_time: None,
                update_time: Some(Default::default()),
            };
            encode_written(Some(document), None)
        };
        let (noise, empty, deep) = (id("noise"), id("empty"), id("deep"));
        let payload = ("payload", "[".repeat(DEPTH) + &"]".repeat(DEPTH));
        events.extend([
            Event {
                body: b"\xff\xfenoise".to_vec(),
                id: noise,
            },
            Event {
                body: written(&empty, Vec::new()),
                id: empty,
            },
            Event {
                body: written(&deep, vec![("id", deep.clone()), payload]),
                id: deep,
            },
        ]);
    }
    events
}

/// The executions that failed with an error, and the events that were given up with a reason.
fn failures(evidence: &Evidence) -> Result<BTreeSet<String>> {
    let mut reasons = BTreeSet::new();
    for version in &evidence.history {
        match version.path.as_str().split_once('/') {
            Some(("executions", id)) if !id.contains('/') => {
                let execution: Option<Execution> = version.decode()?;
                if execution.is_some_and(|execution| execution.error.is_some()) {
                    reasons.insert(id.to_owned());
                }
            }
            Some(("idempotency", _)) => {
                let event: Option<ProcessedEvent> = version.decode().unwrap_or_default();
                let given_up = event.filter(|event| event.failure.is_some());
                reasons.extend(given_up.map(|event| event.event_id));
            }
            _ => {}
        }
    }
    Ok(reasons)
}

/// Milliseconds from start to end that 95 of 100 of these executions stay below.
fn p95(evidence: &Evidence, events: &[Event]) -> Result<i64> {
    let ids: BTreeSet<&str> = events.iter().map(|event| event.id.as_str()).collect();
    let mut millis = Vec::new();
    for version in &evidence.history {
        let id = crate::faults::witness::execution_id(version.path.as_str());
        if id.is_none_or(|id| !ids.contains(id)) {
            continue;
        }
        let execution: Option<Execution> = version.decode()?;
        let times = execution.and_then(|execution| {
            let finished_at = execution.finished_at?.instant();
            Some(finished_at.as_millisecond() - execution.started_at.instant().as_millisecond())
        });
        millis.extend(times);
    }
    millis.sort_unstable();
    let index = millis.len().saturating_mul(95) / 100;
    Ok(millis
        .get(index)
        .or(millis.last())
        .copied()
        .unwrap_or_default())
}
