//! When usage counts.

use shared::{
    models::{MeterRow, Organization, SubscriptionTier, Timestamp},
    store::organizations::day_of,
};

/// How long after its call usage is late, in seconds: less than the hour for which Stripe adds to a
/// period that is over
/// (<https://docs.stripe.com/billing/subscriptions/usage-based/how-it-works>).
const LATE_SECS: i64 = 1_800;

/// An instant as Stripe sums up usage.
pub(super) struct Moment {
    /// In whole seconds.
    pub(super) at: Timestamp,
    /// The start of its UTC minute.
    pub(super) minute: Timestamp,
    /// Its UTC day, `YYYY-MM-DD`.
    pub(super) day: String,
}

impl Moment {
    pub(super) fn of(at: Timestamp) -> Self {
        let at = at.whole_seconds();
        let minute = at.plus_seconds(-at.instant().as_second().rem_euclid(60));
        let day = day_of(at);
        Self { at, minute, day }
    }
}

/// Until when usage is not told that was not told before, if not now: until it is known in which
/// period it is.
pub(super) fn held_until(payer: Option<&Organization>, now: Timestamp) -> Option<Timestamp> {
    let settles_at = payer?.plan_settles_at()?;
    (now < settles_at).then_some(settles_at)
}

/// Whether usage was dated by what does not hold any more.
pub(super) fn has_changed(before: Option<&Organization>, after: Option<&Organization>) -> bool {
    let plan = |payer: Option<&Organization>| {
        payer.map(|payer| (payer.plan_asked_at, payer.subscription_tier))
    };
    plan(before) != plan(after)
}

/// Has usage count now that would be in no period if it were told with the time of its call: Stripe
/// bills from the start of a period what is of it, and adds nothing to one that it has invoiced.
/// After the last period of a subscription, only that time is in any.
pub(super) fn date(row: &mut MeterRow, payer: Option<&Organization>, now: Timestamp) {
    let payer = payer.filter(|payer| payer.subscription_tier != SubscriptionTier::Free);
    let Some(payer) = payer else {
        return;
    };
    let changed_at = payer.tier_since(now).max(payer.plan_settles_at());
    let is_of_former_plan = changed_at.is_some_and(|changed_at| row.at < changed_at);
    if is_of_former_plan || row.at.plus_seconds(LATE_SECS) < now {
        let Moment { at, minute, day } = Moment::of(now);
        (row.at, row.minute, row.day) = (at, minute, day);
    }
}
