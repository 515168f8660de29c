use serde_json::{Value, json};

use super::{
    actor::{Actor, EDITORS, MEMBERS, OUTSIDERS},
    case::{Case, Operation, allow, deny, each, list, remove, update},
};

const ORGANIZATION: &str = "organizations/o1";
const STATS: &str = "organizations/o1/stats";
const CURRENT: &str = "organizations/o1/stats/current";

pub(super) fn cases() -> Vec<Case> {
    [reads(), names(), other_fields(), stats()].concat()
}

fn reads() -> Vec<Case> {
    let all = Operation::List(Vec::new());
    let mut cases = each(&MEMBERS, allow, ORGANIZATION, &Operation::Get);
    cases.extend(each(&OUTSIDERS, deny, ORGANIZATION, &Operation::Get));
    cases.extend([
        allow(Actor::Foreign, "organizations/o2", Operation::Get),
        deny(Actor::Admin, "organizations/o2", Operation::Get),
        deny(Actor::Admin, "organizations", all),
        deny(
            Actor::Admin,
            "organizations",
            list("id", "EQUAL", json!("o1")),
        ),
    ]);
    cases
}

fn names() -> Vec<Case> {
    let name = |name: Value| update(json!({ "name": name }));
    let mut cases = each(&OUTSIDERS, deny, ORGANIZATION, &name(json!("New")));
    cases.extend([
        allow(Actor::Admin, ORGANIZATION, name(json!("N"))),
        allow(Actor::Admin, ORGANIZATION, name(json!("ä".repeat(200)))),
        deny(Actor::Admin, ORGANIZATION, name(json!("x".repeat(201)))),
        deny(Actor::Admin, ORGANIZATION, name(json!(""))),
        deny(Actor::Admin, ORGANIZATION, name(json!(7))),
        deny(Actor::Admin, ORGANIZATION, name(json!(["a", "b"]))),
        deny(Actor::Admin, ORGANIZATION, name(json!(null))),
        deny(Actor::Admin, ORGANIZATION, remove("name")),
        deny(Actor::User, ORGANIZATION, name(json!("New"))),
        deny(Actor::Viewer, ORGANIZATION, name(json!("New"))),
        deny(Actor::Admin, "organizations/o2", name(json!("New"))),
    ]);
    cases
}

fn other_fields() -> Vec<Case> {
    let mut cases = vec![
        deny(Actor::Admin, ORGANIZATION, Operation::Delete),
        deny(
            Actor::Admin,
            ORGANIZATION,
            Operation::Set(json!({ "name": "New" })),
        ),
        deny(Actor::Admin, ORGANIZATION, remove("limits")),
        deny(
            Actor::Newcomer,
            "organizations/mine",
            Operation::Create(json!({ "id": "mine", "name": "Mine" })),
        ),
    ];
    for change in [
        json!({ "subscriptionTier": "enterprise" }),
        json!({ "name": "New", "subscriptionTier": "enterprise" }),
        json!({ "apiUsage": 0 }),
        json!({ "limits": { "agents": 1_000 } }),
        json!({ "stripeCustomerId": "cus_2" }),
        json!({ "id": "o2" }),
        json!({ "extra": true }),
    ] {
        cases.push(deny(Actor::Admin, ORGANIZATION, update(change)));
    }
    cases
}

fn stats() -> Vec<Case> {
    let all = Operation::List(Vec::new());
    let mut cases = each(&MEMBERS, allow, CURRENT, &Operation::Get);
    cases.extend(each(&MEMBERS, allow, STATS, &all));
    cases.extend(each(&OUTSIDERS, deny, CURRENT, &Operation::Get));
    cases.extend(each(&OUTSIDERS, deny, STATS, &all));
    cases.extend(each(
        &EDITORS,
        deny,
        CURRENT,
        &update(json!({ "tokens": 0 })),
    ));
    cases.extend([
        deny(Actor::Admin, "organizations/o2/stats", all),
        deny(Actor::Admin, "stats", Operation::ListGroup(Vec::new())),
        deny(Actor::Admin, CURRENT, Operation::Delete),
        deny(
            Actor::Admin,
            "organizations/o1/stats/2027-01",
            Operation::Create(json!({ "tokens": 0 })),
        ),
    ]);
    cases
}
