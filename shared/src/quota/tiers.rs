use std::collections::HashMap;

use serde::Deserialize;

use crate::models::{Limits, MemoryDepth, Organization, SubscriptionTier, Timestamp};

/// All plans by tier; limits and prices change here and nowhere else.
const PLANS: &str = include_str!("tiers.json");

/// What a subscription tier gives.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// The name it is sold under.
    pub product: String,
    /// Agents that may exist; for enterprise, which has no limit, a safety ceiling.
    pub agents: i64,
    /// Tokens a UTC month in the price; what is above is metered.
    pub included_tokens: i64,
    /// Tokens a UTC month over which every call is refused.
    pub monthly_tokens: i64,
    /// Millionths of a US dollar a UTC month over which every call is refused, if there is a limit.
    #[serde(default)]
    pub monthly_cost_micro_usd: Option<i64>,
    /// The longest memory of its agents.
    pub memory_depth: MemoryDepth,
    /// Whether Google Workspace can be connected.
    pub workspace: bool,
    /// Mails and files that may be kept in the index.
    pub knowledge_documents: i64,
    /// Bytes of their texts.
    pub knowledge_bytes: i64,
    /// Whether Drive may be read beyond the files made by the app or picked by the user.
    pub drive_readonly: bool,
    /// Whether models may be tuned.
    pub fine_tuning: bool,
}

impl Plan {
    /// The plan of a tier.
    #[must_use]
    pub fn of(tier: SubscriptionTier) -> Self {
        plans().remove(&tier).unwrap_or_else(Self::nothing)
    }

    /// What an organization has: what it has been sold, within the limit that its admins have set.
    /// That limit changes nothing of what is in the price.
    #[must_use]
    pub fn for_organization(organization: &Organization) -> Self {
        let mut plan = Self::sold_to(organization);
        let own = organization.limits.own_monthly_tokens;
        plan.monthly_tokens = own.map_or(plan.monthly_tokens, |own| own.min(plan.monthly_tokens));
        plan
    }

    /// What an organization has been sold: its tier's plan with its own limits, whatever its admins
    /// allow themselves of it.
    #[must_use]
    pub fn sold_to(organization: &Organization) -> Self {
        Self::of(organization.subscription_tier).with_limits(&organization.limits)
    }

    /// The same at an instant: the plan of the time, with the limits of now.
    #[must_use]
    pub fn sold_at(organization: &Organization, at: Timestamp) -> Self {
        Self::of(organization.tier_at(at)).with_limits(&organization.limits)
    }

    /// Whether what is used above the included tokens is charged. A plan as it was sold whose included
    /// amount is its limit has nothing above it.
    #[must_use]
    pub fn has_overage(&self) -> bool {
        self.included_tokens < self.monthly_tokens
    }

    fn with_limits(self, limits: &Limits) -> Self {
        let mut plan = self;
        plan.agents = limits.agents.unwrap_or(plan.agents);
        plan.monthly_tokens = limits.monthly_tokens.unwrap_or(plan.monthly_tokens);
        let own = limits.monthly_cost_micro_usd;
        plan.monthly_cost_micro_usd = own.or(plan.monthly_cost_micro_usd);
        plan.included_tokens = plan.included_tokens.min(plan.monthly_tokens);
        plan
    }

    /// A missing plan grants nothing; a test keeps all three in the file.
    fn nothing() -> Self {
        Self {
            product: String::new(),
            agents: 0,
            included_tokens: 0,
            monthly_tokens: 0,
            monthly_cost_micro_usd: Some(0),
            memory_depth: MemoryDepth::Session,
            workspace: false,
            knowledge_documents: 0,
            knowledge_bytes: 0,
            drive_readonly: false,
            fine_tuning: false,
        }
    }
}

fn plans() -> HashMap<SubscriptionTier, Plan> {
    serde_json::from_str(PLANS).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::OrgId;

    #[test]
    fn each_tier_has_the_plan_that_the_design_tells() {
        let plans: HashMap<SubscriptionTier, Plan> = serde_json::from_str(PLANS).unwrap();
        assert_eq!(plans.len(), 3);
        let [free, pro, enterprise] = [
            SubscriptionTier::Free,
            SubscriptionTier::Pro,
            SubscriptionTier::Enterprise,
        ]
        .map(Plan::of);
        assert_eq!([free.agents, pro.agents, enterprise.agents], [1, 5, 1_000]);
        assert_eq!(free.memory_depth, MemoryDepth::Session);
        assert!(!free.workspace && pro.workspace && enterprise.workspace);
        assert!(!pro.fine_tuning && enterprise.fine_tuning);
        assert!(!pro.drive_readonly, "reading all of Drive is opt-in");
        assert_eq!(free.included_tokens, free.monthly_tokens, "no overage");
    }

    #[test]
    fn limits_of_the_organization_replace_those_of_the_plan() {
        let now = jiff::Timestamp::UNIX_EPOCH.into();
        let organization = Organization {
            subscription_tier: SubscriptionTier::Pro,
            limits: Limits {
                agents: Some(0),
                monthly_tokens: Some(10),
                ..Limits::default()
            },
            ..Organization::new(OrgId::derive(&["o"]), "Ada".to_owned(), now)
        };
        let plan = Plan::for_organization(&organization);
        assert_eq!(
            (plan.agents, plan.monthly_tokens, plan.included_tokens),
            (0, 10, 10)
        );
        assert!(plan.workspace);
    }

    #[test]
    fn what_admins_allow_lowers_the_limit_and_never_raises_it() {
        let now = jiff::Timestamp::UNIX_EPOCH.into();
        let mut organization = Organization::new(OrgId::derive(&["o"]), "Ada".to_owned(), now);
        let table = [(0, 0), (150_000, 150_000), (i64::MAX, 200_000)];
        for (own, expected) in table {
            organization.limits.own_monthly_tokens = Some(own);
            let plan = Plan::for_organization(&organization);
            assert_eq!(plan.monthly_tokens, expected);
            assert_eq!(plan.included_tokens, 200_000, "a limit forgives nothing");
        }
    }
}
