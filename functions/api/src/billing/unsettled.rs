use shared::{ids::OrgId, models::SubscriptionTier, quota::Plan, store::Store};

use crate::{
    error::{Error, Refusal},
    organization,
};

/// Meter events that are looked at: far more than are under way at a time.
const MOST: u32 = 500;

/// What may be lost, as a share of what the plan includes.
const SHARE: i64 = 100;

/// Usage that is told again after a change of plan counts with the time of its first attempt, and then
/// in no period. Nobody changes the plan while that may be more than a little; what is told from now on
/// finds that a change was asked for. What was told for a customer that was deleted comes no more.
pub(super) async fn require_settled(
    store: &Store,
    org_id: &OrgId,
    tier: SubscriptionTier,
) -> Result<(), Error> {
    let organization = organization::find(store, org_id).await?;
    let customer_id = organization.stripe_customer_id.unwrap_or_default();
    let rows = store.list_unsettled_meter_rows(org_id, &customer_id, MOST);
    let rows = rows.await?;
    let tokens: i64 = rows.iter().map(|row| row.tokens).sum();
    if tokens <= Plan::of(tier).included_tokens / SHARE && rows.len() < MOST as usize {
        return Ok(());
    }
    let problem = "usage is being told to Stripe just now: try again in a minute";
    Err(Refusal::Transition(problem).into())
}
