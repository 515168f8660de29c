use serde_json::json;

use super::{
    access::Access,
    actor::{ADMINS, Actor, MEMBERS},
    case::{Case, Operation, allow, condition, deny, list, remove, update},
    values::keys,
};

const USER: &str = "users/User";

pub(super) fn access() -> Access {
    Access {
        get: &[Actor::Admin, Actor::SignedInAgain, Actor::User],
        query: list("organizationId", "EQUAL", json!("o1")),
        list: &ADMINS,
        new: json!({ "uid": "new", "role": "user", "organizationId": "o1", "settings": {} }),
        change: json!({ "settings": { "theme": "light" } }),
        update: &[Actor::User],
        ..Access::none(USER)
    }
}

pub(super) fn cases() -> Vec<Case> {
    [reads(), queries(), settings(), other_fields(), lifecycle()].concat()
}

fn reads() -> Vec<Case> {
    vec![
        allow(Actor::Admin, "users/Admin", Operation::Get),
        allow(Actor::SignedInAgain, "users/SignedInAgain", Operation::Get),
        allow(Actor::Viewer, "users/Viewer", Operation::Get),
        allow(Actor::Foreign, "users/Foreign", Operation::Get),
        // A client listens to its document before that is made.
        allow(Actor::Newcomer, "users/Newcomer", Operation::Get),
        allow(Actor::Admin, "users/Disabled", Operation::Get),
        allow(Actor::Admin, "users/LoggedOut", Operation::Get),
        deny(Actor::User, "users/Admin", Operation::Get),
        deny(Actor::Admin, "users/Foreign", Operation::Get),
        deny(Actor::Admin, "users/missing", Operation::Get),
        deny(Actor::Disabled, "users/Disabled", Operation::Get),
        deny(Actor::OddlyDisabled, "users/OddlyDisabled", Operation::Get),
        deny(Actor::LoggedOut, "users/LoggedOut", Operation::Get),
        deny(
            Actor::OddlyLoggedOut,
            "users/OddlyLoggedOut",
            Operation::Get,
        ),
        deny(Actor::Nobody, "users/Nobody", Operation::Get),
        deny(
            Actor::NullOrganization,
            "users/NoOrganization",
            Operation::Get,
        ),
    ]
}

fn queries() -> Vec<Case> {
    let of = |org_id: &str| list("organizationId", "EQUAL", json!(org_id));
    vec![
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
    ]
}

fn settings() -> Vec<Case> {
    let set = |settings: serde_json::Value| update(json!({ "settings": settings }));
    let light = set(json!({ "theme": "light" }));
    let mut cases = vec![
        allow(Actor::User, USER, set(keys(50))),
        allow(Actor::User, USER, set(json!({}))),
        deny(Actor::User, USER, set(keys(51))),
        deny(Actor::User, USER, set(json!("dark"))),
        deny(Actor::User, USER, set(json!(["dark"]))),
        deny(Actor::User, USER, set(json!(null))),
        deny(Actor::User, USER, remove("settings")),
        deny(Actor::User, "users/Admin", light.clone()),
    ];
    for actor in MEMBERS.into_iter().filter(|actor| *actor != Actor::User) {
        cases.push(allow(actor, &format!("users/{actor:?}"), light.clone()));
    }
    for actor in [
        Actor::Disabled,
        Actor::OddlyDisabled,
        Actor::LoggedOut,
        Actor::OddlyLoggedOut,
    ] {
        cases.push(deny(actor, &format!("users/{actor:?}"), light.clone()));
    }
    cases
}

fn other_fields() -> Vec<Case> {
    let mut cases = vec![
        deny(
            Actor::User,
            USER,
            update(json!({ "settings": { "theme": "light" }, "role": "admin" })),
        ),
        deny(Actor::User, USER, remove("disabled")),
        deny(Actor::User, USER, remove("role")),
        // `set` without `merge` drops every other field.
        deny(Actor::User, USER, Operation::Set(json!({ "settings": {} }))),
    ];
    for change in [
        json!({ "disabled": true }),
        json!({ "tokensValidAfter": { "timestampValue": "2026-01-01T00:00:00Z" } }),
        json!({ "email": "eve@example.com" }),
        json!({ "uid": "Admin" }),
        json!({ "isAdmin": true }),
    ] {
        cases.push(deny(Actor::User, USER, update(change)));
    }
    cases.push(deny(
        Actor::Admin,
        USER,
        update(json!({ "role": "viewer" })),
    ));
    cases
}

fn lifecycle() -> Vec<Case> {
    let profile = json!({
        "uid": "Newcomer", "role": "admin", "organizationId": "o1", "settings": {},
    });
    vec![
        deny(Actor::Admin, "users/Admin", Operation::Delete),
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
    ]
}
