//! The ledger summed up for people.

use std::{collections::BTreeMap, ops::AddAssign};

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
    /// The member who caused it.
    User,
    /// The UTC day, `YYYY-MM-DD`.
    Day,
}

impl GroupBy {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Agent,
        Self::Model,
        Self::Workflow,
        Self::User,
        Self::Day,
    ];

    /// The name in requests and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Model => "model",
            Self::Workflow => "workflow",
            Self::User => "user",
            Self::Day => "day",
        }
    }
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
    /// What its entries share; none for calls that had no agent, workflow or member.
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

/// The sums of one group on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The UTC day, `YYYY-MM-DD`.
    pub day: String,
    /// As [`Group::key`].
    pub key: Option<String>,
    /// The sums.
    pub totals: Totals,
}

/// Sums that grow entry by entry.
#[derive(Clone, Debug)]
pub struct Sums {
    group_by: GroupBy,
    /// By day and group.
    cells: BTreeMap<(String, Option<String>), Totals>,
}

impl Sums {
    /// The sums over no entry.
    #[must_use]
    pub fn new(group_by: GroupBy) -> Self {
        Self {
            group_by,
            cells: BTreeMap::new(),
        }
    }

    /// Adds a settled entry; what is only reserved, or was released, is no usage.
    pub fn add(&mut self, entry: &UsageEntry) {
        if entry.state != UsageState::Settled {
            return;
        }
        let cell = (entry.day.clone(), key(entry, self.group_by));
        *self.cells.entry(cell).or_default() += Totals::of(entry);
    }

    /// Adds other sums by the same groups.
    pub fn merge(&mut self, other: Self) {
        for (cell, totals) in other.cells {
            *self.cells.entry(cell).or_default() += totals;
        }
    }

    /// The sums over all entries that were added.
    #[must_use]
    pub fn summarize(&self) -> Summary {
        let mut totals = Totals::default();
        let mut groups: BTreeMap<&Option<String>, Totals> = BTreeMap::new();
        for ((_, key), cell) in &self.cells {
            totals += *cell;
            *groups.entry(key).or_default() += *cell;
        }
        let group = |(key, totals): (&Option<String>, Totals)| Group {
            key: key.clone(),
            totals,
        };
        Summary {
            totals,
            group_by: self.group_by,
            groups: groups.into_iter().map(group).collect(),
        }
    }

    /// The same day by day, each by group.
    pub fn cells(&self) -> impl Iterator<Item = Cell> {
        self.cells.iter().map(|((day, key), totals)| Cell {
            day: day.clone(),
            key: key.clone(),
            totals: *totals,
        })
    }
}

impl Totals {
    fn of(entry: &UsageEntry) -> Self {
        Self {
            requests: 1,
            input_tokens: entry.input_tokens,
            output_tokens: entry.output_tokens,
            tokens: entry.amount().tokens,
            cost_micro_usd: entry.cost_micro_usd,
        }
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.cost_micro_usd = self.cost_micro_usd.saturating_add(other.cost_micro_usd);
    }
}

fn key(entry: &UsageEntry, group_by: GroupBy) -> Option<String> {
    match group_by {
        GroupBy::Agent => entry.agent_id.as_ref().map(ToString::to_string),
        GroupBy::Model => Some(entry.model.clone()),
        GroupBy::Workflow => entry.workflow_id.as_ref().map(ToString::to_string),
        GroupBy::User => entry.uid.as_ref().map(ToString::to_string),
        GroupBy::Day => Some(entry.day.clone()),
    }
}

#[cfg(test)]
mod tests;
