use serde::{Deserialize, Serialize};

use super::{Timestamp, UsageEntry};
use crate::ids::{OrgId, RecordId};

/// What is billed of a settled entry, above the price of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "state",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum Metering {
    /// Not decided yet.
    Pending,
    /// Nothing: it is in the price of the plan.
    Included,
    /// So many tokens of it, by the [`MeterRow`] of the same id.
    Due {
        /// The tokens above the included amount.
        tokens: i64,
    },
    /// Nothing: the plan has no overage, or nobody is known to Stripe who would pay it.
    Unbilled,
    /// Nothing: the organization pays the provider itself.
    OwnKey,
}

/// `meter_events/{id}`: what is billed of the ledger entry of the same id, on its way to Stripe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeterRow {
    /// The ledger entry's, equal to the document id: Stripe knows the event by it.
    pub id: RecordId,
    /// The organization that pays.
    pub org_id: OrgId,
    /// Stripe's id of it.
    pub customer_id: String,
    /// Tokens above the included amount.
    pub tokens: i64,
    /// When the call was made, in whole seconds.
    pub at: Timestamp,
    /// The minute of that: the finest that Stripe sums up.
    pub minute: Timestamp,
    /// The UTC day of that, `YYYY-MM-DD`.
    pub day: String,
    /// How far it has come.
    pub state: MeterRowState,
    /// Attempts begun.
    pub attempts: i64,
    /// When the first attempt began whose outcome is not known, if there is one: Stripe knows a
    /// repeat for 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_attempt_at: Option<Timestamp>,
    /// When something is to be done about it; none when it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When Stripe's acknowledgement was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// How far a meter event has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeterRowState {
    /// To be sent; Stripe has certainly not counted it.
    Due,
    /// An attempt was begun; Stripe may have counted it.
    Sending,
    /// Stripe has counted it.
    Sent,
    /// Nobody can tell whether Stripe has counted it: it is never sent again.
    Unknown,
    /// Stripe refuses it for good.
    Failed,
    /// It is older than what Stripe takes.
    Expired,
}

/// `organizations/{id}/metering/{YYYY-MM}`: the ledger of a UTC month, summed up for billing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MeteredMonth {
    /// The UTC month, `YYYY-MM`.
    pub period: String,
    /// Tokens that were in the price of the plan when it was last looked at.
    pub included_tokens: i64,
    /// Tokens of settled entries, those of the organization's own keys aside.
    pub counted: i64,
    /// What of them is billed.
    pub billed: i64,
    /// What of them is above the included amount and billed to nobody.
    pub unbilled: i64,
    /// Tokens that were used with the organization's own keys.
    pub own_key: i64,
    /// Entries counted.
    pub entries: i64,
}

/// On which terms an organization uses tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterTerms {
    /// Tokens a month in the price of the plan.
    pub included_tokens: i64,
    /// Whether there is somebody to bill what is above.
    pub is_billed: bool,
}

impl MeteredMonth {
    /// Counts a settled entry, and decides what is billed of it: what is above the included amount
    /// and not billed yet, and never more than the entry itself.
    pub fn count(&mut self, entry: &UsageEntry, terms: &MeterTerms) -> Metering {
        let tokens = entry.amount().tokens.max(0);
        self.included_tokens = terms.included_tokens;
        self.entries = self.entries.saturating_add(1);
        if entry.is_own_key {
            self.own_key = self.own_key.saturating_add(tokens);
            return Metering::OwnKey;
        }
        self.counted = self.counted.saturating_add(tokens);
        let above = self.counted.saturating_sub(terms.included_tokens);
        let tokens = above.saturating_sub(self.billed).clamp(0, tokens);
        match (tokens, terms.is_billed) {
            (0, _) => Metering::Included,
            (_, true) => {
                self.billed = self.billed.saturating_add(tokens);
                Metering::Due { tokens }
            }
            (_, false) => {
                self.unbilled = self.unbilled.saturating_add(tokens);
                Metering::Unbilled
            }
        }
    }
}

#[cfg(test)]
mod tests;
