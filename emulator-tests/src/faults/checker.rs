//! The invariants, checked against the store's history and the sinks' books and nothing else.

mod effects;
mod past;
mod violation;

use std::collections::BTreeSet;

use anyhow::Result;
use shared::models::{Execution, ExecutionStatus, StepStatus, Timestamp, UsageState};

use self::past::Past;
pub use self::violation::{Rule, Violation};
use super::plan::Plan;
use super::sinks::{Call, Effect};
use super::witness::Version;

/// How long a lease may lie around after its time.
const LEASE_GRACE_SECS: i64 = 30;

/// What the store and the sinks know after a run.
#[derive(Clone, Default)]
pub struct Evidence {
    /// The workflows that ran.
    pub plans: Vec<Plan>,
    /// Every version of every document, in order.
    pub history: Vec<Version>,
    /// Every call of a sink, in order.
    pub calls: Vec<Call>,
    /// The events that a worker acknowledged.
    pub acknowledged: BTreeSet<String>,
    /// The present, by the harness's clock.
    pub now: Option<Timestamp>,
}

/// What the checker found.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Rules that were broken.
    pub violations: Vec<Violation>,
    /// What happened.
    pub tally: Tally,
}

/// How much happened: a run in which nothing does proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Executions that were made.
    pub executions: usize,
    /// Those that ended with an output.
    pub succeeded: usize,
    /// Those that ended because they had crashed too often.
    pub quarantined: usize,
    /// Those that ended otherwise.
    pub failed: usize,
    /// Steps whose outcome nobody knows, and which say so.
    pub unknown: usize,
    /// Effects at the sinks.
    pub effects: usize,
    /// Calls that repeated an effect and did no harm.
    pub repeats: usize,
    /// The highest fence.
    pub highest_fence: i64,
}

impl Verdict {
    /// Whether this rule was broken.
    #[must_use]
    pub fn breaks(&self, rule: Rule) -> bool {
        self.violations.iter().any(|found| found.rule == rule)
    }
}

/// Checks all rules.
///
/// # Errors
/// When a document cannot be read, which says nothing about the rules.
pub fn check(evidence: &Evidence) -> Result<Verdict> {
    let mut past = Past::replay(&evidence.history)?;
    let mut violations = std::mem::take(&mut past.violations);
    violations.extend(check_acceptance(evidence, &past));
    for execution in past.executions.values() {
        violations.extend(check_end(execution, evidence));
        violations.extend(check_log(execution, &past));
        if let Some(plan) = plan_of(evidence, execution) {
            violations.extend(check_order(execution, plan, &past));
            violations.extend(effects::check(execution, plan, &past, &evidence.calls));
        }
    }
    violations.extend(effects::check_intents(&past, &evidence.calls));
    violations.extend(check_ledger(&past));
    Ok(Verdict {
        violations,
        tally: tally(&past, &evidence.calls),
    })
}

fn plan_of<'a>(evidence: &'a Evidence, execution: &Execution) -> Option<&'a Plan> {
    let plans = &evidence.plans;
    plans.iter().find(|plan| plan.id() == execution.workflow_id)
}

/// What was acknowledged has an execution.
fn check_acceptance(evidence: &Evidence, past: &Past) -> Vec<Violation> {
    let accepted = evidence.acknowledged.iter();
    let lost = accepted.filter(|id| !past.executions.contains_key(*id) && !past.is_given_up(id));
    lost.map(|id| Violation::new(Rule::Lost, id, "acknowledged, and no execution exists"))
        .collect()
}

fn check_end(execution: &Execution, evidence: &Evidence) -> Vec<Violation> {
    let mut violations = Vec::new();
    let id = execution.id.as_str();
    if !execution.status.is_terminal() {
        let what = format!("still {:?}", execution.status);
        violations.push(Violation::new(Rule::Stuck, id, what));
    }
    let (owner, until) = (&execution.lease.owner, execution.lease.until);
    let ended = until.map(|until| until.plus_seconds(LEASE_GRACE_SECS));
    if owner.is_some()
        && ended
            .zip(evidence.now)
            .is_some_and(|(ended, now)| ended < now)
    {
        let what = "a lease lies around after its time";
        violations.push(Violation::new(Rule::OldLease, id, what));
    }
    violations
}

/// Lines are numbered 1..n, each written once.
fn check_log(execution: &Execution, past: &Past) -> Option<Violation> {
    let id = execution.id.as_str();
    let lines = past.log_lines(id);
    let is_whole = lines.iter().copied().eq(1..=execution.log_seq);
    let what = || {
        format!(
            "lines {lines:?}, and the execution counts {}",
            execution.log_seq
        )
    };
    (!is_whole).then(|| Violation::new(Rule::LogGap, id, what()))
}

/// A node begins after the nodes before it have come to an end.
fn check_order(execution: &Execution, plan: &Plan, past: &Past) -> Vec<Violation> {
    let id = execution.id.as_str();
    let too_early = |(source, target): (&str, &str)| {
        let begun = past.begun(id, target)?;
        let is_in_order = past.ended(id, source).is_some_and(|ended| ended <= begun);
        let what = || format!("{target} began before {source} ended");
        (!is_in_order).then(|| Violation::new(Rule::StartOrder, id, what()))
    };
    plan.connections().filter_map(too_early).collect()
}

/// The counter on the organization is the sum of the ledger, and a call is paid once.
fn check_ledger(past: &Past) -> Vec<Violation> {
    let mut violations = Vec::new();
    let settled = past.ledger.values();
    let settled = settled.filter(|entry| entry.state == UsageState::Settled);
    let sum: i64 = settled
        .map(|entry| entry.input_tokens + entry.output_tokens)
        .sum();
    for (org_id, counted) in &past.counted_tokens {
        if *counted != sum {
            let what = format!("the ledger has {sum} tokens, the counter {counted}");
            violations.push(Violation::new(Rule::Ledger, org_id, what));
        }
    }
    violations
}

fn tally(past: &Past, calls: &[Call]) -> Tally {
    let mut tally = Tally {
        executions: past.executions.len(),
        ..Tally::default()
    };
    for execution in past.executions.values() {
        let is_quarantined = execution
            .error
            .as_ref()
            .is_some_and(|error| error.code == "quarantined");
        let count = match execution.status {
            ExecutionStatus::Succeeded => &mut tally.succeeded,
            _ if is_quarantined => &mut tally.quarantined,
            _ => &mut tally.failed,
        };
        *count += 1;
        tally.highest_fence = tally.highest_fence.max(execution.lease.fence);
    }
    tally.unknown = past
        .steps()
        .filter(|step| step.status == StepStatus::Unknown)
        .count();
    for call in calls {
        tally.effects += usize::from(call.effect == Effect::Done);
        tally.repeats += usize::from(call.effect == Effect::Repeated);
    }
    tally
}

#[cfg(test)]
mod tests;
