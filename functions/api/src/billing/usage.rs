//! Whether so little was used that a smaller plan can be had at once.

use jiff::tz::TimeZone;
use shared::{
    ids::OrgId,
    models::{SubscriptionTier, Timestamp},
    quota::{
        Plan,
        ledger::{self, MonthUse, sum_months_and_calls},
    },
    store::{Store, organizations::period_of},
};

use crate::error::{Error, Refusal};

/// Looks at the ledger while it is being summed up, before it is left for later.
const LOOKS: usize = 3;

/// What is left of a period is paid back. So nobody comes to a smaller plan who has used, or may use
/// by calls under way that the ledger has, what only the larger one includes: this month, and the last,
/// because periods begin on any day of one. Calls under way that only Redis knows are metered by the
/// smaller plan. Tokens of the organization's own keys are in no plan.
pub(super) async fn require_little_used(
    store: &Store,
    org_id: &OrgId,
    tier: SubscriptionTier,
    now: Timestamp,
) -> Result<(), Error> {
    let (this, last) = (period_of(now), period_before(now));
    let [this, last] = sum(store, org_id, [&this, &last]).await?;
    if this.counted.max(last.counted) <= Plan::of(tier).included_tokens {
        return Ok(());
    }
    Err(Refusal::Transition(
        "more tokens were used, or may be by calls under way, this month or the last than the \
         smaller plan includes: end the subscription in the portal, and buy the plan when it has ended",
    )
    .into())
}

async fn sum(store: &Store, org_id: &OrgId, periods: [&str; 2]) -> Result<[MonthUse; 2], Error> {
    for _ in 0..LOOKS {
        match sum_months_and_calls(store, org_id, periods).await {
            Ok(None) => {}
            Ok(Some(sums)) => return Ok(sums),
            Err(ledger::Error::Behind) => break,
            Err(ledger::Error::Store(error)) => return Err(error.into()),
        }
    }
    let problem = "what was used this month and the last is still being summed up: try again later";
    Err(Refusal::Transition(problem).into())
}

/// The month before the one of an instant, `YYYY-MM`.
fn period_before(now: Timestamp) -> String {
    let day = now.instant().to_zoned(TimeZone::UTC).day();
    period_of(now.plus_seconds(-i64::from(day) * 24 * 3_600))
}
