use shared::{ids::OrgId, models::SubscriptionTier, quota::Plan, store::Store};

use crate::error::{Error, Refusal};

/// Meter events that are looked at: far more than are under way at a time.
const MOST: u32 = 500;

/// What may be lost, as a share of what the plan includes.
const SHARE: i64 = 100;

/// Usage that is told again after a change of plan counts with the time of its first attempt, and then
/// in no period. Nobody changes the plan while that may be more than a little.
pub(super) async fn require_settled(
    store: &Store,
    org_id: &OrgId,
    tier: SubscriptionTier,
) -> Result<(), Error> {
    let rows = store.list_unsettled_meter_rows(org_id, MOST).await?;
    let tokens: i64 = rows.iter().map(|row| row.tokens).sum();
    if tokens <= Plan::of(tier).included_tokens / SHARE && rows.len() < MOST as usize {
        return Ok(());
    }
    let problem = "usage is being told to Stripe just now: try again in a minute";
    Err(Refusal::Transition(problem).into())
}
