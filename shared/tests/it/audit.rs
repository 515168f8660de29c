//! The audit trail: a chain that tells whoever has touched it.

mod anchors;
mod manipulations;
mod parallel;

use std::sync::Arc;

use serde_json::json;
use shared::{
    audit::{Anchor, Entry, Problem, Report, Trail},
    ids::{OrgId, Uid},
    models::{AuditAction, AuditHead, AuditLog, Timestamp},
    store::{
        DocumentPath, Store, Write, decode,
        document_db::{Operation, Precondition},
        encode,
    },
    testing::{MemoryDb, memory_store, trail},
};

use crate::support::{CALLER, time};

/// A chain of an organization, and the means to touch it behind the trail's back.
struct Chain {
    db: Arc<MemoryDb>,
    store: Store,
    trail: Trail,
    org_id: OrgId,
}

impl Chain {
    /// A chain with five records, each about another agent.
    async fn of_five() -> Self {
        let chain = Self::empty();
        for agent in 1..=5 {
            chain.append(AuditAction::AgentDeploy, agent).await;
        }
        chain
    }

    fn empty() -> Self {
        let (store, db) = memory_store();
        Self {
            trail: trail(&store),
            org_id: OrgId::parse("o1").unwrap(),
            store,
            db,
        }
    }

    async fn append(&self, action: AuditAction, agent: i64) {
        let metadata = json!({ "agent": agent, "b": [1] });
        let entry = Entry::new(&self.org_id, "u1", action, metadata);
        self.append_entry(entry).await;
    }

    async fn append_entry(&self, entry: Entry) {
        self.trail.record(entry, now()).await.unwrap();
    }

    /// The records in the order of the chain.
    fn records(&self) -> Vec<AuditLog> {
        let documents = self.db.documents("audit_logs/");
        let mut records: Vec<AuditLog> = documents.iter().map(|one| decode(one).unwrap()).collect();
        records.sort_by_key(|record| record.seq);
        records
    }

    fn head(&self) -> AuditHead {
        decode(&self.db.documents("audit_heads/")[0]).unwrap()
    }

    /// Writes a record as it is, wherever it is.
    async fn put(&self, record: &AuditLog) {
        let path = DocumentPath::new("audit_logs", record.id.as_str());
        let fields = encode(&path, record).unwrap();
        self.write(path, Operation::Replace(fields)).await;
    }

    async fn put_head(&self, head: &AuditHead) {
        let path = DocumentPath::new("audit_heads", self.org_id.as_str());
        let fields = encode(&path, head).unwrap();
        self.write(path, Operation::Replace(fields)).await;
    }

    async fn remove(&self, record: &AuditLog) {
        let path = DocumentPath::new("audit_logs", record.id.as_str());
        self.write(path, Operation::Delete).await;
    }

    async fn write(&self, path: DocumentPath, operation: Operation) {
        let write = Write {
            path,
            operation,
            precondition: Precondition::None,
        };
        self.store.commit(vec![write]).await.unwrap();
    }

    async fn verify(&self) -> Vec<Problem> {
        self.report(&[]).await.problems
    }

    async fn report(&self, anchors: &[Anchor]) -> Report {
        let verified = self.trail.verify(&CALLER, &self.org_id, anchors, |_| ());
        verified.await.unwrap()
    }
}

fn now() -> Timestamp {
    time("2026-11-23T12:00:00Z")
}

#[tokio::test]
async fn a_chain_that_nobody_touched_is_whole() {
    let chain = Chain::of_five().await;
    let report = chain.report(&[]).await;
    assert_eq!((report.records, report.problems), (5, Vec::new()));
    let seqs: Vec<i64> = chain.records().iter().map(|record| record.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    assert_eq!(chain.head().seq, 5);
}

#[tokio::test]
async fn a_chain_without_records_is_whole() {
    let chain = Chain::empty();
    let report = chain.report(&[]).await;
    assert_eq!((report.records, report.problems), (0, Vec::new()));
}

#[tokio::test]
async fn chains_longer_than_a_page_are_walked_to_their_end() {
    let chain = Chain::empty();
    for agent in 0..650 {
        chain.append(AuditAction::AgentUpdate, agent).await;
    }
    let report = chain.report(&[]).await;
    assert_eq!((report.records, report.problems), (650, Vec::new()));
}

#[tokio::test]
async fn another_key_does_not_verify_the_chain() {
    let chain = Chain::of_five().await;
    let other = Arc::new(shared::crypto::LocalMac::new("other".into()));
    let trail = Trail::new(chain.store.clone(), other);
    let report = trail.verify(&CALLER, &chain.org_id, &[], |_| ()).await;
    assert!(report.unwrap().problems.len() >= 5);
}

#[tokio::test]
async fn organizations_have_chains_of_their_own() {
    let chain = Chain::of_five().await;
    let other = OrgId::parse("o2").unwrap();
    let entry = Entry::new(&other, "u2", AuditAction::AgentDeploy, json!({}));
    chain.append_entry(entry).await;
    let report = chain.trail.verify(&CALLER, &other, &[], |_| ()).await;
    assert_eq!(report.unwrap().records, 1);
    assert_eq!(chain.verify().await, []);
}

#[tokio::test]
async fn an_effect_whose_record_is_too_long_does_not_happen() {
    let chain = Chain::empty();
    // `"…"` adds two bytes to the text.
    for (length, accepted) in [(4_094, true), (4_095, false)] {
        let metadata = json!("x".repeat(length));
        let entry = Entry::new(&chain.org_id, "u1", AuditAction::AgentDeploy, metadata);
        let writes = chain.trail.append(entry, now()).await;
        assert_eq!(writes.is_ok(), accepted, "{length}");
    }
}

#[tokio::test]
async fn an_erased_user_leaves_the_chain_whole_and_no_trace_of_the_id() {
    let chain = Chain::of_five().await;
    let erased = Uid::parse("u1").unwrap();
    let action = AuditAction::MemberUpdate;
    let about = Entry::new(&chain.org_id, "u2", action, json!({})).about(&erased);
    chain.append_entry(about).await;
    chain.trail.erase(&CALLER, &erased, now()).await.unwrap();
    assert_eq!(chain.verify().await, []);
    for document in chain.db.documents("audit_logs/") {
        assert!(!format!("{:?}", document.fields).contains("\"u1\""));
    }
    let records = chain.records();
    assert_eq!(records.len(), 7);
    assert_eq!(records[6].action, AuditAction::AccountErase);
    assert_eq!(records[5].actor_id, "u2");

    chain.trail.erase(&CALLER, &erased, now()).await.unwrap();
    assert_eq!(chain.records().len(), 7, "a repeat finds nothing to do");
}

#[tokio::test]
async fn in_a_closed_organization_nothing_is_done_but_forgetting() {
    let chain = Chain::of_five().await;
    let closing = Entry::new(&chain.org_id, "u1", AuditAction::MemberLeave, json!({})).closing();
    chain.append_entry(closing).await;
    let late = Entry::new(&chain.org_id, "u1", AuditAction::AgentCreate, json!({}));
    let refused = chain.trail.append(late, now()).await;
    assert!(matches!(refused, Err(shared::audit::Error::Closed)));
    let uid = Uid::parse("u1").unwrap();
    chain.trail.erase(&CALLER, &uid, now()).await.unwrap();
    assert_eq!(chain.verify().await, []);
    assert!(chain.head().closed, "it stays closed");
}
