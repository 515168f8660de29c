//! No loss of Redis opens the cap, or lets the count drift.

use futures::future::join_all;
use redis::Commands;
use secrecy::ExposeSecret;
use shared::{
    models::{Metering, UsageEntry, UsageState},
    store::usage_ledger,
};

use super::{Adapter, Fixture, LEASE, MOST, NOW, USED};
use crate::support::{CALLER, time};

#[tokio::test]
async fn a_redis_that_is_lost_at_any_moment_does_not_open_the_cap() {
    for lost_after in 0..12 {
        let fixture = Fixture::new(&Adapter::redis(), 8).await;
        let mut held = Vec::new();
        for n in 0..16 {
            if n == lost_after {
                fixture.adapter.server(|server| {
                    server.kill().unwrap();
                    server.restart().unwrap();
                });
            }
            held.extend(fixture.reserve(&format!("k{n}")).await);
        }
        assert!(held.len() <= 8, "{} held after {lost_after}", held.len());
        for admission in &held {
            fixture.settle_most(admission).await;
        }
        fixture.assert_within(8 * MOST).await;
        fixture.assert_no_drift().await;
    }
}

#[tokio::test]
async fn a_redis_that_comes_back_with_an_old_memory_does_not_open_the_cap() {
    let fixture = Fixture::new(&Adapter::redis(), 8).await;
    let mut held = vec![fixture.reserve("before").await.unwrap()];
    fixture.adapter.server(|server| server.save().unwrap());
    for n in 0..4 {
        held.extend(fixture.reserve(&format!("forgotten{n}")).await);
    }
    fixture.adapter.server(|server| {
        server.kill().unwrap();
        server.restart().unwrap();
    });
    for n in 0..16 {
        held.extend(fixture.reserve(&format!("after{n}")).await);
    }
    for admission in &held {
        fixture.settle_most(admission).await;
    }
    fixture.assert_within(8 * MOST).await;
    fixture.assert_no_drift().await;
}

#[tokio::test]
async fn without_redis_the_quota_document_decides() {
    let fixture = Fixture::new(&Adapter::redis(), 10).await;
    let held = fixture.reserve("before").await.unwrap();
    fixture.adapter.server(|server| server.kill().unwrap());
    let calls = (0..20).map(|n| {
        let (fixture, key) = (&fixture, format!("k{n}"));
        async move { fixture.reserve(&key).await }
    });
    let admitted: Vec<_> = join_all(calls).await.into_iter().flatten().collect();
    assert_eq!(admitted.len(), 9, "what the lost lease holds is counted");
    for admission in admitted.iter().chain([&held]) {
        fixture.settle(admission).await;
    }
    fixture.assert_within(10 * MOST).await;
    fixture.assert_no_drift().await;
}

#[tokio::test]
async fn a_call_that_was_booked_is_counted_after_its_caller_and_redis_are_gone() {
    let fixture = Fixture::new(&Adapter::redis(), 10).await;
    let held = fixture.reserve("k").await.unwrap();
    fixture.adapter.server(|server| server.kill().unwrap());
    fixture.settle(&held).await;
    assert_eq!(fixture.quota().await.used, 0, "only the ledger knows");
    fixture.adapter.server(|server| server.restart().unwrap());
    fixture.assert_no_drift().await;
    assert_eq!(fixture.quota().await.used, USED.total());
}

#[tokio::test]
async fn near_the_cap_all_that_is_left_can_be_used() {
    let fixture = Fixture::new(&Adapter::redis(), 37).await;
    let calls = (0..80).map(|n| {
        let (fixture, key) = (&fixture, format!("k{n}"));
        async move { fixture.reserve(&key).await.is_ok() }
    });
    let admitted = join_all(calls).await;
    assert_eq!(admitted.into_iter().filter(|is| *is).count(), 37);
}

#[tokio::test]
async fn calls_of_one_organization_do_not_write_its_quota_one_by_one() {
    let fixture = Fixture::new(&Adapter::redis(), 100_000).await;
    let calls = (0..200).map(|n| {
        let (fixture, key) = (&fixture, format!("k{n}"));
        async move { fixture.call(&key).await.unwrap() }
    });
    join_all(calls).await;
    let path = "/quota/tokens";
    let commits = fixture.db.commits().into_iter();
    let writes = commits
        .flatten()
        .filter(|write| write.path.as_str().ends_with(path));
    let writes = writes.count();
    assert!(writes <= 8, "{writes} writes in one instant");
    fixture.sweep().await;
    assert_eq!(fixture.quota().await.used, 200 * USED.total());
}

#[tokio::test]
async fn what_is_not_counted_is_due_for_the_sweeper() {
    let fixture = Fixture::new(&Adapter::redis(), 10).await;
    fixture.reserve("k").await.unwrap();
    let due = |at| async move {
        let due = fixture.store.list_due_token_quotas(&CALLER, at, 10);
        due.await.unwrap()
    };
    let later = time(NOW).plus_seconds(60);
    assert_eq!(due(later).await.len(), 1);
}

/// A server that was demoted comes back with what another one knew, as the same process. Here it
/// is its own memory of earlier that stands for the other's.
#[tokio::test]
async fn a_redis_that_is_promoted_again_with_less_than_it_knew_does_not_open_the_cap() {
    let fixture = Fixture::new(&Adapter::redis(), 8).await;
    let mut held = vec![fixture.reserve("before").await.unwrap()];
    let client = redis::Client::open(fixture.adapter.server(|server| {
        let url = server.url();
        url.expose_secret().to_owned()
    }));
    let mut server = client.unwrap().get_connection().unwrap();
    let lease: Vec<String> = server.keys("admission:*").unwrap();
    let memory: Vec<u8> = redis::cmd("DUMP")
        .arg(&lease[0])
        .query(&mut server)
        .unwrap();
    for n in 0..4 {
        held.extend(fixture.reserve(&format!("forgotten{n}")).await);
    }
    let restore = redis::cmd("RESTORE")
        .arg(&lease[0])
        .arg(0)
        .arg(memory)
        .arg("REPLACE")
        .exec(&mut server);
    restore.unwrap();
    for master in [["127.0.0.1", "1"], ["NO", "ONE"]] {
        redis::cmd("REPLICAOF")
            .arg(&master)
            .exec(&mut server)
            .unwrap();
    }
    for n in 0..16 {
        held.extend(fixture.reserve(&format!("after{n}")).await);
    }
    for admission in &held {
        fixture.settle_most(admission).await;
    }
    fixture.assert_within(8 * MOST).await;
    fixture.assert_no_drift().await;
}

/// Each commit reads a part of the ledger, and keeps how far it has come.
#[tokio::test]
async fn a_lost_lease_of_many_calls_is_replaced_in_bounded_steps() {
    const CALLS: i64 = 900;
    let fixture = Fixture::new(&Adapter::redis(), CALLS + 1).await;
    let held = fixture.reserve("k").await.unwrap();
    fixture.adapter.server(|server| server.kill().unwrap());
    let hold = held.entry().hold.clone();
    let settled = |n: i64| UsageEntry {
        state: UsageState::Settled,
        meter: Some(Metering::Pending),
        hold: hold.clone(),
        ..fixture.entry(&format!("k{n:04}"))
    };
    let writes: Vec<_> = (0..CALLS)
        .map(|n| usage_ledger::create(&settled(n)).unwrap())
        .collect();
    for writes in writes.chunks(300) {
        fixture.store.commit(writes.to_vec()).await.unwrap();
    }
    fixture.clock.advance(LEASE);
    fixture.db.fail_commit_after(1, false);
    fixture.admissions.sweep(&fixture.org_id).await.unwrap_err();
    let quota = fixture.quota().await;
    let lease = quota.leases.values().next().unwrap();
    let summed = lease.summed.clone().unwrap();
    assert_eq!(
        (summed.requests, quota.used),
        (400, 0),
        "it is counted at the end"
    );
    fixture.assert_no_drift().await;
    assert_eq!(fixture.quota().await.used, CALLS * MOST);
}
