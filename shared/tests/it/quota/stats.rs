use futures::future::join_all;
use shared::{
    ids::OrgId,
    models::{Limits, Stats, Timestamp},
    store::{
        self, Store, commit_contended,
        organizations::{StatsChange, add_to_stats},
    },
    testing::memory_store,
};

use crate::support::{create_organization, month, time};

async fn count(store: &Store, org_id: &OrgId, change: StatsChange, at: Timestamp) {
    let build = || async {
        let current = store.find_current_stats(org_id).await?;
        Ok::<_, store::Error>((add_to_stats(org_id, current.as_ref(), change, at)?, ()))
    };
    commit_contended(store, build).await.unwrap();
}

async fn current(store: &Store, org_id: &OrgId) -> Stats {
    store
        .find_current_stats(org_id)
        .await
        .unwrap()
        .unwrap()
        .value
}

const ONE_CALL: StatsChange = StatsChange {
    tokens: 10,
    cost_micro_usd: 3,
    requests: 1,
    executions: 0,
    agents: 0,
    percent_of_limit: None,
};

#[tokio::test]
async fn parallel_counts_all_count() {
    let (store, db) = memory_store();
    let org_id = create_organization(&store, Limits::default()).await;
    let at = time("2026-11-23T12:00:00Z");
    join_all((0..50).map(|_| count(&store, &org_id, ONE_CALL, at))).await;
    let (current, month) = (
        current(&store, &org_id).await,
        month(&db, &org_id, "2026-11").unwrap(),
    );
    assert_eq!((current.tokens, current.requests), (500, 50));
    assert_eq!((month.tokens, month.cost_micro_usd), (500, 150));
}

#[tokio::test]
async fn the_current_month_begins_at_zero_and_keeps_the_agents() {
    let (store, db) = memory_store();
    let org_id = create_organization(&store, Limits::default()).await;
    let agent = StatsChange {
        agents: 2,
        ..ONE_CALL
    };
    count(&store, &org_id, agent, time("2026-11-30T23:59:59.9Z")).await;
    let at = time("2026-12-01T00:00:00Z");
    join_all((0..20).map(|_| count(&store, &org_id, ONE_CALL, at))).await;
    let now = current(&store, &org_id).await;
    assert_eq!(
        (now.period.as_str(), now.tokens, now.agents),
        ("2026-12", 200, 2)
    );
    let (old, new) = (
        month(&db, &org_id, "2026-11").unwrap(),
        month(&db, &org_id, "2026-12").unwrap(),
    );
    assert_eq!((old.tokens, old.agents), (10, 2));
    assert_eq!((new.tokens, new.agents), (200, 2));
}

#[tokio::test]
async fn what_comes_late_counts_in_its_own_month_only() {
    let (store, db) = memory_store();
    let org_id = create_organization(&store, Limits::default()).await;
    count(&store, &org_id, ONE_CALL, time("2026-12-01T00:00:00Z")).await;
    count(&store, &org_id, ONE_CALL, time("2026-11-30T23:59:59Z")).await;
    assert_eq!(current(&store, &org_id).await.tokens, 10);
    assert_eq!(month(&db, &org_id, "2026-11").unwrap().tokens, 10);
}
