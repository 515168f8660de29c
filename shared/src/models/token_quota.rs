use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Add, AddAssign, Sub},
};

use serde::{Deserialize, Serialize};

use super::Timestamp;
use crate::ids::RecordId;

/// What calls use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Use {
    /// Tokens, in and out.
    pub tokens: i64,
    /// What they cost, in millionths of a US dollar.
    pub cost_micro_usd: i64,
}

/// `organizations/{id}/quota/tokens`: the authority behind the monthly limits of model calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenQuota {
    /// The UTC month counted, `YYYY-MM`.
    pub period: String,
    /// Tokens of settled calls.
    pub used: i64,
    /// Price of settled calls in millionths of a US dollar.
    pub used_cost_micro_usd: i64,
    /// Calls under way by ledger id.
    pub open: BTreeMap<String, Reservation>,
    /// What Redis may give away, by the lease's id.
    pub leases: BTreeMap<String, BudgetLease>,
    /// The e-mails about limits that this month has had.
    pub alerts: BTreeSet<String>,
    /// Whether every call is refused.
    pub is_blocked: bool,
    /// When something is to be cleared up, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep_at: Option<Timestamp>,
}

/// What a call under way may still use, whichever of its attempts it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// Tokens, input and output.
    pub tokens: i64,
    /// What they may cost, in millionths of a US dollar.
    #[serde(default)]
    pub cost_micro_usd: i64,
    /// When its caller is taken for dead.
    pub expires_at: Timestamp,
    /// Whether it ends in an estimate then, since the model has answered in part.
    #[serde(default)]
    pub is_stream: bool,
    /// Its attempts that have neither been booked nor given back.
    #[serde(default)]
    pub attempts: BTreeSet<RecordId>,
}

/// A part of a month's budget that one memory of Redis gives to calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetLease {
    /// The UTC month it is for, `YYYY-MM`.
    pub period: String,
    /// All that it was ever given.
    pub granted: Use,
    /// What of it has been counted as used.
    pub counted: Use,
    /// The calls that have been counted.
    pub requests: i64,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When all of its calls have ended, whatever has become of Redis.
    pub ends_at: Timestamp,
    /// When it is to be looked at.
    pub sweep_at: Timestamp,
    /// How far its entries in the ledger have been summed, once it was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summed: Option<LeaseSum>,
}

/// The sum of a lost lease's settled entries so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseSum {
    /// The position of the last one.
    pub after: String,
    /// What they have used.
    pub used: Use,
    /// How many they are.
    pub requests: i64,
}

/// Which lease a call was admitted by, and when in its course.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// The lease's id.
    pub lease: RecordId,
    /// The number of the reservation; a repeat of a call under way has a higher one.
    pub number: i64,
}

/// `platform/llm`: whether model calls are switched off for everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LlmSwitch {
    /// Whether every call is refused.
    pub is_off: bool,
}

impl Reservation {
    /// What it holds.
    #[must_use]
    pub fn amount(&self) -> Use {
        Use {
            tokens: self.tokens,
            cost_micro_usd: self.cost_micro_usd,
        }
    }
}

impl BudgetLease {
    /// What is not counted as used and may become so.
    #[must_use]
    pub fn held(&self) -> Use {
        self.granted - self.counted
    }
}

impl Use {
    /// The larger of both in each unit.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.max(other.tokens),
            cost_micro_usd: self.cost_micro_usd.max(other.cost_micro_usd),
        }
    }
}

impl Add for Use {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            cost_micro_usd: self.cost_micro_usd.saturating_add(other.cost_micro_usd),
        }
    }
}

impl AddAssign for Use {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// Nothing is the least that is left.
impl Sub for Use {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_sub(other.tokens).max(0),
            cost_micro_usd: self
                .cost_micro_usd
                .saturating_sub(other.cost_micro_usd)
                .max(0),
        }
    }
}
