use shared::{
    models::{Organization, Timestamp},
    quota::Plan,
    store::{Store, organizations::period_of},
};

use crate::error::Error;

/// Tokens of the current UTC month, beside what the plan includes.
pub(crate) struct MonthUse {
    /// `YYYY-MM`.
    pub(crate) period: String,
    /// All that were used.
    pub(crate) tokens: i64,
    /// What of them was used with the organization's own keys: it is in no price. Known within
    /// minutes of its use, as what is billed.
    pub(crate) own_key: i64,
    /// What of the others is above the included tokens, where the plan charges it.
    pub(crate) overage: i64,
    /// What of that is billed so far.
    pub(crate) billed: i64,
}

impl MonthUse {
    /// What metering bills is reckoned by the plan as it was sold: a limit that admins have set
    /// forgives nothing.
    pub(crate) async fn find(
        store: &Store,
        organization: &Organization,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let period = period_of(now);
        let quota = store.find_token_quota(&organization.id).await?;
        let tokens = quota
            .filter(|quota| quota.value.period == period)
            .map_or(0, |quota| quota.value.used);
        let month = store.find_metered_month(&organization.id, &period).await?;
        let month = month.map(|month| month.value).unwrap_or_default();
        let sold = Plan::sold_to(organization);
        let above = tokens.saturating_sub(month.own_key) - sold.included_tokens;
        Ok(Self {
            period,
            tokens,
            own_key: month.own_key,
            overage: if sold.has_overage() { above.max(0) } else { 0 },
            billed: month.billed,
        })
    }
}
