//! Each of these rules lets somebody do too much, or refuses too much; the table must notice.

mod generated;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::{
    case::{Case, Verdict},
    cases, report,
    world::{RULES, World},
};

/// Changed rules.
#[derive(Clone)]
pub(super) struct Mutant {
    name: String,
    /// Where the table notices soonest.
    collection: String,
    /// The method that it is about, if it is about one.
    method: Option<&'static str>,
    rules: String,
}

impl Mutant {
    /// Whether a case is a likely one to notice.
    fn is_near(&self, case: &Case) -> bool {
        case.collection() == self.collection
            && self.method.is_none_or(|_| self.method == case.method())
    }
}

/// Mutants that decide as the rules do, and why.
const EQUIVALENT: [(&str, &str); 8] = [
    (
        "`return value is number && value >= min && value <= max;`: without `value is number`",
        "a comparison of a number with anything else is an error",
    ),
    (
        "`return value is map && value.keys().hasOnly(fields) && value.keys().hasAll(fields);`: without `value is map`",
        "only maps have keys",
    ),
    (
        "`return request.auth != null && request.auth.uid == uid`: without `request.auth != null`",
        "null has no uid",
    ),
    (
        "`return value is map && value.keys().hasOnly(fields) && value.keys().hasAll(fields);`: without `value.keys().hasAll(fields)`",
        "each field is checked, and one that is absent is an error",
    ),
    (
        "`return workflow.keys().hasAll(required)`: without `workflow.keys().hasAll(required)`",
        "each field is checked, and one that is absent is an error",
    ),
    (
        "`&& isText(agent.personality.style, 0, 500)`: 0 becomes -1",
        "no size is negative",
    ),
    (
        "`&& isText(workflow.get('name', ''), 0, 200)`: 0 becomes -1",
        "no size is negative",
    ),
    (
        "`&& isText(workflow.get('description', ''), 0, 2000)`: 0 becomes -1",
        "no size is negative",
    ),
];

fn mutants() -> Vec<Mutant> {
    let all = written::mutants().into_iter().chain(generated::mutants());
    all.filter(|mutant| EQUIVALENT.iter().all(|(name, _)| *name != mutant.name))
        .collect()
}

/// Whether a case is decided otherwise than it expects.
async fn is_caught(world: &World, mutant: &Mutant, cases: &[Case]) -> bool {
    world.load(&mutant.rules).await;
    let mut cases: Vec<&Case> = cases.iter().collect();
    // Most mutants allow too much, and a write that is allowed takes longer.
    cases.sort_by_key(|case| (!mutant.is_near(case), case.expected == Verdict::Allow));
    for case in cases {
        if world.decide(case).await != case.expected {
            return true;
        }
    }
    false
}

/// The mutants that no case notices.
async fn missed<'m>(mutants: impl Iterator<Item = &'m Mutant>, cases: &[Case]) -> Vec<&'m str> {
    let world = World::embedded().await;
    let mut missed = Vec::new();
    for mutant in mutants {
        if !is_caught(&world, mutant, cases).await {
            missed.push(&*mutant.name);
        }
    }
    missed
}

/// How many worlds share the mutants.
const WORLDS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn every_mutant_is_caught() {
    let (mutants, cases) = (mutants(), cases());
    let share = |first| missed(mutants.iter().skip(first).step_by(WORLDS), &cases);
    let missed = join_all((0..WORLDS).map(share)).await.concat();
    let (rows, all) = (cases.len(), mutants.len());
    let caught = all - missed.len();
    report(&format!(
        "rules: {rows} rows, {caught} of {all} mutants caught (hidane)"
    ));
    assert!(missed.is_empty(), "no case needs:\n{}", missed.join("\n"));
    assert!(all >= 40, "{all} mutants");
}

#[test]
fn every_mutant_differs_from_the_rules_and_from_the_others() {
    let mut by_rules: BTreeMap<String, &str> = BTreeMap::new();
    let mutants = mutants();
    for mutant in &mutants {
        assert_ne!(mutant.rules, RULES, "{}", mutant.name);
        let other = by_rules.insert(mutant.rules.clone(), &mutant.name);
        assert_eq!(other, None, "{}", mutant.name);
    }
}

#[test]
fn equivalent_mutants_exist() {
    let generated = generated::mutants();
    let names: BTreeSet<&str> = generated.iter().map(|mutant| &*mutant.name).collect();
    for (name, why) in EQUIVALENT {
        assert!(names.contains(name), "{name} ({why})");
    }
}
