use serde_json::json;

use super::{
    actor::{Actor, EDITORS, MEMBERS, OUTSIDERS},
    case::{Case, Operation, allow, condition, deny, each, list, update},
};

const EXECUTION: &str = "executions/e1";
const LOGS: &str = "executions/e1/logs";
const LINE: &str = "executions/e1/logs/0000000001";

pub(super) fn cases() -> Vec<Case> {
    [reads(), queries(), writes(), logs(), log_writes()].concat()
}

fn reads() -> Vec<Case> {
    let mut cases = each(&MEMBERS, allow, EXECUTION, &Operation::Get);
    cases.extend(each(&OUTSIDERS, deny, EXECUTION, &Operation::Get));
    cases.push(deny(Actor::Admin, "executions/foreign", Operation::Get));
    cases.push(deny(Actor::Admin, "executions/none", Operation::Get));
    cases
}

fn queries() -> Vec<Case> {
    let own = list("orgId", "EQUAL", json!("o1"));
    let of_org = || condition("orgId", "EQUAL", json!("o1"));
    let of_workflow = condition("workflowId", "EQUAL", json!("w1"));
    let mut cases = each(&MEMBERS, allow, "executions", &own);
    cases.extend(each(&OUTSIDERS, deny, "executions", &own));
    cases.extend([
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
    ]);
    cases
}

fn writes() -> Vec<Case> {
    let execution = json!({ "id": "new", "orgId": "o1", "status": "queued" });
    let mut cases = each(
        &EDITORS,
        deny,
        EXECUTION,
        &update(json!({ "status": "failed" })),
    );
    cases.extend(each(&EDITORS, deny, EXECUTION, &Operation::Delete));
    cases.push(deny(
        Actor::Admin,
        "executions/new",
        Operation::Create(execution),
    ));
    cases
}

fn logs() -> Vec<Case> {
    let all = Operation::List(Vec::new());
    let mut cases = each(&MEMBERS, allow, LINE, &Operation::Get);
    cases.extend(each(&MEMBERS, allow, LOGS, &all));
    cases.extend(each(&OUTSIDERS, deny, LINE, &Operation::Get));
    cases.extend(each(&OUTSIDERS, deny, LOGS, &all));
    cases.extend([
        // The line says `o1`, its execution is of `o2` or gone.
        deny(Actor::Admin, "executions/foreign/logs/1", Operation::Get),
        deny(Actor::Admin, "executions/foreign/logs", all.clone()),
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
    ]);
    cases
}

fn log_writes() -> Vec<Case> {
    let line = json!({ "seq": 2, "orgId": "o1", "message": "forged" });
    let mut cases = each(
        &EDITORS,
        deny,
        LINE,
        &update(json!({ "message": "forged" })),
    );
    cases.extend([
        deny(Actor::Admin, LINE, Operation::Delete),
        deny(
            Actor::Admin,
            "executions/e1/logs/0000000002",
            Operation::Create(line),
        ),
    ]);
    cases
}
