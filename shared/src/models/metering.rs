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
    /// When the usage counts, in whole seconds: when the call was made, or when it is told first if
    /// that is late.
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
    /// When the last attempt of these began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempt_at: Option<Timestamp>,
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
    /// What of `counted` and `billed` was used on each plan of the month, in no order.
    pub plans: Vec<MeteredPlan>,
}

/// What was used in a month while an organization had a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeteredPlan {
    /// When the plan began, if another one before it is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// As [`MeteredMonth::counted`].
    pub counted: i64,
    /// As [`MeteredMonth::billed`].
    pub billed: i64,
}

/// On which terms an organization uses tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterTerms {
    /// When they began, if other ones before them are remembered.
    pub since: Option<Timestamp>,
    /// Tokens a month in the price of the plan.
    pub included_tokens: i64,
    /// Whether there is somebody to bill what is above.
    pub is_billed: bool,
}

impl MeteredMonth {
    /// Counts a settled entry, and decides what is billed of it: what is above the included amount
    /// and not billed yet, and never more than the entry itself. What was used on a later plan is
    /// not looked at, though it may be counted already.
    pub fn count(&mut self, entry: &UsageEntry, terms: &MeterTerms) -> Metering {
        let tokens = entry.amount().tokens.max(0);
        self.included_tokens = terms.included_tokens;
        self.entries = self.entries.saturating_add(1);
        if entry.is_own_key {
            self.own_key = self.own_key.saturating_add(tokens);
            return Metering::OwnKey;
        }
        let (later_counted, later_billed) = self.used_after(terms.since);
        self.counted = self.counted.saturating_add(tokens);
        let counted = self.counted.saturating_sub(later_counted);
        let billed = self.billed.saturating_sub(later_billed);
        let above = counted.saturating_sub(terms.included_tokens);
        let (used, tokens) = (tokens, above.saturating_sub(billed).clamp(0, tokens));
        let plan = self.plan(terms.since);
        plan.counted = plan.counted.saturating_add(used);
        match (tokens, terms.is_billed) {
            (0, _) => Metering::Included,
            (_, true) => {
                plan.billed = plan.billed.saturating_add(tokens);
                self.billed = self.billed.saturating_add(tokens);
                Metering::Due { tokens }
            }
            (_, false) => {
                self.unbilled = self.unbilled.saturating_add(tokens);
                Metering::Unbilled
            }
        }
    }

    /// What was counted and billed of plans that began later.
    fn used_after(&self, since: Option<Timestamp>) -> (i64, i64) {
        let later = self.plans.iter().filter(|plan| plan.since > since);
        later.fold((0, 0), |(counted, billed), plan| {
            (counted + plan.counted, billed + plan.billed)
        })
    }

    fn plan(&mut self, since: Option<Timestamp>) -> &mut MeteredPlan {
        let known = self.plans.iter().position(|plan| plan.since == since);
        let place = known.unwrap_or(self.plans.len());
        if known.is_none() {
            self.plans.push(MeteredPlan {
                since,
                counted: 0,
                billed: 0,
            });
        }
        &mut self.plans[place]
    }
}

#[cfg(test)]
mod tests;
