use serde_json::json;

use super::{
    actor::{Actor, EDITORS, MEMBERS, OUTSIDERS},
    case::{Case, Operation, allow, condition, deny, each, list, remove, update},
    values::keys,
};

pub(super) fn cases() -> Vec<Case> {
    [reads(), queries(), settings(), other_fields(), lifecycle()].concat()
}

fn reads() -> Vec<Case> {
    let mut cases = vec![
        allow(Actor::Admin, "users/Admin", Operation::Get),
        allow(Actor::User, "users/User", Operation::Get),
        allow(Actor::Viewer, "users/Viewer", Operation::Get),
        allow(Actor::Foreign, "users/Foreign", Operation::Get),
        // A client listens to its document before that is made.
        allow(Actor::Newcomer, "users/Newcomer", Operation::Get),
        allow(Actor::Admin, "users/User", Operation::Get),
        allow(Actor::Admin, "users/Disabled", Operation::Get),
        deny(Actor::User, "users/Admin", Operation::Get),
        deny(Actor::Viewer, "users/User", Operation::Get),
        deny(Actor::Admin, "users/Foreign", Operation::Get),
        deny(Actor::Admin, "users/missing", Operation::Get),
        deny(Actor::Disabled, "users/Disabled", Operation::Get),
        deny(Actor::OddlyDisabled, "users/OddlyDisabled", Operation::Get),
        deny(Actor::Nobody, "users/Nobody", Operation::Get),
        deny(
            Actor::NullOrganization,
            "users/NoOrganization",
            Operation::Get,
        ),
    ];
    cases.extend(each(&OUTSIDERS, deny, "users/User", &Operation::Get));
    cases
}

fn queries() -> Vec<Case> {
    let of = |org_id: &str| list("organizationId", "EQUAL", json!(org_id));
    let mut cases = vec![
        allow(Actor::Admin, "users", of("o1")),
        deny(Actor::User, "users", of("o1")),
        deny(Actor::Viewer, "users", of("o1")),
        deny(Actor::Admin, "users", of("o2")),
        deny(Actor::Admin, "users", Operation::List(Vec::new())),
        deny(
            Actor::Admin,
            "users",
            list("organizationId", "IN", json!(["o1", "o2"])),
        ),
        deny(
            Actor::Admin,
            "users",
            list("organizationId", "GREATER_THAN_OR_EQUAL", json!("o1")),
        ),
        deny(Actor::User, "users", list("uid", "EQUAL", json!("User"))),
        deny(
            Actor::Admin,
            "users",
            Operation::ListGroup(vec![condition("organizationId", "EQUAL", json!("o1"))]),
        ),
        deny(Actor::EmptyOrganization, "users", of("")),
    ];
    cases.extend(each(&OUTSIDERS, deny, "users", &of("o1")));
    cases
}

fn settings() -> Vec<Case> {
    let set = |settings: serde_json::Value| update(json!({ "settings": settings }));
    let light = set(json!({ "theme": "light" }));
    let mut cases = vec![
        allow(Actor::User, "users/User", set(keys(50))),
        allow(Actor::User, "users/User", set(json!({}))),
        deny(Actor::User, "users/User", set(keys(51))),
        deny(Actor::User, "users/User", set(json!("dark"))),
        deny(Actor::User, "users/User", set(json!(["dark"]))),
        deny(Actor::User, "users/User", set(json!(null))),
        deny(Actor::User, "users/User", remove("settings")),
        deny(Actor::Admin, "users/User", light.clone()),
        deny(Actor::User, "users/Admin", light.clone()),
        deny(Actor::Nobody, "users/User", light.clone()),
        deny(Actor::Disabled, "users/Disabled", light.clone()),
        deny(Actor::OddlyDisabled, "users/OddlyDisabled", light.clone()),
    ];
    for actor in MEMBERS {
        cases.push(allow(actor, &format!("users/{actor:?}"), light.clone()));
    }
    cases
}

fn other_fields() -> Vec<Case> {
    let mut cases = vec![
        deny(
            Actor::User,
            "users/User",
            update(json!({ "settings": { "theme": "light" }, "role": "admin" })),
        ),
        deny(Actor::User, "users/User", remove("disabled")),
        deny(Actor::User, "users/User", remove("role")),
        // `set` without `merge` drops every other field.
        deny(
            Actor::User,
            "users/User",
            Operation::Set(json!({ "settings": {} })),
        ),
    ];
    for change in [
        json!({ "role": "admin" }),
        json!({ "organizationId": "o2" }),
        json!({ "disabled": true }),
        json!({ "email": "eve@example.com" }),
        json!({ "uid": "Admin" }),
        json!({ "isAdmin": true }),
    ] {
        cases.push(deny(Actor::User, "users/User", update(change)));
    }
    cases.push(deny(
        Actor::Admin,
        "users/User",
        update(json!({ "role": "viewer" })),
    ));
    cases
}

fn lifecycle() -> Vec<Case> {
    let profile = json!({
        "uid": "Newcomer", "role": "admin", "organizationId": "o1", "settings": {},
    });
    let mut cases = each(&EDITORS, deny, "users/User", &Operation::Delete);
    cases.extend([
        deny(
            Actor::Newcomer,
            "users/Newcomer",
            Operation::Create(profile.clone()),
        ),
        deny(
            Actor::Newcomer,
            "users/Newcomer",
            Operation::Set(profile.clone()),
        ),
        deny(Actor::Admin, "users/another", Operation::Create(profile)),
    ]);
    cases
}
