use serde_json::json;

use super::{
    actor::{Actor, OUTSIDERS},
    case::{Case, Operation, allow, deny, each, list, update},
};

const RECORD: &str = "audit_logs/r1";

pub(super) fn cases() -> Vec<Case> {
    let own = list("orgId", "EQUAL", json!("o1"));
    let mut cases = each(&OUTSIDERS, deny, RECORD, &Operation::Get);
    cases.extend(each(&OUTSIDERS, deny, "audit_logs", &own));
    for actor in [Actor::User, Actor::Viewer] {
        cases.push(deny(actor, RECORD, Operation::Get));
        cases.push(deny(actor, "audit_logs", own.clone()));
    }
    cases.extend([
        allow(Actor::Admin, RECORD, Operation::Get),
        allow(Actor::Admin, "audit_logs", own),
        deny(Actor::Admin, "audit_logs/foreign", Operation::Get),
        deny(Actor::Admin, "audit_logs", Operation::List(Vec::new())),
        deny(
            Actor::Admin,
            "audit_logs",
            list("orgId", "EQUAL", json!("o2")),
        ),
        deny(Actor::Admin, RECORD, update(json!({ "actorId": "Eve" }))),
        deny(Actor::Admin, RECORD, Operation::Delete),
        deny(
            Actor::Admin,
            "audit_logs/new",
            Operation::Create(json!({ "id": "new", "orgId": "o1" })),
        ),
    ]);
    cases
}
