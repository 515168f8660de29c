use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    ids::{OrgId, RecordId},
    testing::usage_entry,
};

fn entry(tokens: i64, is_own_key: bool) -> UsageEntry {
    let (id, org_id) = (RecordId::generate(), OrgId::derive(&["o"]));
    let epoch = jiff::Timestamp::UNIX_EPOCH.into();
    UsageEntry {
        input_tokens: tokens,
        output_tokens: 0,
        cost_micro_usd: 0,
        is_own_key,
        meter: Some(Metering::Pending),
        ..usage_entry(id, org_id, "2026-11-23", epoch)
    }
}

fn terms(included_tokens: i64, is_billed: bool) -> MeterTerms {
    MeterTerms {
        since: None,
        included_tokens,
        is_billed,
    }
}

/// When a plan of this number began.
fn since(number: usize) -> Option<Timestamp> {
    let number = i64::try_from(number).unwrap();
    let began = jiff::Timestamp::from_second(number).unwrap();
    (number > 0).then(|| began.into())
}

fn due(metering: Metering) -> i64 {
    match metering {
        Metering::Due { tokens } => tokens,
        _ => 0,
    }
}

proptest! {
    #[test]
    fn what_is_above_the_included_amount_is_billed_and_no_more(
        calls in vec((0..5_000_i64, prop::bool::weighted(0.2)), 0..40),
        included in 0..50_000_i64,
    ) {
        let (mut month, mut used, mut billed) = (MeteredMonth::default(), 0, 0);
        for (tokens, is_own_key) in calls {
            let tokens_due = due(month.count(&entry(tokens, is_own_key), &terms(included, true)));
            prop_assert!((0..=tokens).contains(&tokens_due));
            used += if is_own_key { 0 } else { tokens };
            billed += tokens_due;
            prop_assert_eq!(billed, (used - included).max(0));
        }
        prop_assert_eq!((month.counted, month.billed, month.unbilled), (used, billed, 0));
    }

    #[test]
    fn an_entry_that_is_counted_late_is_billed_no_more_than_in_time(
        plans in vec((0..20_000_i64, vec(0..5_000_i64, 0..8)), 1..4),
        order in any::<prop::sample::Index>(),
    ) {
        let mut calls = Vec::new();
        for (number, (included_tokens, entries)) in plans.iter().enumerate() {
            let terms = MeterTerms { since: since(number), ..terms(*included_tokens, true) };
            calls.extend(entries.iter().map(|tokens| (terms.clone(), *tokens)));
        }
        let billed = |calls: &[(MeterTerms, i64)]| {
            let mut month = MeteredMonth::default();
            for (terms, tokens) in calls {
                month.count(&entry(*tokens, false), terms);
            }
            month.billed
        };
        let in_time = billed(&calls);
        let middle = if calls.is_empty() { 0 } else { order.index(calls.len()) };
        calls.rotate_left(middle);
        prop_assert!(billed(&calls) <= in_time);
        calls.reverse();
        prop_assert!(billed(&calls) <= in_time);
    }

    #[test]
    fn no_change_of_plan_bills_an_entry_beyond_its_tokens(
        calls in vec((0..5_000_i64, 0..20_000_i64, any::<bool>()), 0..40),
    ) {
        let mut month = MeteredMonth::default();
        for (tokens, included, is_billed) in calls {
            let metering = month.count(&entry(tokens, false), &terms(included, is_billed));
            prop_assert!((0..=tokens).contains(&due(metering)));
            prop_assert!(is_billed || due(metering) == 0);
            prop_assert!(month.billed + month.unbilled <= month.counted);
        }
    }
}

#[test]
fn usage_of_before_an_upgrade_that_is_counted_after_it_is_billed_by_what_was_used_before_it() {
    let before = terms(2_000, true);
    let after = MeterTerms {
        since: since(1),
        ..terms(20_000, true)
    };
    let mut month = MeteredMonth::default();
    month.count(&entry(1_500, false), &before);
    month.count(&entry(9_000, false), &after);
    let late = month.count(&entry(700, false), &before);
    assert_eq!(late, Metering::Due { tokens: 200 });
    // What was billed before counts towards the larger amount.
    let above = month.count(&entry(9_100, false), &after);
    assert_eq!(above, Metering::Due { tokens: 100 });
}
