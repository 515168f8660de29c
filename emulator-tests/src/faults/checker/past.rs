//! The history of the store, replayed: what each document became, and what it must not have done
//! on the way.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use shared::models::{Execution, Organization, ProcessedEvent, Step, StepPage, UsageEntry};

use super::{Rule, Violation};
use crate::faults::witness::Version;

/// What the documents became.
#[derive(Default)]
pub(super) struct Past {
    /// By id.
    pub(super) executions: BTreeMap<String, Execution>,
    /// By id.
    pub(super) ledger: BTreeMap<String, UsageEntry>,
    /// By organization.
    pub(super) counted_tokens: BTreeMap<String, i64>,
    /// What was broken on the way.
    pub(super) violations: Vec<Violation>,
    steps: BTreeMap<String, BTreeMap<String, StepPast>>,
    lines: BTreeMap<String, BTreeSet<i64>>,
    given_up: BTreeSet<String>,
}

/// A step of an execution's journal.
struct StepPast {
    step: Step,
    /// The commit that began it.
    begun: usize,
    /// The commit that ended it.
    ended: Option<usize>,
}

impl Past {
    pub(super) fn replay(history: &[Version]) -> Result<Self> {
        let mut past = Self::default();
        for version in history {
            past.see(version)?;
        }
        Ok(past)
    }

    /// Whether the event was put aside with a reason.
    pub(super) fn is_given_up(&self, event_id: &str) -> bool {
        self.given_up.contains(event_id)
    }

    /// The numbers of an execution's log lines.
    pub(super) fn log_lines(&self, execution_id: &str) -> BTreeSet<i64> {
        self.lines.get(execution_id).cloned().unwrap_or_default()
    }

    /// All steps of all executions.
    pub(super) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps
            .values()
            .flat_map(BTreeMap::values)
            .map(|past| &past.step)
    }

    /// The steps of a node, one for each iteration.
    pub(super) fn steps_of(&self, execution_id: &str, node_id: &str) -> Vec<&Step> {
        let steps = self.of_node(execution_id, node_id);
        steps.map(|past| &past.step).collect()
    }

    /// The commit that first began a node.
    pub(super) fn begun(&self, execution_id: &str, node_id: &str) -> Option<usize> {
        let steps = self.of_node(execution_id, node_id);
        steps.map(|past| past.begun).min()
    }

    /// The commit that first ended a node.
    pub(super) fn ended(&self, execution_id: &str, node_id: &str) -> Option<usize> {
        let steps = self.of_node(execution_id, node_id);
        steps.filter_map(|past| past.ended).min()
    }

    fn of_node(&self, execution_id: &str, node_id: &str) -> impl Iterator<Item = &StepPast> {
        let steps = self.steps.get(execution_id).into_iter().flatten();
        steps
            .map(|(_, past)| past)
            .filter(move |past| past.step.node_id == node_id)
    }

    fn see(&mut self, version: &Version) -> Result<()> {
        let segments: Vec<&str> = version.path.as_str().split('/').collect();
        match segments.as_slice() {
            ["executions", id] => self.see_execution(id, version),
            ["executions", id, "steps", document] => self.see_steps(id, document, version),
            ["executions", id, "logs", line] => {
                self.see_line(id, line, version);
                Ok(())
            }
            ["usage_ledger", id] => {
                let entry = version.decode()?;
                self.ledger
                    .extend(entry.map(|entry| ((*id).to_owned(), entry)));
                Ok(())
            }
            ["organizations", id] => {
                let organization: Option<Organization> = version.decode()?;
                let counted = organization.map(|found| ((*id).to_owned(), found.api_usage));
                self.counted_tokens.extend(counted);
                Ok(())
            }
            ["idempotency", _] => {
                // A record of a request has another shape, and is none of ours.
                let event: Option<ProcessedEvent> = version.decode().unwrap_or_default();
                let given_up = event.filter(|event| event.failure.is_some());
                self.given_up.extend(given_up.map(|event| event.event_id));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn see_execution(&mut self, id: &str, version: &Version) -> Result<()> {
        let Some(execution) = version.decode::<Execution>()? else {
            self.break_rule(Rule::EndChanged, id, "the execution was deleted");
            return Ok(());
        };
        if let Some(before) = self.executions.get(id) {
            let (old, new) = (before.lease.fence, execution.lease.fence);
            let outcome = |of: &Execution| (of.status, of.output.clone(), of.error.clone());
            let changes_end = before.status.is_terminal() && outcome(before) != outcome(&execution);
            let what = format!("{:?} became {:?}", before.status, execution.status);
            if new < old {
                self.break_rule(Rule::FenceFell, id, format!("from {old} to {new}"));
            }
            if changes_end {
                self.break_rule(Rule::EndChanged, id, what);
            }
        }
        self.executions.insert(id.to_owned(), execution);
        Ok(())
    }

    /// A document of the journal is a step or a page of steps.
    fn see_steps(&mut self, execution_id: &str, document: &str, version: &Version) -> Result<()> {
        let fields = version.document.as_ref().map(|document| &document.fields);
        let is_page = fields.is_some_and(|fields| fields.contains_key("page"));
        let steps = if is_page {
            let page: Option<StepPage> = version.decode()?;
            page.map(|page| page.page).unwrap_or_default()
        } else {
            version.decode::<Step>()?.into_iter().collect()
        };
        if steps.is_empty() {
            let subject = format!("{execution_id}/{document}");
            self.break_rule(
                Rule::ResultChanged,
                subject,
                "a part of the journal is gone",
            );
        }
        for step in steps {
            self.see_step(execution_id, step, version.position);
        }
        Ok(())
    }

    fn see_step(&mut self, execution_id: &str, step: Step, at: usize) {
        let id = format!("{}#{}", step.node_id, step.iteration);
        let subject = format!("{execution_id}/{id}");
        let steps = self.steps.entry(execution_id.to_owned()).or_default();
        let before = steps.remove(&id);
        let begun = before.as_ref().map_or(at, |before| before.begun);
        let ended = before.as_ref().and_then(|before| before.ended);
        let ended = ended.or_else(|| step.result.as_ref().map(|_| at));
        let changed = before.as_ref().is_some_and(|before| {
            let old = &before.step.result;
            old.is_some() && *old != step.result
        });
        let old = before.map_or(0, |before| before.step.intent.fence);
        let new = step.intent.fence;
        steps.insert(id, StepPast { step, begun, ended });
        if changed {
            self.break_rule(Rule::ResultChanged, &subject, "a second result");
        }
        if new < old {
            self.break_rule(Rule::FenceFell, &subject, format!("from {old} to {new}"));
        }
    }

    fn see_line(&mut self, execution_id: &str, line: &str, version: &Version) {
        let lines = self.lines.entry(execution_id.to_owned()).or_default();
        let is_new = line.parse().is_ok_and(|seq| lines.insert(seq));
        if !is_new || version.document.is_none() {
            self.break_rule(
                Rule::LogGap,
                execution_id,
                format!("line {line} was rewritten"),
            );
        }
    }

    fn break_rule(&mut self, rule: Rule, subject: impl Into<String>, what: impl Into<String>) {
        self.violations.push(Violation::new(rule, subject, what));
    }
}
