//! Attempts of one call, of which an earlier one may still be booked.

use std::time::Duration;

use shared::{
    llm::Usage,
    models::UsageEntry,
    quota::{Error, admissions::Admission},
};

use super::{Adapter, COST, Fixture, MOST, USED};
use crate::quota::adapter::on_each_adapter;

on_each_adapter! {
    a_repeat_that_used_nothing_leaves_the_earlier_attempt_its_reservation,
    an_attempt_that_used_nothing_leaves_its_repeat_the_reservation,
    the_last_attempt_that_used_nothing_gives_the_tokens_back,
    a_repeat_that_may_use_less_gives_nothing_away_of_what_the_earlier_attempt_may,
    a_repeat_that_is_refused_gives_nothing_away,
    a_repeat_of_an_estimated_call_is_admitted_like_a_new_one,
    what_a_repeat_uses_above_the_estimate_is_booked_once,
    a_repeat_that_uses_less_than_the_estimate_pays_nothing_more,
    a_repeat_that_used_nothing_after_an_estimate_gives_its_tokens_back,
    an_attempt_that_is_estimated_beside_its_repeat_leaves_that_its_reservation,
    a_repeat_of_an_estimated_call_that_dies_leaves_no_drift,
    a_call_counts_in_the_month_that_admits_it,
}

impl Fixture {
    async fn reserve_tokens(&self, key: &str, tokens: i64) -> Result<Admission, Error> {
        let entry = UsageEntry {
            input_tokens: tokens,
            output_tokens: 0,
            ..self.entry(key)
        };
        self.admissions.reserve(&entry).await
    }

    async fn release(&self, admission: &Admission) {
        self.admissions.release(admission).await.unwrap();
    }

    async fn settle_tokens(&self, admission: &Admission, tokens: i64, is_estimated: bool) {
        let used = Usage {
            input_tokens: tokens,
            output_tokens: 0,
            is_estimated,
            ..USED
        };
        let booked = admission.book(&used, COST);
        self.admissions.settle(admission, &booked).await.unwrap();
    }

    async fn used(&self) -> i64 {
        let settled = self.settled().await;
        settled.iter().map(|entry| entry.amount().tokens).sum()
    }

    async fn assert_refused(&self, key: &str, tokens: i64) {
        let refused = self.reserve_tokens(key, tokens).await;
        assert!(
            matches!(refused, Err(Error::Exhausted { .. })),
            "{refused:?}"
        );
    }
}

async fn a_repeat_that_used_nothing_leaves_the_earlier_attempt_its_reservation(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 1).await;
    let first = fixture.reserve("k").await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    let repeat = fixture.reserve("k").await.unwrap();
    fixture.release(&repeat).await;
    fixture.release(&repeat).await;
    fixture.assert_refused("other", 1).await;
    fixture.settle_most(&first).await;
    assert_eq!(fixture.used().await, MOST);
    fixture.assert_no_drift().await;
}

async fn an_attempt_that_used_nothing_leaves_its_repeat_the_reservation(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 1).await;
    let first = fixture.reserve("k").await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    let repeat = fixture.reserve("k").await.unwrap();
    fixture.release(&first).await;
    fixture.assert_refused("other", 1).await;
    fixture.settle_most(&repeat).await;
    assert_eq!(fixture.used().await, MOST);
    fixture.assert_no_drift().await;
}

async fn the_last_attempt_that_used_nothing_gives_the_tokens_back(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 1).await;
    let first = fixture.reserve("k").await.unwrap();
    let repeat = fixture.reserve("k").await.unwrap();
    fixture.release(&first).await;
    fixture.release(&repeat).await;
    fixture.reserve("other").await.unwrap();
}

async fn a_repeat_that_may_use_less_gives_nothing_away_of_what_the_earlier_attempt_may(
    adapter: &Adapter,
) {
    let fixture = Fixture::new(adapter, 1).await;
    let first = fixture.reserve("k").await.unwrap();
    fixture.reserve_tokens("k", 5).await.unwrap();
    fixture.assert_refused("other", 1).await;
    fixture.settle_most(&first).await;
    assert_eq!(fixture.used().await, MOST);
    fixture.assert_no_drift().await;
}

/// The admins are told of the refusal, so that the quota is written with it.
async fn a_repeat_that_is_refused_gives_nothing_away(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 1).await;
    let first = fixture.reserve_tokens("k", 10).await.unwrap();
    let other = fixture.reserve_tokens("other", 85).await.unwrap();
    fixture.settle_tokens(&other, 85, false).await;
    fixture.assert_refused("k", 20).await;
    fixture.assert_refused("third", 6).await;
    fixture.settle_tokens(&first, 10, false).await;
    assert_eq!(fixture.used().await, 95);
    fixture.assert_no_drift().await;
}

async fn a_repeat_of_an_estimated_call_is_admitted_like_a_new_one(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 1).await;
    let first = fixture.reserve("k").await.unwrap();
    fixture.settle_tokens(&first, 50, true).await;
    fixture.assert_refused("k", 51).await;
    fixture.reserve_tokens("k", 50).await.unwrap();
    fixture.assert_refused("other", 1).await;
}

async fn what_a_repeat_uses_above_the_estimate_is_booked_once(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 2).await;
    let first = fixture.reserve("k").await.unwrap();
    fixture.settle_tokens(&first, 30, true).await;
    for _ in 0..3 {
        let repeat = fixture.reserve("k").await.unwrap();
        fixture.settle_tokens(&repeat, 80, false).await;
        fixture.settle_tokens(&repeat, 80, false).await;
    }
    assert_eq!(fixture.used().await, 80);
    fixture.assert_no_drift().await;
}

async fn a_repeat_that_uses_less_than_the_estimate_pays_nothing_more(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 2).await;
    let first = fixture.reserve("k").await.unwrap();
    fixture.settle_tokens(&first, 30, true).await;
    let repeat = fixture.reserve("k").await.unwrap();
    fixture.settle_tokens(&repeat, 20, false).await;
    fixture.reserve_tokens("other", 170).await.unwrap();
    assert_eq!(fixture.used().await, 30);
    fixture.assert_no_drift().await;
}

async fn a_repeat_that_used_nothing_after_an_estimate_gives_its_tokens_back(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 2).await;
    let first = fixture.reserve("k").await.unwrap();
    fixture.settle_tokens(&first, 30, true).await;
    let repeat = fixture.reserve("k").await.unwrap();
    fixture.release(&repeat).await;
    let other = fixture.reserve_tokens("other", 170).await.unwrap();
    fixture.settle_tokens(&other, 170, false).await;
    assert_eq!(fixture.used().await, 200);
    fixture.assert_no_drift().await;
}

async fn an_attempt_that_is_estimated_beside_its_repeat_leaves_that_its_reservation(
    adapter: &Adapter,
) {
    let fixture = Fixture::new(adapter, 2).await;
    let first = fixture.reserve("k").await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    let repeat = fixture.reserve("k").await.unwrap();
    fixture.settle_tokens(&first, 30, true).await;
    fixture.assert_refused("other", 101).await;
    fixture.reserve_tokens("third", 100).await.unwrap();
    fixture.settle_most(&repeat).await;
    assert_eq!(fixture.used().await, MOST);
    fixture.assert_no_drift().await;
}

async fn a_repeat_of_an_estimated_call_that_dies_leaves_no_drift(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 100).await;
    for polls in 0..40 {
        let key = format!("dead{polls}");
        let first = fixture.reserve(&key).await.unwrap();
        fixture.settle_tokens(&first, 30, true).await;
        let repeat = async {
            let repeat = fixture.reserve(&key).await?;
            fixture.settle_tokens(&repeat, 80, false).await;
            Ok::<(), Error>(())
        };
        let died = shared::testing::killed_after(polls, repeat).await;
        assert!(died.is_none_or(|ended| ended.is_ok()));
    }
    fixture.assert_no_drift().await;
}

/// What the caller has thought of the date is old by the time that the call is admitted.
async fn a_call_counts_in_the_month_that_admits_it(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 1).await;
    let entry = fixture.entry("k");
    fixture.clock.advance(Duration::from_secs(30 * 24 * 3_600));
    let admission = fixture.admissions.reserve(&entry).await.unwrap();
    let dates = (&*admission.entry().period, &*admission.entry().day);
    assert_eq!(dates, ("2026-12", "2026-12-23"));
    fixture.settle_most(&admission).await;
    fixture.sweep().await;
    assert_eq!(fixture.quota().await.used, MOST);
    fixture.assert_refused("other", 1).await;
}
