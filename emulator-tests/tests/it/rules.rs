//! `firestore.rules`: who may do what with which document, and that changed rules are noticed.

mod access;
mod actor;
mod agents;
mod audit_logs;
mod case;
mod closed;
mod executions;
mod google;
mod lookups;
mod mutants;
mod organizations;
mod protected;
mod seed;
mod syntax;
mod users;
mod values;
mod workflows;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
};

use self::{
    access::Access,
    actor::Actor,
    case::{Case, METHODS, Verdict, collection_of},
    world::World,
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

/// Who must be asked about every method of every collection.
const ASKED: [Actor; 7] = [
    Actor::Nobody,
    Actor::Admin,
    Actor::User,
    Actor::Viewer,
    Actor::Foreign,
    Actor::NoOrganization,
    Actor::Disabled,
];

/// Every collection.
fn accesses() -> Vec<Access> {
    let mut accesses = vec![
        agents::access(),
        audit_logs::access(),
        executions::access(),
        executions::access_to_logs(),
        organizations::access(),
        organizations::access_to_stats(),
        users::access(),
        workflows::access(),
    ];
    accesses.extend(closed::accesses());
    accesses
}

/// The table: what is particular to a collection first, then everything by everybody.
fn cases() -> Vec<Case> {
    let tables = [
        agents::cases,
        audit_logs::cases,
        closed::cases,
        executions::cases,
        organizations::cases,
        protected::cases,
        users::cases,
        workflows::cases,
    ];
    let particular = tables.iter().flat_map(|cases| cases());
    let accesses = accesses();
    let general = accesses.iter().flat_map(Access::cases);
    particular.chain(general).collect()
}

/// Shows a line of a test that passes, too: the test runner does not capture this.
fn report(line: &str) {
    let mut terminal = std::io::stderr().lock();
    terminal.write_all(format!("{line}\n").as_bytes()).unwrap();
}

#[tokio::test]
async fn every_case_is_decided_as_the_policy_says() {
    let world = World::embedded().await;
    let wrong = world.disagreements(&cases()).await;
    assert!(wrong.is_empty(), "decided otherwise:\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn googles_emulator_decides_as_the_policy_says() {
    let Some(world) = World::google().await else {
        report("rules: Google's emulator is not installed, only hidane was asked");
        return;
    };
    let cases = cases();
    let wrong = world.disagreements(&cases).await;
    let agreed = cases.len() - wrong.len();
    report(&format!("rules: {agreed} rows agree on Google's emulator"));
    assert!(wrong.is_empty(), "decided otherwise:\n{}", wrong.join("\n"));
}

/// Methods of collections that somebody is not asked about.
fn gaps(cases: &[Case]) -> Vec<String> {
    let asked: BTreeSet<_> = cases
        .iter()
        .filter_map(|case| Some((case.collection(), case.method()?, case.actor)))
        .collect();
    let mut gaps = Vec::new();
    let collections: BTreeSet<String> = models::documents()
        .iter()
        .map(|(path, _)| collection_of(path.as_str()))
        .collect();
    for collection in collections {
        for (method, actor) in METHODS
            .iter()
            .flat_map(|method| ASKED.map(|actor| (*method, actor)))
        {
            if !asked.contains(&(collection.clone(), method, actor)) {
                gaps.push(format!("{method} {collection} by {actor:?}"));
            }
        }
    }
    gaps
}

#[test]
fn everybody_is_asked_about_every_method_of_every_collection() {
    let cases = cases();
    let gaps = gaps(&cases);
    assert!(gaps.is_empty(), "no case:\n{}", gaps.join("\n"));
    assert!(cases.len() >= 400, "{} cases", cases.len());
}

#[test]
fn a_gap_is_noticed() {
    let mut cases = cases();
    cases.retain(|case| {
        case.collection() != "triggers"
            || case.method() != Some("delete")
            || case.actor != Actor::Viewer
    });
    assert_eq!(gaps(&cases), ["delete triggers by Viewer"]);
}

#[test]
fn only_open_collections_have_allowed_cases() {
    let cases = cases();
    let allowed = cases.iter().filter(|case| case.expected == Verdict::Allow);
    let open: BTreeSet<String> = allowed.map(Case::collection).collect();
    assert_eq!(open, OPEN.map(str::to_owned).into());
}

#[test]
fn no_case_is_written_twice() {
    let mut seen = BTreeMap::new();
    for case in cases() {
        let name = format!("{:?} {} {:?}", case.actor, case.path, case.operation);
        let other = seen.insert(name, case.expected);
        assert_eq!(other, None, "{case:?}");
    }
}
