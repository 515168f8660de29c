//! No death of callers opens the cap, or lets the count drift.

mod erased;
mod losses;
mod repeats;

use std::{pin::pin, sync::Arc, time::Duration};

use futures::{future::join_all, poll};
use shared::{
    clock::Clock,
    ids::{OrgId, RecordId},
    llm::Usage,
    models::{Limits, Timestamp, TokenQuota, UsageEntry, UsageState, Use},
    quota::{Error, SharedAdmissions, admissions::Admission},
    store::{Store, organizations},
    testing::{FixedClock, MemoryDb, killed_after, memory_store, usage_entry},
};

use super::adapter::{Adapter, assert_to_be_metered, on_each_adapter};
use crate::support::{create_organization, month};

const NOW: &str = "2026-11-23T12:00:00Z";
/// What a call of these tests may use, and uses.
const MOST: i64 = 100;
const USED: Usage = Usage {
    cache_write_tokens: 0,
    input_tokens: 10,
    output_tokens: 20,
    cached_tokens: 0,
    reasoning_tokens: 0,
    is_estimated: false,
};
const COST: i64 = 7;
/// By then a lease that nobody has prolonged is over.
const LEASE: Duration = Duration::from_secs(1_801);

on_each_adapter! {
    callers_that_die_anywhere_leave_no_drift_and_give_their_tokens_back,
    a_limit_of_money_holds,
    a_late_settlement_is_not_booked,
    a_caller_that_is_frozen_while_it_settles_opens_nothing,
    a_stream_that_died_is_booked_by_an_estimate,
    a_repeat_that_was_overtaken_is_booked_once,
    a_blocked_organization_is_refused,
}

struct Fixture {
    store: Store,
    db: Arc<MemoryDb>,
    clock: FixedClock,
    admissions: SharedAdmissions,
    org_id: OrgId,
    adapter: Adapter,
}

impl Fixture {
    async fn new(adapter: &Adapter, calls: i64) -> Self {
        let limits = Limits {
            monthly_tokens: Some(calls * MOST),
            ..Limits::default()
        };
        Self::with_limits(adapter, limits).await
    }

    async fn with_limits(adapter: &Adapter, limits: Limits) -> Self {
        let ((store, db), clock) = (memory_store(), FixedClock::at(NOW));
        let org_id = create_organization(&store, limits).await;
        let admissions = adapter.admissions(&store, &clock);
        Self {
            store,
            db,
            clock,
            admissions,
            org_id,
            adapter: adapter.clone(),
        }
    }

    fn entry(&self, key: &str) -> UsageEntry {
        let now = Timestamp::from(self.clock.now());
        let (id, day) = (RecordId::parse(key).unwrap(), organizations::day_of(now));
        UsageEntry {
            input_tokens: MOST - 50,
            output_tokens: 50,
            cost_micro_usd: 10,
            state: UsageState::Reserved,
            ..usage_entry(id, self.org_id.clone(), &day, now)
        }
    }

    async fn reserve(&self, key: &str) -> Result<Admission, Error> {
        self.admissions.reserve(&self.entry(key)).await
    }

    async fn settle(&self, admission: &Admission) {
        let booked = admission.book(&USED, COST);
        self.admissions.settle(admission, &booked).await.unwrap();
    }

    /// The same for a call that has used all that it may.
    async fn settle_most(&self, admission: &Admission) {
        let used = Usage {
            input_tokens: MOST - 50,
            output_tokens: 50,
            ..USED
        };
        let booked = admission.book(&used, COST);
        self.admissions.settle(admission, &booked).await.unwrap();
    }

    /// One call from beginning to end, if it is admitted.
    async fn call(&self, key: &str) -> Result<(), Error> {
        let admission = self.reserve(key).await?;
        self.settle(&admission).await;
        Ok(())
    }

    async fn sweep(&self) {
        self.admissions.sweep(&self.org_id).await.unwrap();
    }

    async fn quota(&self) -> TokenQuota {
        let quota = self.store.find_token_quota(&self.org_id).await;
        quota.unwrap().unwrap().value
    }

    async fn settled(&self) -> Vec<UsageEntry> {
        let mut settled = Vec::new();
        let keep = |entry: UsageEntry| {
            assert_to_be_metered(&entry);
            if entry.state == UsageState::Settled {
                settled.push(entry);
            }
        };
        let (from, to) = ("2026-01-01", "2027-01-01");
        let read = self.store.each_usage_entry(&self.org_id, from, to, keep);
        read.await.unwrap();
        settled
    }

    /// Ledger, quota, organization and statistics tell the same, and nothing is held.
    async fn assert_no_drift(&self) {
        // What is found the first time prolongs the lease once more.
        for _ in 0..2 {
            self.clock.advance(LEASE);
            self.sweep().await;
        }
        let settled = self.settled().await;
        let sum = settled
            .iter()
            .fold(Use::default(), |sum, entry| sum + entry.amount());
        let quota = self.quota().await;
        assert_eq!(
            (quota.used, quota.used_cost_micro_usd),
            (sum.tokens, sum.cost_micro_usd)
        );
        assert!(
            quota.open.is_empty() && quota.leases.is_empty(),
            "{quota:?}"
        );
        let stats = month(&self.db, &self.org_id, "2026-11").unwrap_or_default();
        assert_eq!(
            (stats.tokens, stats.cost_micro_usd),
            (quota.used, sum.cost_micro_usd)
        );
        assert_eq!(stats.requests, i64::try_from(settled.len()).unwrap());
        let organization = self.store.find_organization(&self.org_id).await.unwrap();
        assert_eq!(organization.unwrap().value.api_usage, quota.used);
    }

    async fn assert_within(&self, limit: i64) {
        let settled = self.settled().await;
        let used: i64 = settled.iter().map(|entry| entry.amount().tokens).sum();
        assert!(used <= limit, "{used} of {limit}");
    }
}

async fn callers_that_die_anywhere_leave_no_drift_and_give_their_tokens_back(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 100).await;
    for polls in 0..60 {
        let key = format!("dead{polls}");
        let died = killed_after(polls, fixture.call(&key)).await;
        assert!(died.is_none_or(|ended| ended.is_ok()));
    }
    fixture.assert_no_drift().await;
    let used = fixture.quota().await.used;
    let left = fixture.entry("k").amount().tokens;
    let free = (100 * MOST - used) / left;
    let held = join_all((0..free + 3).map(|n| {
        let (fixture, key) = (&fixture, format!("after{n}"));
        async move { fixture.reserve(&key).await.is_ok() }
    }));
    let admitted = held.await.into_iter().filter(|admitted| *admitted).count();
    assert_eq!(
        i64::try_from(admitted).unwrap(),
        free,
        "all headroom is back"
    );
}

async fn a_limit_of_money_holds(adapter: &Adapter) {
    let limits = Limits {
        monthly_tokens: Some(i64::MAX),
        monthly_cost_micro_usd: Some(35),
        ..Limits::default()
    };
    let fixture = Fixture::with_limits(adapter, limits).await;
    for key in ["a", "b", "c"] {
        fixture.reserve(key).await.unwrap();
    }
    let error = fixture.reserve("d").await.unwrap_err();
    assert!(
        matches!(error, Error::Exhausted { resource, limit: 35, used: 30, .. } if resource.as_str() == "monthlyCostMicroUsd"),
        "{error:?}"
    );
}

async fn a_late_settlement_is_not_booked(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 1).await;
    let slow = fixture.reserve("slow").await.unwrap();
    fixture.clock.advance(Duration::from_secs(900));
    fixture.call("next").await.unwrap();
    fixture.settle(&slow).await;
    fixture.assert_within(MOST).await;
    assert_eq!(fixture.settled().await.len(), 1);
    fixture.assert_no_drift().await;
}

/// It goes on when others have used the tokens that it had reserved.
async fn a_caller_that_is_frozen_while_it_settles_opens_nothing(adapter: &Adapter) {
    for steps in 0..24 {
        let fixture = Fixture::new(adapter, 1).await;
        let frozen = fixture.reserve("frozen").await.unwrap();
        let mut settling = pin!(fixture.settle_most(&frozen));
        let mut has_ended = false;
        for _ in 0..steps {
            if poll!(settling.as_mut()).is_ready() {
                has_ended = true;
                break;
            }
            tokio::task::yield_now().await;
        }
        fixture.clock.advance(LEASE);
        fixture.sweep().await;
        if let Ok(other) = fixture.reserve("other").await {
            fixture.settle_most(&other).await;
        }
        if !has_ended {
            settling.await;
        }
        fixture.assert_within(MOST).await;
        fixture.assert_no_drift().await;
    }
}

async fn a_stream_that_died_is_booked_by_an_estimate(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 10).await;
    let stream = UsageEntry {
        is_stream: true,
        ..fixture.entry("stream")
    };
    fixture.admissions.reserve(&stream).await.unwrap();
    fixture.clock.advance(Duration::from_secs(901));
    fixture.sweep().await;
    let settled = fixture.settled().await;
    assert_eq!(settled.len(), 1);
    assert!(settled[0].is_estimated);
    assert_eq!(settled[0].amount().tokens, MOST);
    fixture.assert_no_drift().await;
}

async fn a_repeat_that_was_overtaken_is_booked_once(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 3).await;
    let first = fixture.reserve("k").await.unwrap();
    let second = fixture.reserve("k").await.unwrap();
    fixture.settle(&first).await;
    let third = fixture.reserve("k").await.unwrap();
    fixture.settle(&second).await;
    fixture.settle(&third).await;
    fixture.admissions.release(&third).await.unwrap();
    assert_eq!(fixture.settled().await.len(), 1);
    fixture.assert_no_drift().await;
}

async fn a_blocked_organization_is_refused(adapter: &Adapter) {
    let fixture = Fixture::new(adapter, 3).await;
    let block = organizations::set_llm_block(&fixture.org_id, true).unwrap();
    fixture.store.commit(vec![block]).await.unwrap();
    let error = fixture.reserve("k").await.unwrap_err();
    assert!(matches!(error, Error::SwitchedOff), "{error:?}");
}
