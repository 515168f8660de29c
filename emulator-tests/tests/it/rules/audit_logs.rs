use serde_json::json;

use super::{
    access::Access,
    actor::{ADMINS, Actor},
    case::{Case, Operation, deny, list, update},
};

const RECORD: &str = "audit_logs/r1";

pub(super) fn access() -> Access {
    Access {
        get: &ADMINS,
        list: &ADMINS,
        ..Access::none(RECORD)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        deny(Actor::Admin, "audit_logs/foreign", Operation::Get),
        deny(Actor::Admin, "audit_logs", Operation::List(Vec::new())),
        deny(
            Actor::Admin,
            "audit_logs",
            list("orgId", "EQUAL", json!("o2")),
        ),
        deny(Actor::Admin, RECORD, update(json!({ "actorId": "Eve" }))),
    ]
}
