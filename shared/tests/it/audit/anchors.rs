use std::sync::Arc;

use serde_json::json;
use shared::{
    audit::{Anchors, Entry, Problem},
    ids::OrgId,
    models::AuditAction,
    storage::Directory,
    store::{
        DocumentPath,
        document_db::{Fields, Operation},
    },
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
        .append_entry(Entry::new(
            &other,
            "u2",
            AuditAction::AgentDeploy,
            json!({}),
        ))
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
    let kept = anchors.load(evening).await.unwrap();
    assert_eq!(kept.newest.unwrap().to_string(), "2026-11-23");
    let seqs = kept.by_organization.values().map(|anchors| anchors[0].seq);
    assert_eq!(seqs.collect::<Vec<_>>(), [5, 1]);
}

#[tokio::test]
async fn an_end_that_names_another_organization_is_kept_for_its_own() {
    let (_directory, anchors) = anchors();
    let chain = Chain::of_five().await;
    let mut head = chain.head();
    head.org_id = OrgId::parse("o2").unwrap();
    chain.put_head(&head).await;
    let noon = time("2026-11-23T12:00:00Z");
    anchors.keep(&chain.trail, &CALLER, noon).await.unwrap();
    let kept = anchors.load(noon).await.unwrap().by_organization;
    assert_eq!(kept.keys().collect::<Vec<_>>(), [&chain.org_id]);
}

#[tokio::test]
async fn anchors_are_read_for_five_weeks_and_are_recent_for_two_days() {
    let (_directory, anchors) = anchors();
    let chain = Chain::of_five().await;
    let kept_at = time("2026-11-23T12:00:00Z");
    anchors.keep(&chain.trail, &CALLER, kept_at).await.unwrap();
    for (now, is_found, is_recent) in [
        ("2026-11-22T12:00:00Z", false, false),
        ("2026-11-23T12:00:00Z", true, true),
        ("2026-11-24T23:59:59Z", true, true),
        ("2026-11-25T00:00:00Z", true, false),
        ("2026-12-28T12:00:00Z", true, false),
        ("2026-12-29T12:00:00Z", false, false),
    ] {
        let kept = anchors.load(time(now)).await.unwrap();
        assert_eq!(!kept.by_organization.is_empty(), is_found, "{now}");
        assert_eq!(kept.is_recent(time(now)), is_recent, "{now}");
    }
}

/// Cuts the last record and sets the end back, so that the database alone cannot tell.
async fn cut_one(chain: &Chain) {
    let records = chain.records();
    let (last, before) = (&records[records.len() - 1], &records[records.len() - 2]);
    let mut head = chain.head();
    (head.seq, head.mac) = (before.seq, before.mac.clone());
    chain.put_head(&head).await;
    chain.remove(last).await;
    assert_eq!(chain.verify().await, []);
}

#[tokio::test]
async fn a_cut_is_noticed_by_every_anchor_before_it() {
    let (_directory, anchors) = anchors();
    let chain = Chain::of_five().await;
    let days = ["2026-11-22", "2026-11-23", "2026-11-24"];
    let noon = days.map(|day| time(&format!("{day}T12:00:00Z")));
    anchors.keep(&chain.trail, &CALLER, noon[0]).await.unwrap();
    cut_one(&chain).await;
    // The chain grows anew, and the next days' anchors are those of what it has become.
    chain.append(AuditAction::AgentDelete, 9).await;
    for noon in &noon[1..] {
        anchors.keep(&chain.trail, &CALLER, *noon).await.unwrap();
    }
    let kept = anchors.load(noon[2]).await.unwrap();
    let of_chain = &kept.by_organization[&chain.org_id];
    assert_eq!(of_chain.len(), 3);
    let problems = chain.report(of_chain).await.problems;
    assert_eq!(problems, [Problem::CutBeforeAnchor { seq: 5 }]);
}

#[tokio::test]
async fn an_end_that_cannot_be_read_is_not_passed_over() {
    let (_directory, anchors) = anchors();
    let chain = Chain::of_five().await;
    let path = DocumentPath::new("audit_heads", "o1");
    chain
        .write(path, Operation::Replace(Fields::default()))
        .await;
    let kept = anchors.keep(&chain.trail, &CALLER, time("2026-11-23T12:00:00Z"));
    kept.await.unwrap_err();
}
