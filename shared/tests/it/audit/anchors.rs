use std::sync::Arc;

use serde_json::json;
use shared::{
    audit::{Anchors, Entry, Problem},
    ids::OrgId,
    models::AuditAction,
    storage::Directory,
};
use tempfile::TempDir;

use super::Chain;
use crate::support::{CALLER, time};

fn anchors() -> (TempDir, Anchors) {
    let directory = tempfile::tempdir().unwrap();
    let bucket = Arc::new(Directory::new(directory.path()));
    (directory, Anchors::new(bucket))
}

#[tokio::test]
async fn a_day_has_one_anchor_of_each_chain() {
    let (directory, anchors) = anchors();
    let chain = Chain::of_five().await;
    let other = OrgId::parse("o2").unwrap();
    chain
        .append_entry(|| Entry::new(&other, "u2", AuditAction::AgentDeploy, json!({})))
        .await;
    let noon = time("2026-11-23T12:00:00Z");
    let kept = anchors.keep(&chain.trail, &CALLER, noon).await.unwrap();
    assert_eq!(kept, Some(2));
    let object = directory.path().join("audit-heads/2026-11-23.jsonl");
    let text = std::fs::read_to_string(object).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");

    chain.append(AuditAction::AgentDeploy, 6).await;
    let evening = time("2026-11-23T23:59:59Z");
    let repeated = anchors.keep(&chain.trail, &CALLER, evening).await.unwrap();
    assert_eq!(repeated, None, "an anchor is never replaced");
    let (day, newest) = anchors.newest(evening).await.unwrap().unwrap();
    assert_eq!(day.to_string(), "2026-11-23");
    assert_eq!(
        newest.iter().map(|anchor| anchor.seq).collect::<Vec<_>>(),
        [5, 1]
    );
}

#[tokio::test]
async fn the_newest_anchor_of_the_last_weeks_is_found() {
    let (_directory, anchors) = anchors();
    let chain = Chain::of_five().await;
    let kept_at = time("2026-11-23T12:00:00Z");
    anchors.keep(&chain.trail, &CALLER, kept_at).await.unwrap();
    for (now, is_found) in [
        ("2026-11-22T12:00:00Z", false),
        ("2026-11-24T00:00:00Z", true),
        ("2026-12-28T12:00:00Z", true),
        ("2026-12-29T12:00:00Z", false),
    ] {
        let newest = anchors.newest(time(now)).await.unwrap();
        assert_eq!(newest.is_some(), is_found, "{now}");
    }
}

#[tokio::test]
async fn a_chain_that_was_cut_after_its_anchor_was_kept_is_noticed() {
    let (_directory, anchors) = anchors();
    let chain = Chain::of_five().await;
    let now = time("2026-11-23T12:00:00Z");
    anchors.keep(&chain.trail, &CALLER, now).await.unwrap();
    let records = chain.records();
    let mut head = chain.head();
    (head.seq, head.mac) = (4, records[3].mac.clone());
    chain.put_head(&head).await;
    chain.remove(&records[4]).await;
    let (_, newest) = anchors.newest(now).await.unwrap().unwrap();
    let problems = chain.report(newest.first()).await.problems;
    assert_eq!(problems, [Problem::CutBeforeAnchor { seq: 5 }]);
}
