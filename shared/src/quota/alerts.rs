//! E-mails to the admins when a monthly limit is close, and when it is reached: once each.

use super::budget::{self, Limits};
use crate::{
    ids::OrgId,
    models::{Timestamp, TokenQuota},
    outbox::{self, UsageAlert},
    store::{self, Store, Write, outbox as rows},
};

/// The share of a limit at which its admins are warned, in percent.
const WARNING: i64 = 80;

/// Marks what is newly reached and tells it. The quota keeps what was told in its month, so the
/// commit that writes both tells it once.
pub(super) fn take(quota: &mut TokenQuota, limits: &Limits) -> Vec<UsageAlert> {
    let used = budget::used(quota);
    let mut reached = reached("monthlyTokens", used.tokens, limits.tokens);
    if let Some(limit) = limits.cost_micro_usd {
        reached.extend(self::reached(
            "monthlyCostMicroUsd",
            used.cost_micro_usd,
            limit,
        ));
    }
    let has_overage = limits.included_tokens < limits.tokens;
    if has_overage && used.tokens >= limits.included_tokens {
        reached.push(("includedTokens", 100));
    }
    mark(quota, reached)
}

/// The same when a call is refused: a limit that leaves no room for calls is reached, if all but a
/// fifth of it is used.
pub(super) fn take_refused(
    quota: &mut TokenQuota,
    limits: &Limits,
    resource: super::Resource,
) -> Vec<UsageAlert> {
    let used = budget::used(quota);
    let (used, limit) = match resource {
        super::Resource::MonthlyCost => (used.cost_micro_usd, limits.cost_micro_usd.unwrap_or(0)),
        _ => (used.tokens, limits.tokens),
    };
    let is_close = is_reached(used, limit, WARNING);
    let reached = is_close.then_some([(resource.as_str(), WARNING), (resource.as_str(), 100)]);
    mark(quota, reached.into_iter().flatten())
}

/// The rows of the outbox that tell every admin.
pub(super) async fn write(
    store: &Store,
    org_id: &OrgId,
    alerts: &[UsageAlert],
    now: Timestamp,
) -> Result<Vec<Write>, store::Error> {
    let mut writes = Vec::new();
    if alerts.is_empty() {
        return Ok(writes);
    }
    let admins = store.list_admins(org_id).await?;
    for alert in alerts {
        for uid in &admins {
            let row = outbox::usage_alert(org_id, uid, alert, now);
            writes.push(rows::create(&row)?);
        }
    }
    Ok(writes)
}

fn reached(limit: &'static str, used: i64, most: i64) -> Vec<(&'static str, i64)> {
    let shares = [WARNING, 100].into_iter();
    let shares = shares.filter(|share| is_reached(used, most, *share));
    shares.map(|share| (limit, share)).collect()
}

/// A limit of nothing is not reached by using nothing.
fn is_reached(used: i64, limit: i64, percent: i64) -> bool {
    used > 0 && i128::from(used) * 100 >= i128::from(limit) * i128::from(percent)
}

fn mark(
    quota: &mut TokenQuota,
    reached: impl IntoIterator<Item = (&'static str, i64)>,
) -> Vec<UsageAlert> {
    let mut alerts = Vec::new();
    for (limit, percent) in reached {
        if quota.alerts.insert(format!("{limit}:{percent}")) {
            alerts.push(UsageAlert {
                limit,
                percent,
                period: quota.period.clone(),
            });
        }
    }
    alerts
}
