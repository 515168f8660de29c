//! The monthly token quota: what settled calls used and what calls under way may still use.

use super::{Error, Plan, Resource};
use crate::{
    ids::RecordId,
    models::{Organization, Reservation, Timestamp, TokenQuota},
    store::organizations::period_of,
};

/// How long a reservation counts, in seconds. A caller that is silent for longer has died; it is
/// well above the longest wait for a model.
const RESERVATION_SECS: i64 = 900;

/// Reserves tokens for the call `id`, replacing a reservation it has from before.
pub(super) fn reserve(
    quota: &mut TokenQuota,
    organization: &Organization,
    id: &RecordId,
    tokens: i64,
    now: Timestamp,
) -> Result<(), Error> {
    turn_month(quota, now);
    quota.open.retain(|_, open| open.expires_at > now);
    quota.open.remove(id.as_str());
    let limit = Plan::for_organization(organization).monthly_tokens;
    let reserved = quota.open.values().map(|open| open.tokens);
    let used = reserved.fold(quota.used, i64::saturating_add);
    if used.saturating_add(tokens) > limit {
        return Err(Error::Exhausted {
            resource: Resource::MonthlyTokens,
            limit,
            used,
            tier: organization.subscription_tier,
        });
    }
    let expires_at = now.plus_seconds(RESERVATION_SECS);
    quota
        .open
        .insert(id.as_str().to_owned(), Reservation { tokens, expires_at });
    Ok(())
}

/// Ends the reservation of the call `id` and counts what it used; false when the quota is by now
/// another month's, and nothing is to be written.
pub(super) fn settle(quota: &mut TokenQuota, period: &str, id: &RecordId, tokens: i64) -> bool {
    if quota.period != period {
        return false;
    }
    quota.open.remove(id.as_str());
    quota.used = quota.used.saturating_add(tokens);
    true
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

/// Reservations of the old month are settled in its statistics only. A clock that lags behind
/// does not bring the old month back.
fn turn_month(quota: &mut TokenQuota, now: Timestamp) {
    let period = period_of(now);
    if quota.period < period {
        *quota = TokenQuota {
            period,
            ..TokenQuota::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::OrgId,
        models::{Limits, SubscriptionTier},
    };

    fn at(text: &str) -> Timestamp {
        text.parse::<jiff::Timestamp>().unwrap().into()
    }

    fn organization(monthly_tokens: i64) -> Organization {
        Organization {
            id: OrgId::derive(&["o"]),
            name: "Ada".to_owned(),
            subscription_tier: SubscriptionTier::Free,
            stripe_customer_id: None,
            api_usage: 0,
            limits: Limits {
                agents: None,
                monthly_tokens: Some(monthly_tokens),
            },
            created_at: at("2026-01-01T00:00:00Z"),
        }
    }

    fn id(name: &str) -> RecordId {
        RecordId::parse(name).unwrap()
    }

    #[test]
    fn an_organization_without_tokens_has_used_them_all() {
        assert!((percent_of_limit(50, 200) - 25.0).abs() < f64::EPSILON);
        assert!((percent_of_limit(0, 0) - 100.0).abs() < f64::EPSILON);
    }

    #[test]
    fn reservations_fill_the_limit_to_the_last_token() {
        let (organization, now) = (organization(10), at("2026-11-23T12:00:00Z"));
        let mut quota = TokenQuota::default();
        reserve(&mut quota, &organization, &id("a"), 6, now).unwrap();
        reserve(&mut quota, &organization, &id("b"), 4, now).unwrap();
        let error = reserve(&mut quota, &organization, &id("c"), 1, now).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Exhausted {
                    limit: 10,
                    used: 10,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_repeat_replaces_its_own_reservation() {
        let (organization, now) = (organization(10), at("2026-11-23T12:00:00Z"));
        let mut quota = TokenQuota::default();
        for _ in 0..3 {
            reserve(&mut quota, &organization, &id("a"), 10, now).unwrap();
        }
        assert_eq!(quota.open.len(), 1);
    }

    #[test]
    fn settling_gives_back_what_was_not_used() {
        let (organization, now) = (organization(10), at("2026-11-23T12:00:00Z"));
        let mut quota = TokenQuota::default();
        reserve(&mut quota, &organization, &id("a"), 10, now).unwrap();
        assert!(settle(&mut quota, "2026-11", &id("a"), 3));
        reserve(&mut quota, &organization, &id("b"), 7, now).unwrap();
        assert_eq!(quota.used, 3);
    }

    #[test]
    fn the_reservation_of_a_dead_caller_ends() {
        let (organization, now) = (organization(10), at("2026-11-23T12:00:00Z"));
        let mut quota = TokenQuota::default();
        reserve(&mut quota, &organization, &id("a"), 10, now).unwrap();
        let later = now.plus_seconds(RESERVATION_SECS - 1);
        assert!(reserve(&mut quota, &organization, &id("b"), 1, later).is_err());
        let later = now.plus_seconds(RESERVATION_SECS);
        assert!(reserve(&mut quota, &organization, &id("b"), 1, later).is_ok());
    }

    #[test]
    fn a_new_month_begins_at_zero_and_takes_no_late_settlement() {
        let organization = organization(10);
        let mut quota = TokenQuota::default();
        reserve(
            &mut quota,
            &organization,
            &id("a"),
            10,
            at("2026-11-30T23:59:59.9Z"),
        )
        .unwrap();
        reserve(
            &mut quota,
            &organization,
            &id("b"),
            10,
            at("2026-12-01T00:00:00Z"),
        )
        .unwrap();
        assert!(!settle(&mut quota, "2026-11", &id("a"), 10));
        assert_eq!(quota.used, 0);
    }

    #[test]
    fn a_lagging_clock_does_not_bring_the_old_month_back() {
        let organization = organization(10);
        let mut quota = TokenQuota::default();
        reserve(
            &mut quota,
            &organization,
            &id("a"),
            10,
            at("2026-12-01T00:00:00Z"),
        )
        .unwrap();
        let lagging = at("2026-11-30T23:59:59Z");
        assert!(reserve(&mut quota, &organization, &id("b"), 1, lagging).is_err());
    }
}
