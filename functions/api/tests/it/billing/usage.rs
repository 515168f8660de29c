//! A smaller plan is to be had at once by whoever has used little.

use std::collections::BTreeMap;

use serde_json::json;
use shared::{
    clock::Clock,
    ids::RecordId,
    models::{BudgetLease, MeteredMonth, Metering, TokenQuota, UsageEntry, UsageState, Use},
    store::{meter_events, organizations::set_token_quota, usage_ledger},
    testing::usage_entry,
};

use super::{
    Shop,
    plan::{ENTERPRISE, PRO},
};

/// What the smaller plan includes.
const INCLUDED: i64 = 5_000_000;

const THIS_MONTH: &str = "2026-11-20";
const LAST_MONTH: &str = "2026-10-20";

impl Shop {
    async fn on_enterprise() -> Self {
        let shop = Self::on_pro().await;
        assert_eq!(shop.change_to("enterprise").await.body["status"], "changed");
        shop
    }

    /// Has tokens be summed up for the month of a day.
    async fn sum_up(&self, day: &str, counted: i64, own_key: i64) {
        let month = MeteredMonth {
            period: day[..7].to_owned(),
            counted,
            own_key,
            ..MeteredMonth::default()
        };
        let write = meter_events::set_month(&self.org_id, &month, None).unwrap();
        self.app.store.commit(vec![write]).await.unwrap();
    }

    /// An entry of the ledger that is not summed up yet.
    fn pending(&self, day: &str, tokens: i64) -> UsageEntry {
        let (id, org_id) = (RecordId::generate(), self.org_id.clone());
        UsageEntry {
            input_tokens: tokens,
            output_tokens: 0,
            meter: Some(Metering::Pending),
            ..usage_entry(id, org_id, day, self.app.clock.now().into())
        }
    }

    async fn keep(&self, entry: &UsageEntry) {
        let write = usage_ledger::create(entry).unwrap();
        self.app.store.commit(vec![write]).await.unwrap();
    }

    /// A call that is under way and may use so many tokens.
    async fn reserve(&self, day: &str, tokens: i64, is_own_key: bool) {
        let entry = UsageEntry {
            state: UsageState::Reserved,
            meter: None,
            is_own_key,
            ..self.pending(day, tokens)
        };
        self.keep(&entry).await;
    }

    /// Room for calls that may come, as it is taken in advance.
    async fn lease(&self, tokens: i64) {
        let now = self.app.clock.now().into();
        let lease = BudgetLease {
            period: THIS_MONTH[..7].to_owned(),
            granted: Use {
                tokens,
                cost_micro_usd: 0,
            },
            counted: Use::default(),
            requests: 0,
            opened_at: now,
            ends_at: now,
            sweep_at: now,
            summed: None,
        };
        let quota = TokenQuota {
            period: lease.period.clone(),
            leases: BTreeMap::from([("lease".to_owned(), lease)]),
            ..TokenQuota::default()
        };
        let write = set_token_quota(&self.org_id, &quota, None).unwrap();
        self.app.store.commit(vec![write]).await.unwrap();
    }

    /// Asks for the smaller plan, and tells whether it was to be had.
    async fn can_come_down(&self) -> bool {
        let answer = self.change_to("pro").await;
        if answer.body["status"] == "changed" {
            assert_eq!(self.lookup_keys(), PRO);
            return true;
        }
        assert_eq!(answer.refusal(), (409, "failed_precondition"));
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(message.contains("more tokens were used"), "{message}");
        assert_eq!(self.lookup_keys(), ENTERPRISE);
        false
    }
}

#[tokio::test]
async fn what_was_summed_up_this_month_or_the_last_counts() {
    let table = [
        ((INCLUDED, INCLUDED), true),
        ((INCLUDED + 1, 0), false),
        ((0, INCLUDED + 1), false),
    ];
    for ((this_month, last_month), is_allowed) in table {
        let shop = Shop::on_enterprise().await;
        shop.sum_up(THIS_MONTH, this_month, 0).await;
        shop.sum_up(LAST_MONTH, last_month, 0).await;
        assert_eq!(shop.can_come_down().await, is_allowed);
        if is_allowed {
            assert_eq!(shop.last_invoice()["total"], 4_900 - 99_000);
        }
    }
}

#[tokio::test]
async fn what_is_not_summed_up_yet_counts_in_its_month() {
    for day in [THIS_MONTH, LAST_MONTH] {
        for (tokens, is_allowed) in [(2, true), (3, false)] {
            let shop = Shop::on_enterprise().await;
            shop.sum_up(day, INCLUDED - 2, 0).await;
            shop.keep(&shop.pending(day, tokens)).await;
            assert_eq!(shop.can_come_down().await, is_allowed, "{day} {tokens}");
        }
    }
    let shop = Shop::on_enterprise().await;
    for day in [THIS_MONTH, LAST_MONTH, "2026-09-20"] {
        shop.keep(&shop.pending(day, INCLUDED)).await;
    }
    assert!(shop.can_come_down().await, "each month is for itself");
}

#[tokio::test]
async fn what_was_not_used_or_is_another_organizations_does_not_count() {
    let shop = Shop::on_enterprise().await;
    let released = UsageEntry {
        state: UsageState::Released,
        ..shop.pending(THIS_MONTH, INCLUDED + 1)
    };
    shop.keep(&released).await;
    shop.lease(INCLUDED + 1).await;
    let others = shared::ids::OrgId::parse("o2").unwrap();
    let entry = shop.pending(THIS_MONTH, INCLUDED + 1);
    shop.keep(&UsageEntry {
        org_id: others,
        ..entry
    })
    .await;
    assert!(shop.can_come_down().await);
}

/// Nothing of it is in a plan, or billed.
#[tokio::test]
async fn tokens_of_own_keys_do_not_count() {
    for day in [THIS_MONTH, LAST_MONTH] {
        let shop = Shop::on_enterprise().await;
        shop.sum_up(day, INCLUDED, INCLUDED + 1).await;
        let entry = shop.pending(day, INCLUDED + 1);
        let own_key = UsageEntry {
            is_own_key: true,
            ..entry
        };
        shop.keep(&own_key).await;
        let quota = TokenQuota {
            period: day[..7].to_owned(),
            used: 3 * INCLUDED,
            ..TokenQuota::default()
        };
        let write = set_token_quota(&shop.org_id, &quota, None).unwrap();
        shop.app.store.commit(vec![write]).await.unwrap();
        assert!(shop.can_come_down().await, "{day}");
    }
}

#[tokio::test]
async fn what_calls_under_way_may_use_counts_as_used() {
    for (day, tokens, is_own_key, is_allowed) in [
        (THIS_MONTH, 1, false, false),
        (THIS_MONTH, 0, false, true),
        (THIS_MONTH, 1, true, true),
        (LAST_MONTH, INCLUDED + 1, false, false),
        (LAST_MONTH, INCLUDED, false, true),
    ] {
        let shop = Shop::on_enterprise().await;
        shop.sum_up(THIS_MONTH, INCLUDED, 0).await;
        shop.reserve(day, tokens, is_own_key).await;
        assert_eq!(shop.can_come_down().await, is_allowed, "{day} {tokens}");
    }
}

#[tokio::test]
async fn a_ledger_that_is_far_from_summed_up_has_it_be_asked_for_later() {
    let shop = Shop::on_enterprise().await;
    let entries = (0..=20_000).map(|_| shop.pending(LAST_MONTH, 1));
    let writes: Vec<_> = entries
        .map(|it| usage_ledger::create(&it).unwrap())
        .collect();
    for writes in writes.chunks(500) {
        shop.app.store.commit(writes.to_vec()).await.unwrap();
    }
    let answer = shop.change_to("pro").await;
    assert_eq!(answer.refusal(), (409, "failed_precondition"));
    let message = answer.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("try again later"), "{message}");
    assert_eq!(shop.lookup_keys(), ENTERPRISE);
}

#[tokio::test]
async fn another_interval_of_the_same_plan_is_no_smaller_plan() {
    let shop = Shop::on_pro().await;
    for day in [THIS_MONTH, LAST_MONTH] {
        shop.sum_up(day, 10_000_000, 0).await;
    }
    for interval in ["year", "month"] {
        let body = json!({ "tier": "pro", "interval": interval });
        let answer = shop.change_plan(&body).await;
        assert_eq!(answer.body["status"], "changed", "{}", answer.body);
        assert_eq!(shop.lookup_keys()[0], format!("pro_{interval}ly"));
    }
}
