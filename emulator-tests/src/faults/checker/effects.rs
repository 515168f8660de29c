//! The rules that hold between the journal and the sinks.

use std::collections::BTreeSet;

use shared::models::{Execution, ExecutionStatus, StepStatus};

use super::{Past, Rule, Violation};
use crate::faults::{
    plan::Plan,
    sinks::{Call, Effect, SinkKind},
};

/// Checks what an execution's nodes did at their sinks.
pub(super) fn check(
    execution: &Execution,
    plan: &Plan,
    past: &Past,
    calls: &[Call],
) -> Vec<Violation> {
    let id = execution.id.as_str();
    let mut violations = Vec::new();
    for (node, kind) in plan.sinks() {
        let calls: Vec<&Call> = calls
            .iter()
            .filter(|call| call.execution == id && call.node == node)
            .collect();
        let node = Node {
            execution,
            id: &node,
            kind,
            is_done: is_done(past, id, &node),
        };
        violations.extend(node.check_once(&calls));
        violations.extend(node.check_keys(&calls));
        violations.extend(node.check_success(&calls));
        violations.extend(node.check_refusals(&calls));
    }
    if execution.status == ExecutionStatus::Succeeded {
        violations.extend(check_whole(execution, plan, past));
    }
    violations
}

/// An intent is committed before its call leaves.
pub(super) fn check_intents(past: &Past, calls: &[Call]) -> Vec<Violation> {
    let early = calls.iter().filter(|call| {
        let begun = past.begun(&call.execution, &call.node);
        begun.is_none_or(|begun| begun > call.position)
    });
    early
        .map(|call| {
            let subject = format!("{}/{}", call.execution, call.node);
            Violation::new(Rule::NoIntent, subject, "called without a durable intent")
        })
        .collect()
}

/// A node that calls a sink.
struct Node<'a> {
    execution: &'a Execution,
    id: &'a str,
    kind: SinkKind,
    /// Whether its step has succeeded.
    is_done: bool,
}

impl Node<'_> {
    fn violation(&self, rule: Rule, what: String) -> Violation {
        let subject = format!("{}/{}", self.execution.id.as_str(), self.id);
        Violation::new(rule, subject, what)
    }

    fn check_once(&self, calls: &[&Call]) -> Option<Violation> {
        let effects = calls
            .iter()
            .filter(|call| call.effect == Effect::Done)
            .count();
        let what = || format!("{effects} effects");
        (effects > 1).then(|| self.violation(Rule::EffectTwice, what()))
    }

    fn check_keys(&self, calls: &[&Call]) -> Option<Violation> {
        let keys: BTreeSet<_> = calls.iter().map(|call| &call.key).collect();
        let what = || format!("{} keys", keys.len());
        (keys.len() > 1).then(|| self.violation(Rule::KeyChanged, what()))
    }

    fn check_success(&self, calls: &[&Call]) -> Vec<Violation> {
        let mut violations = Vec::new();
        if self.is_done && !calls.iter().any(|call| call.effect == Effect::Done) {
            let what = "succeeded without an effect".to_owned();
            violations.push(self.violation(Rule::EffectMissing, what));
        }
        if self.is_done && !calls.iter().any(|call| call.answered) {
            let what = "succeeded without an answer".to_owned();
            violations.push(self.violation(Rule::SilentSuccess, what));
        }
        violations
    }

    /// A worker that died may not have heard the refusal: each claim asks once at most.
    fn check_refusals(&self, calls: &[&Call]) -> Option<Violation> {
        let (asked, claims) = (calls.len(), self.execution.lease.fence);
        let is_bad = self.kind == SinkKind::Bad && asked > usize::try_from(claims).unwrap_or(0);
        let what = || format!("asked {asked} times in {claims} claims");
        is_bad.then(|| self.violation(Rule::RetriedRefusal, what()))
    }
}

fn is_done(past: &Past, execution_id: &str, node_id: &str) -> bool {
    let steps = past.steps_of(execution_id, node_id);
    steps
        .iter()
        .any(|step| step.status == StepStatus::Succeeded)
}

/// A success has come to an end at every node.
fn check_whole(execution: &Execution, plan: &Plan, past: &Past) -> Vec<Violation> {
    let id = execution.id.as_str();
    let open = plan
        .node_ids()
        .filter(|node| past.ended(id, node).is_none());
    open.map(|node| {
        let what = "the execution succeeded and this node has no result";
        Violation::new(Rule::EffectMissing, format!("{id}/{node}"), what)
    })
    .collect()
}
