use serde_json::{Value, json};

use super::{
    access::Access,
    actor::{Actor, EDITORS, MEMBERS},
    case::{Case, Operation, allow, condition, deny, list, remove, update},
};

const AGENT: &str = "agents/a1";

pub(super) fn access() -> Access {
    Access {
        get: &MEMBERS,
        list: &MEMBERS,
        change: json!({ "name": "Grace" }),
        update: &EDITORS,
        ..Access::none(AGENT)
    }
}

pub(super) fn cases() -> Vec<Case> {
    [reads(), queries(), drafts(), bad_values(), other_fields()].concat()
}

fn reads() -> Vec<Case> {
    vec![
        deny(Actor::Admin, "agents/foreign", Operation::Get),
        deny(Actor::Admin, "agents/missing", Operation::Get),
        deny(Actor::EmptyOrganization, "agents/empty", Operation::Get),
        deny(Actor::NullOrganization, "agents/null", Operation::Get),
        deny(Actor::NoOrganization, "agents/none", Operation::Get),
    ]
}

fn queries() -> Vec<Case> {
    let of_org = || condition("orgId", "EQUAL", json!("o1"));
    let active = condition("status", "EQUAL", json!("active"));
    vec![
        allow(
            Actor::Viewer,
            "agents",
            Operation::List(vec![of_org(), active.clone()]),
        ),
        deny(Actor::Admin, "agents", Operation::List(Vec::new())),
        deny(Actor::Admin, "agents", Operation::List(vec![active])),
        deny(Actor::Admin, "agents", list("orgId", "EQUAL", json!("o2"))),
        deny(
            Actor::Admin,
            "agents",
            list("orgId", "IN", json!(["o1", "o2"])),
        ),
        deny(
            Actor::Admin,
            "agents",
            list("orgId", "GREATER_THAN_OR_EQUAL", json!("o1")),
        ),
        deny(Actor::Admin, "agents", Operation::ListGroup(vec![of_org()])),
        deny(
            Actor::EmptyOrganization,
            "agents",
            list("orgId", "EQUAL", json!("")),
        ),
    ]
}

fn personality(changes: Value) -> Operation {
    let personality = json!({ "empathy": 0.5, "confidence": 0.5, "style": "dry" });
    update(json!({ "personality": merged(personality, changes) }))
}

fn voice(changes: Value) -> Operation {
    let voice = json!({ "model": "alloy", "speed": 1.0, "pitch": 0.0 });
    update(json!({ "voiceConfig": merged(voice, changes) }))
}

fn merged(mut value: Value, changes: Value) -> Value {
    for (name, change) in changes.as_object().expect("an object") {
        value[name] = change.clone();
    }
    value
}

fn drafts() -> Vec<Case> {
    let rename = update(json!({ "name": "Grace" }));
    let mut cases = vec![deny(Actor::Admin, "agents/foreign", rename)];
    for change in [
        update(json!({ "name": "x" })),
        update(json!({ "name": "x".repeat(80) })),
        update(json!({ "industry": "tech" })),
        // The JavaScript SDK writes whole numbers as integers.
        personality(json!({ "empathy": 0, "confidence": 1 })),
        personality(json!({ "style": "" })),
        personality(json!({ "style": "x".repeat(500) })),
        voice(json!({ "model": "x" })),
        voice(json!({ "model": "x".repeat(80) })),
        voice(json!({ "speed": 0.25, "pitch": -20 })),
        voice(json!({ "speed": 4, "pitch": 20.0 })),
    ] {
        cases.push(allow(Actor::User, AGENT, change));
    }
    cases
}

fn bad_values() -> Vec<Case> {
    let nan = json!({ "doubleValue": "NaN" });
    let changes = [
        update(json!({ "name": "" })),
        update(json!({ "name": "x".repeat(81) })),
        update(json!({ "name": "a\nb" })),
        update(json!({ "name": 7 })),
        update(json!({ "industry": "mining" })),
        update(json!({ "industry": ["tech"] })),
        update(json!({ "industry": null })),
        update(json!({ "personality": "kind" })),
        update(json!({ "personality": { "empathy": 1, "confidence": 1 } })),
        personality(json!({ "extra": 1 })),
        personality(json!({ "empathy": 1.01 })),
        personality(json!({ "empathy": -0.01 })),
        personality(json!({ "empathy": "1" })),
        personality(json!({ "empathy": nan })),
        personality(json!({ "confidence": 2 })),
        personality(json!({ "confidence": -1 })),
        personality(json!({ "confidence": null })),
        personality(json!({ "style": "x".repeat(501) })),
        personality(json!({ "style": 1 })),
        update(json!({ "voiceConfig": [] })),
        update(json!({ "voiceConfig": { "model": "alloy", "speed": 1 } })),
        voice(json!({ "extra": 1 })),
        voice(json!({ "model": "" })),
        voice(json!({ "model": "x".repeat(81) })),
        voice(json!({ "speed": 0.24 })),
        voice(json!({ "speed": 4.01 })),
        voice(json!({ "speed": nan })),
        voice(json!({ "pitch": -20.5 })),
        voice(json!({ "pitch": 21 })),
        voice(json!({ "pitch": true })),
    ];
    let denied = changes.map(|change| deny(Actor::User, AGENT, change));
    denied.into()
}

fn other_fields() -> Vec<Case> {
    let mut cases = vec![
        deny(
            Actor::Admin,
            AGENT,
            Operation::Set(json!({ "name": "Grace" })),
        ),
        deny(Actor::Admin, AGENT, remove("name")),
        deny(Actor::Admin, AGENT, remove("status")),
        deny(
            Actor::Admin,
            "agents/new",
            Operation::Create(json!({ "id": "new", "orgId": "o1", "name": "Grace" })),
        ),
        // The organization before the write decides.
        deny(Actor::Foreign, AGENT, update(json!({ "orgId": "o2" }))),
    ];
    for change in [
        json!({ "name": "Grace", "status": "paused" }),
        json!({ "id": "a2" }),
        json!({ "type": "custom" }),
        json!({ "deployState": "draft" }),
        json!({ "memoryDepth": "session" }),
        json!({ "systemPrompt": "Obey." }),
        json!({ "tools": ["shell"] }),
        json!({ "model": "expensive" }),
        json!({ "presence": {} }),
        json!({ "runtime": {} }),
        json!({ "extra": 1 }),
    ] {
        cases.push(deny(Actor::Admin, AGENT, update(change)));
    }
    cases
}
