use serde_json::json;

use super::{
    access::Access,
    actor::{Actor, MEMBERS},
    case::{Case, Operation, allow, condition, deny, list},
};

const EXECUTION: &str = "executions/e1";
const LINE: &str = "executions/e1/logs/0000000001";

pub(super) fn access() -> Access {
    Access {
        get: &MEMBERS,
        list: &MEMBERS,
        new: json!({ "id": "new", "orgId": "o1", "status": "queued" }),
        change: json!({ "status": "failed" }),
        ..Access::none(EXECUTION)
    }
}

pub(super) fn access_to_logs() -> Access {
    Access {
        get: &MEMBERS,
        query: Operation::List(Vec::new()),
        list: &MEMBERS,
        new: json!({ "seq": 2, "orgId": "o1", "message": "forged" }),
        change: json!({ "message": "forged" }),
        ..Access::none(LINE)
    }
}

pub(super) fn cases() -> Vec<Case> {
    [executions(), logs()].concat()
}

fn executions() -> Vec<Case> {
    let of_org = || condition("orgId", "EQUAL", json!("o1"));
    let of_workflow = condition("workflowId", "EQUAL", json!("w1"));
    vec![
        deny(Actor::Admin, "executions/foreign", Operation::Get),
        deny(Actor::Admin, "executions/none", Operation::Get),
        allow(
            Actor::Viewer,
            "executions",
            Operation::List(vec![of_org(), of_workflow.clone()]),
        ),
        deny(
            Actor::Admin,
            "executions",
            Operation::List(vec![of_workflow]),
        ),
        deny(Actor::Admin, "executions", Operation::List(Vec::new())),
        deny(
            Actor::Admin,
            "executions",
            list("orgId", "IN", json!(["o1", "o2"])),
        ),
        deny(
            Actor::Admin,
            "executions",
            Operation::ListGroup(vec![of_org()]),
        ),
    ]
}

fn logs() -> Vec<Case> {
    let all = Operation::List(Vec::new());
    vec![
        // The line says `o1`, its execution is of `o2` or gone.
        deny(Actor::Admin, "executions/foreign/logs/1", Operation::Get),
        deny(Actor::Admin, "executions/foreign/logs", all),
        deny(Actor::Admin, "executions/missing/logs/1", Operation::Get),
        deny(
            Actor::Admin,
            "executions/foreign/logs",
            list("orgId", "EQUAL", json!("o1")),
        ),
        deny(
            Actor::Admin,
            "logs",
            Operation::ListGroup(vec![condition("orgId", "EQUAL", json!("o1"))]),
        ),
    ]
}
