use serde_json::{Value, json};

use super::{
    access::Access,
    actor::{Actor, EDITORS, MEMBERS},
    case::{Case, Operation, allow, condition, deny, list, remove, update},
};

const WORKFLOW: &str = "workflows/w1";
const NEW: &str = "workflows/new";

/// The fewest fields that a workflow may have.
pub(super) fn least(id: &str, org_id: &str) -> Value {
    json!({
        "id": id, "orgId": org_id, "nodes": [], "edges": [], "triggers": [], "active": false,
    })
}

pub(super) fn access() -> Access {
    Access {
        get: &MEMBERS,
        list: &MEMBERS,
        new: least("new", "o1"),
        create: &EDITORS,
        change: json!({ "name": "New" }),
        update: &EDITORS,
        ..Access::none(WORKFLOW)
    }
}

pub(super) fn cases() -> Vec<Case> {
    [
        reads(),
        creations(),
        bad_values(),
        updates(),
        moves(),
        sizes(),
    ]
    .concat()
}

fn reads() -> Vec<Case> {
    vec![
        deny(Actor::Admin, "workflows/foreign", Operation::Get),
        deny(Actor::Admin, "workflows", Operation::List(Vec::new())),
        deny(
            Actor::Admin,
            "workflows",
            list("active", "EQUAL", json!(true)),
        ),
        deny(
            Actor::Admin,
            "workflows",
            list("orgId", "IN", json!(["o1", "o2"])),
        ),
        deny(
            Actor::Admin,
            "workflows",
            Operation::ListGroup(vec![condition("orgId", "EQUAL", json!("o1"))]),
        ),
    ]
}

fn creations() -> Vec<Case> {
    let mut cases = vec![
        allow(Actor::User, NEW, Operation::Set(least("new", "o1"))),
        allow(
            Actor::User,
            "workflows/A-z_0.9:b",
            Operation::Create(least("A-z_0.9:b", "o1")),
        ),
        deny(Actor::User, NEW, Operation::Create(least("new", "o2"))),
        deny(Actor::User, NEW, Operation::Create(least("other", "o1"))),
        deny(
            Actor::EmptyOrganization,
            NEW,
            Operation::Create(least("new", "")),
        ),
    ];
    // The services cannot read such ids.
    for id in ["ä", "a b", "a#b", "a,b", &"x".repeat(129)] {
        let path = format!("workflows/{id}");
        let operation = Operation::Create(least(id, "o1"));
        cases.push(deny(Actor::User, &path, operation));
    }
    cases
}

fn bad_values() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, value) in [
        ("nodes", json!({})),
        ("nodes", json!("[]")),
        ("edges", json!({})),
        ("triggers", json!("manual")),
        ("active", json!("true")),
        ("active", json!(1)),
        ("name", json!(7)),
        ("name", json!(["a", "b"])),
        ("description", json!(null)),
        ("createdAt", json!("2026-11-23")),
        ("updatedAt", json!(0)),
        ("ownerUid", json!("User")),
    ] {
        cases.extend(refused(name, value));
    }
    for name in ["id", "orgId", "nodes", "edges", "triggers", "active"] {
        let mut workflow = least("new", "o1");
        workflow.as_object_mut().expect("an object").remove(name);
        cases.push(deny(Actor::User, NEW, Operation::Create(workflow)));
        cases.push(deny(Actor::User, WORKFLOW, remove(name)));
    }
    cases
}

fn updates() -> Vec<Case> {
    let rename = update(json!({ "name": "New" }));
    vec![
        allow(
            Actor::User,
            WORKFLOW,
            update(json!({ "nodes": [{ "id": "n" }], "active": false })),
        ),
        allow(Actor::User, WORKFLOW, remove("description")),
        allow(Actor::User, WORKFLOW, Operation::Set(least("w1", "o1"))),
        deny(Actor::Admin, "workflows/foreign", rename),
    ]
}

fn moves() -> Vec<Case> {
    let to = |org_id: &str| update(json!({ "orgId": org_id }));
    vec![
        deny(Actor::Foreign, WORKFLOW, to("o2")),
        deny(Actor::Admin, "workflows/foreign", to("o1")),
        deny(Actor::Foreign, WORKFLOW, Operation::Set(least("w1", "o2"))),
        deny(Actor::Admin, WORKFLOW, update(json!({ "id": "w2" }))),
        deny(Actor::Admin, WORKFLOW, Operation::Set(least("w2", "o1"))),
    ]
}

/// A value that a workflow may have neither at first nor later.
fn refused(name: &'static str, value: Value) -> [Case; 2] {
    let mut new = least("new", "o1");
    new[name] = value.clone();
    [
        deny(Actor::User, NEW, Operation::Create(new)),
        deny(Actor::User, WORKFLOW, update(json!({ name: value }))),
    ]
}

/// The largest workflow, and what is larger in one way. They take the longest, so come last.
fn sizes() -> Vec<Case> {
    let mut full = least("new", "o1");
    full["name"] = json!("x".repeat(200));
    full["description"] = json!("x".repeat(2_000));
    full["createdAt"] = json!({ "timestampValue": "2026-11-23T12:00:00Z" });
    full["updatedAt"] = json!({ "timestampValue": "2026-11-23T12:00:00Z" });
    full["nodes"] = json!(vec![json!({ "id": "n", "data": { "x": [1, null] } }); 500]);
    full["edges"] = json!(vec![1; 2_000]);
    full["triggers"] = json!(vec![json!({ "type": "manual" }); 50]);
    let mut cases = vec![allow(Actor::User, NEW, Operation::Create(full))];
    for (name, value) in [
        ("name", json!("x".repeat(201))),
        ("description", json!("x".repeat(2_001))),
        ("triggers", json!(vec![1; 51])),
        ("nodes", json!(vec![1; 501])),
        ("edges", json!(vec![1; 2_001])),
    ] {
        cases.extend(refused(name, value));
    }
    cases
}
