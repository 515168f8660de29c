use std::collections::HashSet;

use futures::future::join_all;
use shared::models::AuditAction;

use super::Chain;

#[tokio::test]
async fn a_hundred_parallel_entries_make_one_unbroken_chain() {
    let chain = Chain::empty();
    let entries = (0..100).map(|agent| chain.append(AuditAction::AgentUpdate, agent));
    join_all(entries).await;
    let report = chain.report(&[]).await;
    assert_eq!((report.records, report.problems), (100, Vec::new()));
    let agents: HashSet<i64> = chain
        .records()
        .iter()
        .filter_map(|record| record.metadata.0["agent"].as_i64())
        .collect();
    assert_eq!(agents.len(), 100, "each action has its record");
}

#[tokio::test]
async fn a_chain_that_grows_while_it_is_walked_is_whole() {
    let chain = Chain::of_five().await;
    let grow = join_all((0..50).map(|agent| chain.append(AuditAction::AgentUpdate, agent)));
    let walk = join_all((0..10).map(|_| chain.verify()));
    let (_, walks) = tokio::join!(grow, walk);
    assert!(walks.iter().all(Vec::is_empty), "{walks:?}");
}
