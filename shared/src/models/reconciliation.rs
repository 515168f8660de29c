use serde::{Deserialize, Serialize};

use super::Timestamp;
use crate::ids::{OrgId, RecordId};

/// `platform/usage_reconcile`: how far the last comparison of usage with what Stripe says has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageReconcile {
    /// Which comparison.
    pub run_id: RecordId,
    /// Pages that were looked at.
    pub pages: i64,
    /// What the next page is of.
    pub step: ReconcileStep,
    /// What the day that is looked at has come to so far.
    pub report: UsageReconciliation,
    /// The UTC days that come after it, `YYYY-MM-DD`.
    #[serde(default)]
    pub days_left: Vec<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it last went on.
    pub updated_at: Timestamp,
    /// When it was done, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

/// What a page of a comparison is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "snake_case",
    rename_all_fields = "camelCase"
)]
pub enum ReconcileStep {
    /// Organizations, by id: whether their counters agree with their ledger.
    Counters {
        /// The last one that was looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<OrgId>,
    },
    /// Meter events of the day, by customer: whether Stripe has counted what was sent.
    Rows {
        /// The last one that was looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<MeterRowPosition>,
        /// Its customer, of whom there may be more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        open: Option<CustomerDay>,
    },
}

/// Where a meter event stands among those of its day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeterRowPosition {
    /// Stripe's id of who pays it.
    pub customer_id: String,
    /// The document id.
    pub id: String,
}

/// What the meter events of a customer's day come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerDay {
    /// Stripe's id of it.
    pub customer_id: String,
    /// The organization, once an event of it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<OrgId>,
    /// Tokens that Stripe has acknowledged.
    pub sent: i64,
    /// Tokens that it may have counted.
    pub uncertain: i64,
    /// Events that cannot be read.
    pub unreadable: i64,
}

/// What could not be looked at, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageFailure {
    /// The organization, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<OrgId>,
    /// Stripe's id of the customer, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// Why, in words.
    pub cause: String,
}

/// `usage_reconciliations/{YYYY-MM-DD}`: what Stripe has counted of a UTC day, beside what was sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UsageReconciliation {
    /// The UTC day, equal to the document id.
    pub day: String,
    /// Customers looked at.
    pub customers: i64,
    /// Customers of whom Stripe tells something else.
    pub differing: i64,
    /// The first of them.
    pub differences: Vec<UsageDifference>,
    /// Customers and organizations that could not be looked at.
    pub failed: i64,
    /// The first of them.
    pub failures: Vec<UsageFailure>,
    /// Organizations whose counters do not agree with their ledger.
    pub drifting: i64,
    /// The first of them.
    pub drifts: Vec<UsageDrift>,
    /// When it was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Timestamp>,
}

/// A customer's day that Stripe has counted differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageDifference {
    /// The organization.
    pub org_id: OrgId,
    /// Stripe's id of it.
    pub customer_id: String,
    /// Tokens that Stripe has acknowledged.
    pub sent: i64,
    /// Tokens that it may have counted.
    pub uncertain: i64,
    /// Tokens that it has counted.
    pub stripe: i64,
}

/// An organization whose counters do not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageDrift {
    /// The organization.
    pub org_id: OrgId,
    /// The UTC month, `YYYY-MM`.
    pub period: String,
    /// Tokens in the ledger.
    pub ledger: i64,
    /// Tokens in the quota.
    pub quota: i64,
    /// Tokens that the quota may come to count: what is admitted and not counted yet.
    pub held: i64,
    /// `apiUsage`.
    pub api_usage: i64,
}
