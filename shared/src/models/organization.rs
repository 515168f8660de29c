use serde::{Deserialize, Serialize};

use super::{Role, Timestamp};
use crate::ids::{OrgId, RecordId, Uid};

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

/// How long a former plan is remembered, in seconds: longer than Stripe takes usage of it.
const REMEMBERED_SECS: i64 = 40 * 24 * 3_600;

/// How long Stripe is asked for another plan at most, in seconds: several times what its client
/// waits.
const PLAN_SETTLES_SECS: i64 = 60;

/// How long another plan can be asked for again and again, and how long it cannot be after that, in
/// seconds: usage is held back meanwhile.
const PLAN_ASKED_SECS: i64 = 600;

/// Former plans that are remembered at most.
const MAX_FORMER_TIERS: usize = 50;

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
    /// The plans before it, the oldest first: usage is metered by that of its time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_tiers: Vec<FormerTier>,
    /// When another plan was last asked of Stripe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_asked_at: Option<Timestamp>,
    /// When that was asked first, of several times that follow one another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_asked_since: Option<Timestamp>,
    /// Stripe's customer id, made with the first checkout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stripe_customer_id: Option<String>,
    /// How often Stripe has failed at making the customer: the next attempt has another key.
    #[serde(default)]
    pub stripe_customer_attempts: i64,
    /// Tokens of the current UTC month: a copy of `stats/current` for the dashboard.
    pub api_usage: i64,
    /// What differs from the plan's limits.
    #[serde(default)]
    pub limits: Limits,
    /// When the organization was made.
    pub created_at: Timestamp,
}

impl Organization {
    /// An organization as it begins: on the free tier, with nothing used.
    #[must_use]
    pub fn new(id: OrgId, name: String, created_at: Timestamp) -> Self {
        Self {
            id,
            name,
            subscription_tier: SubscriptionTier::Free,
            former_tiers: Vec::new(),
            plan_asked_at: None,
            plan_asked_since: None,
            stripe_customer_id: None,
            stripe_customer_attempts: 0,
            api_usage: 0,
            limits: Limits::default(),
            created_at,
        }
    }

    /// Changes the plan at an instant, and remembers which one there was. Of those that are too old,
    /// the last is kept: it tells when the one began that ends now.
    pub fn change_tier(&mut self, tier: SubscriptionTier, at: Timestamp) {
        let oldest = at.plus_seconds(-REMEMBERED_SECS);
        let is_old = |former: &FormerTier| former.until < oldest;
        let old = self.former_tiers.iter().take_while(|it| is_old(it)).count();
        self.former_tiers.drain(..old.saturating_sub(1));
        let last = self.former_tiers.last().map(|former| former.until);
        self.former_tiers.push(FormerTier {
            tier: self.subscription_tier,
            until: last.map_or(at, |last| last.max(at)),
        });
        let excess = self.former_tiers.len().saturating_sub(MAX_FORMER_TIERS);
        self.former_tiers.drain(..excess);
        self.subscription_tier = tier;
    }

    /// The plan at an instant, as far as it is remembered.
    #[must_use]
    pub fn tier_at(&self, at: Timestamp) -> SubscriptionTier {
        let mut former = self.former_tiers.iter();
        let former = former.find(|former| at < former.until);
        former.map_or(self.subscription_tier, |former| former.tier)
    }

    /// When the plan of an instant began, if the one before it is remembered.
    #[must_use]
    pub fn tier_since(&self, at: Timestamp) -> Option<Timestamp> {
        let ends = self.former_tiers.iter().map(|former| former.until);
        ends.filter(|end| *end <= at).max()
    }

    /// Notes that another plan is asked of Stripe; tells false when that was done for too long.
    #[must_use]
    pub fn ask_for_plan(&mut self, now: Timestamp) -> bool {
        let is_recent =
            |at: Option<Timestamp>| at.is_some_and(|at| now < at.plus_seconds(PLAN_ASKED_SECS));
        if !is_recent(self.plan_asked_at) {
            self.plan_asked_since = Some(now);
        }
        let may_ask = is_recent(self.plan_asked_since);
        if may_ask {
            self.plan_asked_at = Some(now);
        }
        may_ask
    }

    /// When the change of plan that was last asked of Stripe has certainly been made, or not.
    #[must_use]
    pub fn plan_settles_at(&self) -> Option<Timestamp> {
        let asked_at = self.plan_asked_at?;
        Some(asked_at.plus_seconds(PLAN_SETTLES_SECS))
    }
}

/// A plan that an organization had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormerTier {
    /// The plan.
    pub tier: SubscriptionTier,
    /// When another one took its place.
    pub until: Timestamp,
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
    /// Tokens a UTC month that the organization's own admins allow: it lowers the limit, and never
    /// raises it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_monthly_tokens: Option<i64>,
    /// Millionths of a US dollar a UTC month, over which every call is refused; no limit without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_cost_micro_usd: Option<i64>,
}

/// `organizations/{id}/quota/agents`: the counters behind the agent quota.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentQuota {
    /// Agents that exist.
    pub created: i64,
    /// Agents that are deployed, those included that are suspended.
    pub deployed: i64,
    /// Deployed agents that are suspended: they have no place among those that may be deployed.
    pub suspended: i64,
    /// Changes of the tier so far. They make every one a change of this document, so that whoever
    /// has counted by the old limit has lost a race.
    pub tier_changes: i64,
    /// When the sweeper brings the agents within a limit that has changed, until that is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enforce_at: Option<Timestamp>,
}

/// `organizations/{id}/quota/members`: the counter behind the rule of the last admin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MemberCount {
    /// Admins that are not locked out.
    pub admins: i64,
    /// Members of any role, those locked out included.
    pub members: i64,
    /// Changes so far. It makes every write a change: Firestore keeps the version of a document
    /// that is replaced by its equal.
    pub revision: i64,
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

/// `organizations/{id}/invitations/{id}`: somebody may join. It goes when it is used, withdrawn,
/// replaced by another for the same address, or over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// Equal to the document id.
    pub id: RecordId,
    /// The organization to join.
    pub org_id: OrgId,
    /// SHA-256 of the single-use token, in hexadecimal.
    pub token_hash: String,
    /// Invited address in lower case.
    pub email: String,
    /// Role given on acceptance.
    pub role: Role,
    /// The member who invites; the invitation stands as long as this one could still make it.
    pub invited_by: Uid,
    /// When the invitation ends (TTL field).
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_SECS: i64 = 24 * 3_600;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from(jiff::Timestamp::UNIX_EPOCH).plus_seconds(secs)
    }

    fn organization() -> Organization {
        Organization::new(OrgId::derive(&["o"]), "Ada".to_owned(), at(0))
    }

    #[test]
    fn each_instant_has_the_plan_of_its_time() {
        let mut organization = organization();
        organization.change_tier(SubscriptionTier::Pro, at(100));
        organization.change_tier(SubscriptionTier::Enterprise, at(200));
        for (secs, tier) in [
            (0, SubscriptionTier::Free),
            (99, SubscriptionTier::Free),
            (100, SubscriptionTier::Pro),
            (199, SubscriptionTier::Pro),
            (200, SubscriptionTier::Enterprise),
            (300, SubscriptionTier::Enterprise),
        ] {
            assert_eq!(organization.tier_at(at(secs)), tier, "{secs}");
        }
    }

    /// What was used on it may be metered after it has ended.
    #[test]
    fn the_beginning_of_a_plan_that_ends_is_remembered_however_old_it_is() {
        let mut organization = organization();
        organization.change_tier(SubscriptionTier::Pro, at(100));
        organization.change_tier(SubscriptionTier::Free, at(400 * DAY_SECS));
        let before = at(400 * DAY_SECS - 1);
        assert_eq!(organization.tier_at(before), SubscriptionTier::Pro);
        assert_eq!(organization.tier_since(before), Some(at(100)));
    }

    #[test]
    fn another_plan_is_asked_for_ten_minutes_at_a_time() {
        let mut organization = organization();
        let asked = [0, 300, 599, 600, 1_198, 1_199, 1_798, 1_799];
        let may_ask = asked.map(|secs| organization.ask_for_plan(at(secs)));
        let expected = [true, true, true, false, false, true, true, false];
        assert_eq!(may_ask, expected);
    }

    #[test]
    fn plans_are_forgotten_when_nothing_is_metered_by_them_any_more() {
        let mut organization = organization();
        organization.change_tier(SubscriptionTier::Pro, at(0));
        organization.change_tier(SubscriptionTier::Free, at(36 * DAY_SECS));
        assert_eq!(organization.former_tiers.len(), 2);
        organization.change_tier(SubscriptionTier::Pro, at(41 * DAY_SECS));
        assert_eq!(organization.former_tiers.len(), 3);
        organization.change_tier(SubscriptionTier::Free, at(77 * DAY_SECS));
        assert_eq!(organization.former_tiers.len(), 3);
        for secs in 0..200 {
            organization.change_tier(SubscriptionTier::Free, at(77 * DAY_SECS + secs));
        }
        assert_eq!(organization.former_tiers.len(), 50);
    }
}
