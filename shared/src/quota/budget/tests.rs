use super::*;
use crate::{
    ids::OrgId,
    models::{Limits as OwnLimits, UsageState},
    testing::usage_entry,
};

fn at(text: &str) -> Timestamp {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

fn limits(tokens: i64) -> Limits {
    let own = OwnLimits {
        monthly_tokens: Some(tokens),
        ..OwnLimits::default()
    };
    let (id, name) = (OrgId::derive(&["o"]), "Ada".to_owned());
    let organization = Organization {
        limits: own,
        ..Organization::new(id, name, at("2026-01-01T00:00:00Z"))
    };
    Limits::of(&organization)
}

fn call(name: &str, tokens: i64, now: Timestamp) -> UsageEntry {
    UsageEntry {
        input_tokens: tokens,
        output_tokens: 0,
        cost_micro_usd: 0,
        state: UsageState::Reserved,
        ..usage_entry(id(name), OrgId::derive(&["o"]), &day_of(now), now)
    }
}

/// An attempt that is known by its call.
fn admit(
    quota: &mut TokenQuota,
    limits: &Limits,
    entry: &UsageEntry,
    now: Timestamp,
) -> Result<Timestamp, Error> {
    reserve(quota, limits, entry, &entry.id, now)
}

fn book(quota: &mut TokenQuota, booked: &UsageEntry) -> bool {
    let now = booked.created_at;
    let attempt = (&booked.id, now.plus_seconds(RESERVATION_SECS));
    settle(quota, attempt, booked, booked.amount(), now)
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
    let (limits, now) = (limits(10), at("2026-11-23T12:00:00Z"));
    let mut quota = TokenQuota::default();
    admit(&mut quota, &limits, &call("a", 6, now), now).unwrap();
    admit(&mut quota, &limits, &call("b", 4, now), now).unwrap();
    let error = admit(&mut quota, &limits, &call("c", 1, now), now).unwrap_err();
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
fn a_repeat_shares_the_reservation() {
    let (limits, now) = (limits(10), at("2026-11-23T12:00:00Z"));
    let mut quota = TokenQuota::default();
    for _ in 0..3 {
        admit(&mut quota, &limits, &call("a", 10, now), now).unwrap();
    }
    assert_eq!(quota.open.len(), 1);
}

#[test]
fn settling_gives_back_what_was_not_used() {
    let (limits, now) = (limits(10), at("2026-11-23T12:00:00Z"));
    let mut quota = TokenQuota::default();
    admit(&mut quota, &limits, &call("a", 10, now), now).unwrap();
    assert!(book(&mut quota, &call("a", 3, now)));
    admit(&mut quota, &limits, &call("b", 7, now), now).unwrap();
    assert_eq!(quota.used, 3);
}

#[test]
fn the_reservation_of_a_dead_caller_ends() {
    let (limits, now) = (limits(10), at("2026-11-23T12:00:00Z"));
    let mut quota = TokenQuota::default();
    admit(&mut quota, &limits, &call("a", 10, now), now).unwrap();
    let later = now.plus_seconds(RESERVATION_SECS - 1);
    assert!(admit(&mut quota, &limits, &call("b", 1, later), later).is_err());
    let later = now.plus_seconds(RESERVATION_SECS);
    assert!(admit(&mut quota, &limits, &call("b", 1, later), later).is_ok());
}

#[test]
fn a_new_month_begins_at_zero_and_takes_no_late_settlement() {
    let limits = limits(10);
    let mut quota = TokenQuota::default();
    admit(
        &mut quota,
        &limits,
        &call("a", 10, at("2026-11-30T23:59:59.9Z")),
        at("2026-11-30T23:59:59.9Z"),
    )
    .unwrap();
    admit(
        &mut quota,
        &limits,
        &call("b", 10, at("2026-12-01T00:00:00Z")),
        at("2026-12-01T00:00:00Z"),
    )
    .unwrap();
    assert!(book(
        &mut quota,
        &call("a", 10, at("2026-11-30T23:59:59.9Z"))
    ));
    assert_eq!(quota.used, 0);
}

#[test]
fn a_lagging_clock_does_not_bring_the_old_month_back() {
    let limits = limits(10);
    let mut quota = TokenQuota::default();
    admit(
        &mut quota,
        &limits,
        &call("a", 10, at("2026-12-01T00:00:00Z")),
        at("2026-12-01T00:00:00Z"),
    )
    .unwrap();
    let lagging = at("2026-11-30T23:59:59Z");
    assert!(admit(&mut quota, &limits, &call("b", 1, lagging), lagging).is_err());
}

#[test]
fn what_was_reserved_in_a_month_that_is_over_is_booked_until_it_expires() {
    let (limits, now) = (limits(10), at("2026-11-30T23:59:59Z"));
    let mut quota = TokenQuota::default();
    let entry = call("a", 10, now);
    let expires_at = admit(&mut quota, &limits, &entry, now).unwrap();
    begin(&mut quota, now.plus_seconds(1));
    for (later, is_booked) in [(899, true), (900, false)] {
        let (mut quota, later) = (quota.clone(), now.plus_seconds(later));
        let attempt = (&entry.id, expires_at);
        let booked = settle(&mut quota, attempt, &entry, entry.amount(), later);
        assert_eq!((booked, quota.used), (is_booked, 0));
    }
}

#[test]
fn a_call_is_dated_in_the_month_that_counts_it() {
    let (limits, now) = (limits(10), at("2026-12-01T00:00:00Z"));
    let mut quota = TokenQuota::default();
    let early = at("2026-11-30T23:59:59.9Z");
    admit(&mut quota, &limits, &call("a", 5, early), now).unwrap();
    for clock in [now, early] {
        let dated = dated(&call("a", 5, early), &quota, clock);
        let dates = (&*dated.period, &*dated.day, dated.created_at);
        assert_eq!(dates, ("2026-12", "2026-12-01", now));
    }
}
