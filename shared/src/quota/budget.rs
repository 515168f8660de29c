//! The monthly limits of model calls: what settled calls used, and what calls under way may still
//! use.

use super::{Error, Plan, Resource};
use crate::{
    ids::{OrgId, RecordId},
    models::{
        BudgetLease, Organization, Reservation, SubscriptionTier, Timestamp, TokenQuota,
        UsageEntry, UsageState, Use,
    },
    store::organizations::{day_of, period_of},
};

/// How long a reservation counts, in seconds. A caller that is silent for longer has died; it is
/// well above the longest wait for a model.
pub(super) const RESERVATION_SECS: i64 = 900;

/// How long a lease counts after it was last prolonged, in seconds; its calls end before it does.
const LEASE_SECS: i64 = 2 * RESERVATION_SECS;

/// When a lease that is in use is looked at, in seconds.
const SWEEP_SECS: i64 = 60;

/// A lease is given this part of what is left, so that near the limit little is lost with it.
const LEASE_SHARE: i64 = 16;

/// Calls whose price a lease is given at once where money has no limit.
const CALLS_WITHOUT_LIMIT: i64 = 1_000;

/// The most that a lease is given at once: Redis counts exactly up to 2^53.
const MAX_CHUNK: i64 = 1 << 50;

/// What an organization may use in a month.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) tokens: i64,
    pub(super) included_tokens: i64,
    pub(super) cost_micro_usd: Option<i64>,
    tier: SubscriptionTier,
}

impl Limits {
    pub(super) fn of(organization: &Organization) -> Self {
        let plan = Plan::for_organization(organization);
        Self {
            tokens: plan.monthly_tokens,
            included_tokens: plan.included_tokens,
            cost_micro_usd: plan.monthly_cost_micro_usd,
            tier: organization.subscription_tier,
        }
    }

    /// What is left above what is taken, for each limit that there is.
    fn left(&self, taken: Use) -> (i64, Option<i64>) {
        let left = |limit: i64, taken: i64| limit.saturating_sub(taken).max(0);
        let cost = self.cost_micro_usd;
        (
            left(self.tokens, taken.tokens),
            cost.map(|limit| left(limit, taken.cost_micro_usd)),
        )
    }

    /// Whether something more fits above what is taken.
    fn check(&self, taken: Use, more: Use) -> Result<(), Error> {
        let (tokens, cost) = self.left(taken);
        let exhausted = if more.tokens > tokens {
            Some((Resource::MonthlyTokens, self.tokens, taken.tokens))
        } else if cost.is_some_and(|left| more.cost_micro_usd > left) {
            let limit = self.cost_micro_usd.unwrap_or_default();
            Some((Resource::MonthlyCost, limit, taken.cost_micro_usd))
        } else {
            None
        };
        exhausted.map_or(Ok(()), |(resource, limit, used)| {
            Err(Error::Exhausted {
                resource,
                limit,
                used,
                tier: self.tier,
            })
        })
    }
}

/// What settled calls have used in the quota's month.
pub(super) fn used(quota: &TokenQuota) -> Use {
    Use {
        tokens: quota.used,
        cost_micro_usd: quota.used_cost_micro_usd,
    }
}

/// What is used, reserved or leased in the quota's month.
pub(super) fn taken(quota: &TokenQuota) -> Use {
    used(quota) + held(quota)
}

/// What is reserved or leased in the quota's month, and not counted as used yet.
#[must_use]
pub fn held(quota: &TokenQuota) -> Use {
    let open = quota.open.values().map(Reservation::amount);
    let leases = quota.leases.values();
    let leases = leases.filter(|lease| lease.period == quota.period);
    let held = open.chain(leases.map(BudgetLease::held));
    held.fold(Use::default(), |sum, held| sum + held)
}

/// Reserves what an `attempt` at the call of `entry` may use; tells when its caller will be taken
/// for dead. Earlier attempts may still be booked, so a reservation holds the most of any of them,
/// and stays as it is when there is no room for another.
pub(super) fn reserve(
    quota: &mut TokenQuota,
    limits: &Limits,
    entry: &UsageEntry,
    attempt: &RecordId,
    now: Timestamp,
) -> Result<Timestamp, Error> {
    begin(quota, now);
    let before = quota.open.get(entry.id.as_str());
    let held = before.map(Reservation::amount).unwrap_or_default();
    let most = held.max(entry.amount());
    limits.check(taken(quota), most - held)?;
    let expires_at = now.plus_seconds(RESERVATION_SECS);
    let mut attempts = before.map(|open| open.attempts.clone()).unwrap_or_default();
    attempts.insert(attempt.clone());
    let reservation = Reservation {
        tokens: most.tokens,
        cost_micro_usd: most.cost_micro_usd,
        expires_at: before.map_or(expires_at, |before| before.expires_at.max(expires_at)),
        is_stream: entry.is_stream || before.is_some_and(|before| before.is_stream),
        attempts,
    };
    let id = entry.id.as_str().to_owned();
    quota.open.insert(id, reservation);
    set_sweep(quota);
    Ok(expires_at)
}

/// Has a reservation stand until later.
pub(super) fn prolong_call(quota: &mut TokenQuota, id: &RecordId, expires_at: Timestamp) {
    if let Some(open) = quota.open.get_mut(id.as_str()) {
        open.expires_at = open.expires_at.max(expires_at);
    }
    set_sweep(quota);
}

/// The entry of a call at an instant, of which nothing more is known.
pub(super) fn entry(id: RecordId, org_id: OrgId, at: Timestamp) -> UsageEntry {
    UsageEntry {
        id,
        org_id,
        agent_id: None,
        workflow_id: None,
        execution_id: None,
        uid: None,
        model: String::new(),
        input_tokens: 0,
        output_tokens: 0,
        cost_micro_usd: 0,
        state: UsageState::Reserved,
        is_estimated: false,
        raised_to: None,
        is_stream: false,
        hold: None,
        is_own_key: false,
        meter: None,
        period: period_of(at),
        day: day_of(at),
        created_at: at,
    }
}

/// The entry of a call that is admitted `now`, in the month that the quota counts: the caller may
/// have thought of an earlier one, and its clock may lag behind.
pub(super) fn dated(entry: &UsageEntry, quota: &TokenQuota, now: Timestamp) -> UsageEntry {
    let start = format!("{}-01T00:00:00Z", quota.period).parse::<jiff::Timestamp>();
    let at = match start {
        Ok(start) if quota.period != period_of(now) => start.into(),
        _ => now,
    };
    dated_at(entry, at)
}

/// The entry of a call that is admitted at an instant.
pub(super) fn dated_at(entry: &UsageEntry, at: Timestamp) -> UsageEntry {
    UsageEntry {
        period: period_of(at),
        day: day_of(at),
        created_at: at,
        ..entry.clone()
    }
}

/// Counts what an attempt has `used` of what is `booked` for its call; false when its caller was
/// taken for dead before, so that its tokens may be another's by now. What is of another month counts
/// in that.
///
/// The reservation ends, unless an estimate leaves other attempts something to book: they can add no
/// more than what is left of it.
pub(super) fn settle(
    quota: &mut TokenQuota,
    (attempt, expires_at): (&RecordId, Timestamp),
    booked: &UsageEntry,
    used: Use,
    now: Timestamp,
) -> bool {
    let id = &booked.id;
    let was_open = end_attempt(quota, id, attempt);
    let is_current = quota.period == booked.period;
    let is_in_time = was_open || (!is_current && now < expires_at);
    if is_in_time && !booked.is_estimated {
        quota.open.remove(id.as_str());
    } else if let Some(open) = quota.open.get_mut(id.as_str()).filter(|_| was_open) {
        let left = open.amount() - used;
        (open.tokens, open.cost_micro_usd) = (left.tokens, left.cost_micro_usd);
    }
    if is_in_time && is_current {
        add_used(quota, used);
    }
    set_sweep(quota);
    is_in_time
}

/// Books what has used a reservation that nobody else can use any more, and ends it: a call whose
/// callers were all taken for dead, or a training. What is of another month counts in that.
pub(super) fn settle_last(quota: &mut TokenQuota, booked: &UsageEntry) {
    let was_open = quota.open.remove(booked.id.as_str()).is_some();
    if was_open && quota.period == booked.period {
        add_used(quota, booked.amount());
    }
    set_sweep(quota);
}

/// What has become of an attempt's reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Released {
    /// It had none any more.
    Before,
    /// It is another attempt's alone now.
    Shared,
    /// It has ended.
    Ended,
}

/// Ends the part that an attempt has in a reservation, and the reservation with the last of them.
pub(super) fn release(quota: &mut TokenQuota, id: &RecordId, attempt: &RecordId) -> Released {
    if !end_attempt(quota, id, attempt) {
        return Released::Before;
    }
    set_sweep(quota);
    match quota.open.contains_key(id.as_str()) {
        true => Released::Shared,
        false => Released::Ended,
    }
}

/// False when the attempt had ended before.
fn end_attempt(quota: &mut TokenQuota, id: &RecordId, attempt: &RecordId) -> bool {
    let Some(open) = quota.open.get_mut(id.as_str()) else {
        return false;
    };
    let was_open = open.attempts.remove(attempt);
    if open.attempts.is_empty() {
        quota.open.remove(id.as_str());
    }
    was_open
}

/// Grants a lease what it lacks for `needed` in all, and a part of what is left beside; none when
/// the quota counts a later month than the lease.
pub(super) fn grant(
    quota: &mut TokenQuota,
    limits: &Limits,
    (id, period): (&RecordId, &str),
    needed: Use,
    now: Timestamp,
) -> Result<Option<BudgetLease>, Error> {
    begin(quota, now);
    if quota.period != period {
        return Ok(None);
    }
    let found = quota.leases.get(id.as_str()).cloned();
    let mut lease = found.unwrap_or_else(|| BudgetLease {
        period: period.to_owned(),
        granted: Use::default(),
        counted: Use::default(),
        requests: 0,
        opened_at: now,
        ends_at: now,
        sweep_at: now,
        summed: None,
    });
    let (missing, taken) = (needed - lease.granted, taken(quota));
    limits.check(taken, missing)?;
    let (tokens, cost) = limits.left(taken);
    lease.granted += Use {
        tokens: chunk(Some(tokens), missing.tokens),
        cost_micro_usd: chunk(cost, missing.cost_micro_usd),
    };
    prolong(&mut lease, now);
    let id = id.as_str().to_owned();
    quota.leases.insert(id, lease.clone());
    set_sweep(quota);
    Ok(Some(lease))
}

/// Moves a lease's end on, so that calls can be admitted by it: it was not lost.
pub(super) fn prolong(lease: &mut BudgetLease, now: Timestamp) {
    lease.summed = None;
    lease.ends_at = lease.ends_at.max(now.plus_seconds(LEASE_SECS));
    lease.sweep_at = now.plus_seconds(SWEEP_SECS);
}

/// Counts what the settled calls of a lease have used in all; tells what is new of it.
pub(super) fn count(quota: &mut TokenQuota, id: &str, sum: Use, requests: i64) -> (Use, i64) {
    let Some(lease) = quota.leases.get_mut(id) else {
        return (Use::default(), 0);
    };
    let used = sum - lease.counted;
    let requests = requests.saturating_sub(lease.requests).max(0);
    lease.counted += used;
    lease.requests = lease.requests.saturating_add(requests);
    if lease.period == quota.period {
        add_used(quota, used);
    }
    (used, requests)
}

/// When the sweeper is to come, by what calls and leases may leave behind.
pub(super) fn set_sweep(quota: &mut TokenQuota) {
    let open = quota.open.values().map(|open| open.expires_at);
    let leases = quota.leases.values().map(|lease| lease.sweep_at);
    quota.sweep_at = open.chain(leases).min();
}

/// Tokens used as a share of the limit, in percent; 100 for a limit of zero. Counts of tokens are
/// far below 2^53, so the division is exact enough.
#[must_use]
pub fn percent_of_limit(used: i64, limit: i64) -> f64 {
    if limit <= 0 {
        return 100.0;
    }
    used as f64 * 100.0 / limit as f64
}

fn chunk(left: Option<i64>, missing: i64) -> i64 {
    let wanted = match left {
        _ if missing == 0 => 0,
        Some(left) => left / LEASE_SHARE,
        None => missing.saturating_mul(CALLS_WITHOUT_LIMIT),
    };
    wanted.min(MAX_CHUNK).max(missing)
}

fn add_used(quota: &mut TokenQuota, used: Use) {
    quota.used = quota.used.saturating_add(used.tokens);
    let cost = quota.used_cost_micro_usd;
    quota.used_cost_micro_usd = cost.saturating_add(used.cost_micro_usd);
}

/// Reservations of the old month are settled in its statistics only, and dead callers' end; but
/// what may have been answered in part waits for the sweeper to book it. A clock that lags behind
/// does not bring the old month back.
fn begin(quota: &mut TokenQuota, now: Timestamp) {
    let period = period_of(now);
    if quota.period < period {
        quota.period = period;
        quota.used = 0;
        quota.used_cost_micro_usd = 0;
        quota.open.retain(|_, open| open.is_stream);
        quota.alerts.clear();
    }
    let stands = |open: &Reservation| open.expires_at > now || open.is_stream;
    quota.open.retain(|_, open| stands(open));
}

#[cfg(test)]
mod tests;
