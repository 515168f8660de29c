use serde::Serialize;
use serde_json::json;
use shared::{
    models::{LogKind, LogLevel, LogLine, Step},
    store::{self, DocumentPath, document_db::Document},
};

use super::*;
use crate::faults::sinks::SinkKind;

const ID: &str = "e1";
const OWNER: &str = "w1";

fn at(seconds: i64) -> Timestamp {
    jiff::Timestamp::from_second(1_700_000_000 + seconds)
        .unwrap()
        .into()
}

fn version<T: Serialize>(position: usize, path: &str, model: &T) -> Version {
    let path = DocumentPath::from_resource_name(&format!("d/documents/{path}")).unwrap();
    let fields = store::encode(&path, model).unwrap();
    Version {
        position,
        document: Some(Document {
            path: path.clone(),
            fields,
            version: at(0),
        }),
        path,
    }
}

fn plan() -> Plan {
    Plan::one_effect("one", "keyed")
}

/// From JSON, so that fields with defaults may be added to the models.
fn execution(status: ExecutionStatus, fence: i64, owner: Option<&str>) -> Execution {
    let execution = json!({
        "id": ID,
        "orgId": "o1",
        "workflowId": plan().id(),
        "workflowVersion": "v",
        "status": status,
        "startedAt": at(0),
        "trigger": { "id": ID, "type": "manual" },
        "input": "{}",
        "budget": {
            "maxSteps": 1,
            "maxTokens": 1,
            "maxSeconds": 1,
            "usedSteps": 0,
            "usedTokens": 0,
        },
        "lease": { "owner": owner, "fence": fence, "until": at(2) },
        "attempts": 0,
        "logSeq": 1,
    });
    serde_json::from_value(execution).unwrap()
}

fn step(node: &str, output: Option<i64>) -> Step {
    let result = output.map(|output| {
        json!({
            "output": output.to_string(),
            "handle": "out",
            "tokens": 0,
            "durationMs": 1,
            "at": at(1),
        })
    });
    let step = json!({
        "nodeId": node,
        "iteration": "0",
        "kind": "http",
        "orgId": "o1",
        "status": if output.is_some() { "succeeded" } else { "running" },
        "intent": {
            "attempt": 1,
            "idempotencyKey": "k1",
            "requestHash": "",
            "fence": 1,
            "at": at(0),
        },
        "result": result,
    });
    serde_json::from_value(step).unwrap()
}

fn step_version(position: usize, node: &str, output: Option<i64>) -> Version {
    let path = format!("executions/{ID}/steps/{node}#0");
    version(position, &path, &step(node, output))
}

fn line(position: usize, seq: i64) -> Version {
    let line = LogLine {
        seq,
        ts: at(0),
        node_id: None,
        level: LogLevel::Info,
        kind: LogKind::Execution,
        message: String::new(),
        org_id: "o1".parse().unwrap(),
    };
    version(position, &format!("executions/{ID}/logs/{seq:010}"), &line)
}

fn state(position: usize, status: ExecutionStatus, fence: i64, owner: Option<&str>) -> Version {
    let path = format!("executions/{ID}");
    version(position, &path, &execution(status, fence, owner))
}

fn call(position: usize, key: &str, effect: Effect) -> Call {
    Call {
        kind: SinkKind::Keyed,
        key: Some(key.to_owned()),
        execution: ID.to_owned(),
        node: "work".to_owned(),
        worker: 0,
        position,
        effect,
        answered: true,
    }
}

/// A run as it should be: five commits, and a call between the third and the fourth.
fn sound() -> Evidence {
    let history = vec![
        state(1, ExecutionStatus::Queued, 0, None),
        line(1, 1),
        state(2, ExecutionStatus::Running, 1, Some(OWNER)),
        step_version(3, "start", Some(0)),
        step_version(3, "work", None),
        step_version(4, "work", Some(1)),
        step_version(4, "end", Some(2)),
        state(5, ExecutionStatus::Succeeded, 1, None),
    ];
    Evidence {
        plans: vec![plan()],
        history,
        calls: vec![call(3, "k1", Effect::Done)],
        acknowledged: BTreeSet::from([ID.to_owned()]),
        now: Some(at(60)),
    }
}

fn broken(evidence: &Evidence) -> Vec<Rule> {
    let mut rules: Vec<Rule> = check(evidence)
        .unwrap()
        .violations
        .iter()
        .map(|found| found.rule)
        .collect();
    rules.sort();
    rules.dedup();
    rules
}

#[test]
fn a_sound_run_breaks_no_rule() {
    assert_eq!(broken(&sound()), []);
    let tally = check(&sound()).unwrap().tally;
    assert_eq!((tally.succeeded, tally.effects), (1, 1));
}

#[test]
fn an_acknowledged_event_without_an_execution_is_lost() {
    let mut evidence = sound();
    evidence.acknowledged.insert("e2".to_owned());
    assert_eq!(broken(&evidence), [Rule::Lost]);
}

#[test]
fn an_execution_without_an_end_is_stuck_and_its_lease_is_old() {
    let mut evidence = sound();
    evidence.history.pop();
    assert_eq!(broken(&evidence), [Rule::Stuck, Rule::OldLease]);
}

#[test]
fn an_end_is_final_and_a_fence_does_not_fall() {
    let mut evidence = sound();
    evidence
        .history
        .push(state(6, ExecutionStatus::Failed, 1, None));
    assert_eq!(broken(&evidence), [Rule::EndChanged]);
    let mut evidence = sound();
    let stale = state(5, ExecutionStatus::Running, 0, Some(OWNER));
    evidence.history.insert(7, stale);
    assert_eq!(broken(&evidence), [Rule::FenceFell]);
}

#[test]
fn a_second_result_is_seen_even_if_the_first_comes_back() {
    let mut evidence = sound();
    evidence.history.push(step_version(6, "work", Some(9)));
    evidence.history.push(step_version(7, "work", Some(1)));
    assert_eq!(broken(&evidence), [Rule::ResultChanged]);
}

#[test]
fn a_node_that_begins_before_its_source_ends_is_out_of_order() {
    let mut evidence = sound();
    evidence.history[3] = step_version(3, "start", None);
    evidence
        .history
        .insert(5, step_version(4, "start", Some(0)));
    assert_eq!(broken(&evidence), [Rule::StartOrder]);
}

#[test]
fn a_call_before_its_intent_is_seen() {
    let mut evidence = sound();
    evidence.calls[0].position = 2;
    assert_eq!(broken(&evidence), [Rule::NoIntent]);
}

#[test]
fn an_effect_happens_once_under_one_key() {
    let mut evidence = sound();
    evidence.calls.push(call(4, "k1", Effect::Repeated));
    assert_eq!(broken(&evidence), []);
    evidence.calls.push(call(4, "k2", Effect::Done));
    assert_eq!(broken(&evidence), [Rule::EffectTwice, Rule::KeyChanged]);
}

#[test]
fn a_success_has_an_effect_and_an_answer() {
    let mut evidence = sound();
    evidence.calls[0].answered = false;
    assert_eq!(broken(&evidence), [Rule::SilentSuccess]);
    evidence.calls.clear();
    let rules = [Rule::EffectMissing, Rule::SilentSuccess];
    assert_eq!(broken(&evidence), rules);
}

#[test]
fn a_success_has_a_result_at_every_node() {
    let mut evidence = sound();
    evidence.history.remove(6);
    assert_eq!(broken(&evidence), [Rule::EffectMissing]);
}

#[test]
fn a_refusal_is_not_asked_for_twice_in_one_claim() {
    let mut evidence = sound();
    evidence.plans = vec![Plan::one_effect("one", "bad")];
    evidence.calls = vec![call(3, "k1", Effect::Refused); 2];
    assert!(broken(&evidence).contains(&Rule::RetriedRefusal));
}

#[test]
fn a_log_has_no_gap_and_no_line_twice() {
    let mut evidence = sound();
    evidence.history.push(line(6, 3));
    assert_eq!(broken(&evidence), [Rule::LogGap]);
    let mut evidence = sound();
    evidence.history.push(line(6, 1));
    assert_eq!(broken(&evidence), [Rule::LogGap]);
}
