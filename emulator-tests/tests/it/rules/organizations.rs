use serde_json::{Value, json};

use super::{
    access::Access,
    actor::{ADMINS, Actor, MEMBERS},
    case::{Case, Operation, allow, deny, list, remove, update},
};

const ORGANIZATION: &str = "organizations/o1";
const CURRENT: &str = "organizations/o1/stats/current";

pub(super) fn access() -> Access {
    Access {
        get: &MEMBERS,
        query: list("id", "EQUAL", json!("o1")),
        new: json!({ "id": "new", "name": "New" }),
        change: json!({ "name": "New" }),
        update: &ADMINS,
        ..Access::none(ORGANIZATION)
    }
}

pub(super) fn access_to_stats() -> Access {
    Access {
        get: &MEMBERS,
        query: Operation::List(Vec::new()),
        list: &MEMBERS,
        new: json!({ "tokens": 0 }),
        change: json!({ "tokens": 0 }),
        ..Access::none(CURRENT)
    }
}

pub(super) fn cases() -> Vec<Case> {
    [reads(), names(), other_fields(), stats()].concat()
}

fn reads() -> Vec<Case> {
    let all = Operation::List(Vec::new());
    vec![
        allow(Actor::Foreign, "organizations/o2", Operation::Get),
        deny(Actor::Admin, "organizations/o2", Operation::Get),
        deny(Actor::Admin, "organizations", all),
    ]
}

fn names() -> Vec<Case> {
    let name = |name: Value| update(json!({ "name": name }));
    vec![
        allow(Actor::Admin, ORGANIZATION, name(json!("N"))),
        allow(Actor::Admin, ORGANIZATION, name(json!("ä".repeat(200)))),
        deny(Actor::Admin, ORGANIZATION, name(json!("x".repeat(201)))),
        deny(Actor::Admin, ORGANIZATION, name(json!(""))),
        deny(Actor::Admin, ORGANIZATION, name(json!(" "))),
        deny(Actor::Admin, ORGANIZATION, name(json!("a\r\nBcc: b"))),
        deny(Actor::Admin, ORGANIZATION, name(json!("a\u{0}"))),
        deny(Actor::Admin, ORGANIZATION, name(json!("\u{7f}"))),
        deny(Actor::Admin, ORGANIZATION, name(json!(7))),
        deny(Actor::Admin, ORGANIZATION, name(json!(["a", "b"]))),
        deny(Actor::Admin, ORGANIZATION, name(json!(null))),
        deny(Actor::Admin, ORGANIZATION, remove("name")),
        deny(Actor::Admin, "organizations/o2", name(json!("New"))),
    ]
}

fn other_fields() -> Vec<Case> {
    let mut cases = vec![
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
        json!({ "limits": { "agents": 1_000 } }),
        json!({ "id": "o2" }),
        json!({ "extra": true }),
    ] {
        cases.push(deny(Actor::Admin, ORGANIZATION, update(change)));
    }
    cases
}

fn stats() -> Vec<Case> {
    let all = Operation::List(Vec::new());
    vec![
        deny(Actor::Admin, "organizations/o2/stats", all),
        deny(Actor::Admin, "stats", Operation::ListGroup(Vec::new())),
    ]
}
