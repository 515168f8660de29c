use serde::Serialize;
use shared::{
    models::{MemoryDepth, Organization},
    quota::Plan,
};

/// What an organization may use, as it is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanView {
    product: String,
    agents: i64,
    included_tokens: i64,
    monthly_tokens: i64,
    /// In millionths of a US dollar, if there is a limit.
    monthly_cost_micro_usd: Option<i64>,
    memory_depth: MemoryDepth,
    workspace: bool,
    fine_tuning: bool,
}

impl From<&Organization> for PlanView {
    fn from(organization: &Organization) -> Self {
        let plan = Plan::for_organization(organization);
        Self {
            product: plan.product,
            agents: plan.agents,
            included_tokens: plan.included_tokens,
            monthly_tokens: plan.monthly_tokens,
            monthly_cost_micro_usd: plan.monthly_cost_micro_usd,
            memory_depth: plan.memory_depth,
            workspace: plan.workspace,
            fine_tuning: plan.fine_tuning,
        }
    }
}
