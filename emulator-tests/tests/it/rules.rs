//! `firestore.rules`: who may do what with which document, and that weaker rules are noticed.

mod actor;
mod agents;
mod audit_logs;
mod case;
mod closed;
mod executions;
mod organizations;
mod users;
mod values;
mod weakened;
mod workflows;
mod world;

use std::collections::BTreeSet;

use self::{
    case::{Case, Verdict},
    world::{RULES, World},
};
use crate::models;

/// Collections that clients may read or write in some way, without ids.
const OPEN: [&str; 8] = [
    "agents",
    "audit_logs",
    "executions",
    "executions/logs",
    "organizations",
    "organizations/stats",
    "users",
    "workflows",
];

fn cases() -> Vec<Case> {
    let tables = [
        agents::cases,
        audit_logs::cases,
        closed::cases,
        executions::cases,
        organizations::cases,
        users::cases,
        workflows::cases,
    ];
    tables.iter().flat_map(|cases| cases()).collect()
}

#[tokio::test]
async fn every_case_is_decided_as_the_policy_says() {
    let world = World::start(RULES).await;
    let mut wrong = Vec::new();
    for case in cases() {
        if world.decide(&case).await != case.expected {
            wrong.push(format!("{case:?}"));
        }
    }
    assert!(wrong.is_empty(), "decided otherwise:\n{}", wrong.join("\n"));
}

#[test]
fn every_collection_has_cases() {
    let cases = cases();
    let with = |expected| -> BTreeSet<String> {
        let found = cases.iter().filter(|case| case.expected == expected);
        found.map(|case| case.collection()).collect()
    };
    let collections: BTreeSet<String> = models::documents()
        .iter()
        .map(|(path, _)| case::collection_of(path.as_str()))
        .collect();
    let denied = with(Verdict::Deny);
    let missing: Vec<&String> = collections.difference(&denied).collect();
    assert!(missing.is_empty(), "no denied case: {missing:?}");
    assert_eq!(with(Verdict::Allow), OPEN.map(str::to_owned).into());
    assert!(cases.len() >= 400, "{} cases", cases.len());
}

#[test]
fn no_case_is_written_twice() {
    let mut seen = BTreeSet::new();
    for case in cases() {
        assert!(seen.insert(format!("{case:?}")), "{case:?}");
    }
}
