//! The ledger summed up for people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::models::{UsageEntry, UsageState};

/// What entries are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// The agent that thought.
    Agent,
    /// The model that was asked.
    Model,
    /// The workflow that ran.
    Workflow,
    /// The UTC day, `YYYY-MM-DD`.
    Day,
}

/// Sums over entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// LLM calls.
    pub requests: i64,
    /// Tokens in.
    pub input_tokens: i64,
    /// Tokens out.
    pub output_tokens: i64,
    /// Input and output tokens.
    pub tokens: i64,
    /// Price in millionths of a US dollar.
    pub cost_micro_usd: i64,
}

/// The sums of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// What its entries share; none for calls that had no agent or workflow.
    pub key: Option<String>,
    /// The sums.
    #[serde(flatten)]
    pub totals: Totals,
}

/// Usage in all and by group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The sums over all entries.
    pub totals: Totals,
    /// What the groups are made by.
    pub group_by: GroupBy,
    /// The groups by key.
    pub groups: Vec<Group>,
}

/// Sums that grow entry by entry.
#[derive(Clone, Debug)]
pub struct Sums {
    totals: Totals,
    group_by: GroupBy,
    groups: BTreeMap<Option<String>, Totals>,
}

impl Sums {
    /// The sums over no entry.
    #[must_use]
    pub fn new(group_by: GroupBy) -> Self {
        Self {
            totals: Totals::default(),
            group_by,
            groups: BTreeMap::new(),
        }
    }

    /// Adds a settled entry; what is only reserved, or was released, is no usage.
    pub fn add(&mut self, entry: &UsageEntry) {
        if entry.state != UsageState::Settled {
            return;
        }
        self.totals.add(entry);
        let group = self.groups.entry(key(entry, self.group_by)).or_default();
        group.add(entry);
    }

    /// The sums over all entries that were added.
    #[must_use]
    pub fn summarize(self) -> Summary {
        let groups = self.groups.into_iter();
        Summary {
            totals: self.totals,
            group_by: self.group_by,
            groups: groups.map(|(key, totals)| Group { key, totals }).collect(),
        }
    }
}

impl Totals {
    fn add(&mut self, entry: &UsageEntry) {
        self.requests += 1;
        self.input_tokens = self.input_tokens.saturating_add(entry.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(entry.output_tokens);
        self.tokens = self.input_tokens.saturating_add(self.output_tokens);
        self.cost_micro_usd = self.cost_micro_usd.saturating_add(entry.cost_micro_usd);
    }
}

fn key(entry: &UsageEntry, group_by: GroupBy) -> Option<String> {
    match group_by {
        GroupBy::Agent => entry.agent_id.as_ref().map(ToString::to_string),
        GroupBy::Model => Some(entry.model.clone()),
        GroupBy::Workflow => entry.workflow_id.as_ref().map(ToString::to_string),
        GroupBy::Day => Some(entry.day.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AgentId, OrgId, RecordId};

    fn entry(agent: Option<&str>, model: &str, day: &str, state: UsageState) -> UsageEntry {
        UsageEntry {
            id: RecordId::generate(),
            org_id: OrgId::derive(&["o"]),
            agent_id: agent.map(|id| AgentId::parse(id).unwrap()),
            workflow_id: None,
            execution_id: None,
            model: model.to_owned(),
            input_tokens: 10,
            output_tokens: 5,
            cost_micro_usd: 3,
            state,
            is_estimated: false,
            raised_to: None,
            is_stream: false,
            hold: None,
            period: day[..7].to_owned(),
            day: day.to_owned(),
            created_at: jiff::Timestamp::UNIX_EPOCH.into(),
        }
    }

    fn summarize(entries: &[UsageEntry], group_by: GroupBy) -> Summary {
        let mut sums = Sums::new(group_by);
        entries.iter().for_each(|entry| sums.add(entry));
        sums.summarize()
    }

    #[test]
    fn only_settled_calls_are_usage() {
        let entries = [
            entry(None, "m", "2026-11-01", UsageState::Settled),
            entry(None, "m", "2026-11-01", UsageState::Reserved),
            entry(None, "m", "2026-11-01", UsageState::Released),
        ];
        let summary = summarize(&entries, GroupBy::Model);
        let expected = Totals {
            requests: 1,
            input_tokens: 10,
            output_tokens: 5,
            tokens: 15,
            cost_micro_usd: 3,
        };
        assert_eq!(summary.totals, expected);
    }

    #[test]
    fn groups_are_ordered_and_add_up_to_the_totals() {
        let entries = [
            entry(Some("b"), "m", "2026-11-02", UsageState::Settled),
            entry(Some("a"), "m", "2026-11-01", UsageState::Settled),
            entry(None, "n", "2026-11-01", UsageState::Settled),
            entry(Some("b"), "n", "2026-11-01", UsageState::Settled),
        ];
        let by_agent = summarize(&entries, GroupBy::Agent);
        let keys: Vec<_> = by_agent
            .groups
            .iter()
            .map(|group| group.key.as_deref())
            .collect();
        assert_eq!(keys, [None, Some("a"), Some("b")]);
        for group_by in [
            GroupBy::Agent,
            GroupBy::Model,
            GroupBy::Workflow,
            GroupBy::Day,
        ] {
            let summary = summarize(&entries, group_by);
            let tokens: i64 = summary.groups.iter().map(|group| group.totals.tokens).sum();
            assert_eq!(tokens, summary.totals.tokens, "{group_by:?}");
        }
    }
}
