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
        included_tokens,
        is_billed,
    }
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
