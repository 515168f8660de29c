use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Role, Timestamp};
use crate::ids::{OrgId, RecordId};

/// The plan an organization is on. `free` is sold as "Starter".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionTier {
    /// One agent, session memory.
    Free,
    /// Five agents, long-term memory, Google Workspace.
    Pro,
    /// Agents up to a safety ceiling, fine-tuning.
    Enterprise,
}

impl SubscriptionTier {
    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Enterprise => "enterprise",
        }
    }
}

/// `organizations/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// Equal to the document id.
    pub id: OrgId,
    /// Display name, 1 to 200 characters.
    pub name: String,
    /// The plan.
    pub subscription_tier: SubscriptionTier,
    /// Stripe's customer id, made with the first checkout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stripe_customer_id: Option<String>,
    /// Tokens of the current UTC month: a copy of `stats/current` for the dashboard.
    pub api_usage: i64,
    /// What differs from the plan's limits.
    #[serde(default)]
    pub limits: Limits,
    /// When the organization was made.
    pub created_at: Timestamp,
}

/// Limits that replace those of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Agents that may exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents: Option<i64>,
    /// Tokens a UTC month, over which every call is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_tokens: Option<i64>,
}

/// `organizations/{id}/quota/agents`: the counters behind the agent quota.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentQuota {
    /// Agents that exist.
    pub created: i64,
    /// Agents that are deployed.
    pub deployed: i64,
}

/// `organizations/{id}/quota/tokens`: the counter behind the monthly token quota.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenQuota {
    /// The UTC month counted, `YYYY-MM`.
    pub period: String,
    /// Tokens of settled calls.
    pub used: i64,
    /// Calls under way by ledger id.
    pub open: BTreeMap<String, Reservation>,
}

/// What a call under way may still use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reservation {
    /// Tokens, input and output.
    pub tokens: i64,
    /// When its caller is taken for dead.
    pub expires_at: Timestamp,
}

/// `organizations/{id}/stats/{current|YYYY-MM}`: usage for the dashboard.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stats {
    /// Input and output tokens.
    pub tokens: i64,
    /// Price of these tokens in millionths of a US dollar.
    pub cost_micro_usd: i64,
    /// LLM calls.
    pub requests: i64,
    /// Executions started.
    pub executions: i64,
    /// Agents that exist.
    pub agents: i64,
    /// Tokens as a share of the monthly limit, 0 to 100 and above.
    pub percent_of_limit: f64,
    /// The UTC month counted, `YYYY-MM`.
    pub period: String,
    /// Last change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// `organizations/{id}/invitations/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// Equal to the document id.
    pub id: RecordId,
    /// SHA-256 of the single-use token, in hexadecimal.
    pub token_hash: String,
    /// Invited address in lower case.
    pub email: String,
    /// Role given on acceptance.
    pub role: Role,
    /// When the invitation ends.
    pub expires_at: Timestamp,
}
