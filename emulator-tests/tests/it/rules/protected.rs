use serde_json::{Value, json};

use super::{
    actor::Actor,
    case::{Case, Operation, deny, update},
    workflows,
};

/// Fields that only the services write, wherever they stand, and a value that somebody would like.
pub(super) const PROTECTED: [(&str, &str); 8] = [
    ("apiUsage", "0"),
    ("credentials", "mine"),
    ("orgId", "o2"),
    ("organizationId", "o2"),
    ("role", "admin"),
    ("status", "training"),
    ("stripeCustomerId", "cus_2"),
    ("subscriptionTier", "enterprise"),
];

/// Alone, and beside a change that is allowed, by whom the document trusts most.
pub(super) fn cases() -> Vec<Case> {
    let writable = [
        ("users/User", Actor::User, json!({ "settings": {} })),
        (
            "organizations/o1",
            Actor::Admin,
            json!({ "name": "Protected" }),
        ),
        ("agents/a1", Actor::Admin, json!({ "name": "Protected" })),
        ("workflows/w1", Actor::Admin, json!({ "active": false })),
        ("integrations/i1", Actor::Admin, json!({ "lastSync": null })),
    ];
    let mut cases = Vec::new();
    for (field, value) in PROTECTED {
        for (path, actor, change) in &writable {
            let alone = with(json!({}), field, value);
            cases.push(deny(*actor, path, update(alone)));
            let beside = with(change.clone(), field, value);
            cases.push(deny(*actor, path, update(beside)));
        }
        let new = with(workflows::least("new", "o1"), field, value);
        cases.push(deny(Actor::Admin, "workflows/new", Operation::Create(new)));
    }
    cases
}

fn with(mut fields: Value, field: &str, value: &str) -> Value {
    fields[field] = json!(value);
    fields
}
