//! Each of these is done by somebody who can write to the database but has no key.

use serde_json::json;
use shared::{
    audit::{Anchor, Problem},
    ids::{OrgId, RecordId, Uid},
    models::{AuditAction, AuditLog},
    store::{
        DocumentPath,
        document_db::{Operation, ValueType, value},
        encode,
    },
};

use super::{Chain, now};
use crate::support::CALLER;

/// Changes one field of the third record, and expects it to be told.
async fn assert_noticed(what: &str, change: impl Fn(&mut AuditLog)) {
    let chain = Chain::of_five().await;
    let mut record = chain.records()[2].clone();
    change(&mut record);
    chain.put(&record).await;
    assert!(!chain.verify().await.is_empty(), "{what}");
}

#[tokio::test]
async fn every_edited_field_is_noticed() {
    let epoch = jiff::Timestamp::UNIX_EPOCH;
    assert_noticed("actor", |record| record.actor_id = "u2".to_owned()).await;
    assert_noticed("actor pseudonym", |record| {
        record.actor_pseudonym = "00".repeat(32);
    })
    .await;
    assert_noticed("subject", |record| {
        record.subject_id = Some("u2".to_owned())
    })
    .await;
    assert_noticed("subject pseudonym", |record| {
        record.subject_pseudonym = Some("00".repeat(32));
    })
    .await;
    assert_noticed("action", |record| record.action = AuditAction::AgentUpdate).await;
    assert_noticed("metadata", |record| {
        record.metadata = json!({ "agent": 9 }).into()
    })
    .await;
    assert_noticed("timestamp", |record| record.timestamp = epoch.into()).await;
    assert_noticed("key version", |record| record.key_version = "2".to_owned()).await;
    assert_noticed("previous tag", |record| record.prev_mac = "00".repeat(32)).await;
    assert_noticed("tag", |record| record.mac = "00".repeat(32)).await;
    assert_noticed("place", |record| record.seq = 9).await;
    assert_noticed("organization", |record| {
        record.org_id = OrgId::derive(&["x"])
    })
    .await;
}

#[tokio::test]
async fn an_edit_is_told_with_its_place() {
    let chain = Chain::of_five().await;
    let mut record = chain.records()[2].clone();
    record.metadata = json!({ "agent": 9 }).into();
    chain.put(&record).await;
    let (id, seq) = (record.id, 3);
    assert_eq!(chain.verify().await, [Problem::Altered { id, seq }]);
}

#[tokio::test]
async fn an_edit_that_looks_like_an_erasure_is_noticed() {
    let chain = Chain::of_five().await;
    let mut record = chain.records()[2].clone();
    record.actor_id = format!("erased:{}", record.actor_pseudonym);
    chain.put(&record).await;
    let (id, seq) = (record.id, 3);
    assert_eq!(chain.verify().await, [Problem::Renamed { id, seq }]);
}

#[tokio::test]
async fn an_insertion_is_noticed_wherever_it_is() {
    for seq in [1, 3, 6] {
        let chain = Chain::of_five().await;
        let mut record = chain.records()[2].clone();
        record.id = RecordId::generate();
        record.seq = seq;
        chain.put(&record).await;
        let id = record.id;
        let problems = chain.verify().await;
        assert!(
            problems.contains(&Problem::Inserted { id, seq }),
            "{problems:?}"
        );
    }
}

#[tokio::test]
async fn a_copy_of_a_genuine_record_is_noticed_wherever_it_sorts() {
    for id in ["0", "zzz"] {
        let chain = Chain::of_five().await;
        let record = chain.records()[2].clone();
        let path = DocumentPath::new("audit_logs", id);
        let fields = encode(&path, &record).unwrap();
        chain.write(path, Operation::Replace(fields)).await;
        let copied = Problem::Copied {
            document_id: id.to_owned(),
            seq: 3,
        };
        assert_eq!(chain.verify().await, [copied]);
        chain
            .trail
            .erase(&CALLER, &Uid::parse("u1").unwrap(), now())
            .await
            .unwrap();
        assert_eq!(
            chain.records()[2].actor_id.split(':').next(),
            Some("erased")
        );
    }
}

#[tokio::test]
async fn a_record_of_another_time_of_the_chain_is_noticed() {
    let chain = Chain::of_five().await;
    let (records, end) = (chain.records(), chain.head());
    let mut cut = end.clone();
    (cut.seq, cut.mac) = (4, records[3].mac.clone());
    chain.put_head(&cut).await;
    chain.remove(&records[4]).await;
    chain.append(AuditAction::AgentDelete, 9).await;
    assert_eq!(chain.verify().await, []);
    chain.put(&records[4]).await;
    let problems = chain.verify().await;
    assert!(
        matches!(problems[..], [Problem::Inserted { seq: 5, .. }]),
        "{problems:?}"
    );
}

#[tokio::test]
async fn a_record_without_a_place_is_noticed() {
    for seq in [None, Some("5"), Some("x")] {
        let chain = Chain::of_five().await;
        let mut record = chain.records()[2].clone();
        record.id = RecordId::generate();
        let path = DocumentPath::new("audit_logs", record.id.as_str());
        let mut fields = encode(&path, &record).unwrap();
        match seq {
            Some(text) => fields.insert(
                "seq".to_owned(),
                value(ValueType::StringValue(text.to_owned())),
            ),
            None => fields.remove("seq"),
        };
        chain.write(path.clone(), Operation::Replace(fields)).await;
        let path = path.to_string();
        assert_eq!(chain.verify().await, [Problem::Unreadable { path }]);
    }
}

#[tokio::test]
async fn a_deletion_is_noticed_wherever_it_is() {
    for index in [0, 2] {
        let chain = Chain::of_five().await;
        chain.remove(&chain.records()[index]).await;
        let place = index as i64 + 1;
        let missing = Problem::Missing {
            from: place,
            to: place,
        };
        assert_eq!(chain.verify().await, [missing]);
    }
}

#[tokio::test]
async fn a_deletion_that_renumbers_the_rest_is_noticed() {
    let chain = Chain::of_five().await;
    let records = chain.records();
    chain.remove(&records[2]).await;
    for record in &records[3..] {
        let mut moved = record.clone();
        moved.seq -= 1;
        chain.put(&moved).await;
    }
    assert!(!chain.verify().await.is_empty());
}

#[tokio::test]
async fn two_records_that_changed_places_are_told_with_their_places() {
    let chain = Chain::of_five().await;
    let records = chain.records();
    let (mut second, mut fourth) = (records[1].clone(), records[3].clone());
    (second.seq, fourth.seq) = (fourth.seq, second.seq);
    chain.put(&second).await;
    chain.put(&fourth).await;
    let moved = |id, seq, belongs_at| Problem::Moved {
        id,
        seq,
        belongs_at,
    };
    let expected = [moved(fourth.id, 2, 4), moved(second.id, 4, 2)];
    assert_eq!(chain.verify().await, expected);
}

#[tokio::test]
async fn a_cut_tail_is_noticed() {
    let chain = Chain::of_five().await;
    for record in &chain.records()[3..] {
        chain.remove(record).await;
    }
    let missing = Problem::Missing { from: 4, to: 5 };
    assert_eq!(chain.verify().await, [missing]);
}

#[tokio::test]
async fn a_tail_that_is_cut_together_with_the_end_is_noticed_by_the_anchor() {
    let chain = Chain::of_five().await;
    let end = chain.head();
    let anchor = Anchor::from(end.clone());
    let records = chain.records();
    let mut cut = end;
    (cut.seq, cut.mac) = (3, records[2].mac.clone());
    chain.put_head(&cut).await;
    for record in &records[3..] {
        chain.remove(record).await;
    }
    assert_eq!(chain.verify().await, [], "the database alone cannot tell");
    let noticed = chain.report(std::slice::from_ref(&anchor)).await.problems;
    assert_eq!(noticed, [Problem::CutBeforeAnchor { seq: 5 }]);

    for agent in 6..9 {
        chain.append(AuditAction::AgentDeploy, agent).await;
    }
    let noticed = chain.report(std::slice::from_ref(&anchor)).await.problems;
    assert_eq!(noticed, [Problem::CutBeforeAnchor { seq: 5 }], "grown anew");
}

#[tokio::test]
async fn an_anchor_that_the_chain_has_grown_past_is_met() {
    let chain = Chain::of_five().await;
    let anchor = Anchor::from(chain.head());
    chain.append(AuditAction::AgentDeploy, 6).await;
    assert_eq!(
        chain.report(std::slice::from_ref(&anchor)).await.problems,
        []
    );
}

#[tokio::test]
async fn an_end_that_is_set_back_is_noticed() {
    let chain = Chain::of_five().await;
    let mut head = chain.head();
    (head.seq, head.mac) = (3, chain.records()[2].mac.clone());
    chain.put_head(&head).await;
    let end = Problem::WrongEnd {
        expected: 3,
        found: 5,
    };
    assert_eq!(chain.verify().await, [end]);
}

#[tokio::test]
async fn an_end_that_cannot_be_is_noticed() {
    for seq in [i64::MAX, i64::MIN, -1] {
        let chain = Chain::of_five().await;
        let mut head = chain.head();
        head.seq = seq;
        chain.put_head(&head).await;
        assert_ne!(chain.verify().await, [], "{seq}");
    }
}

#[tokio::test]
async fn a_chain_that_is_gone_is_noticed_by_the_anchor() {
    let chain = Chain::of_five().await;
    let anchor = Anchor::from(chain.head());
    let empty = Chain::empty();
    let noticed = empty.report(std::slice::from_ref(&anchor)).await.problems;
    assert_eq!(noticed, [Problem::CutBeforeAnchor { seq: 5 }]);
}

#[tokio::test]
async fn a_document_that_is_no_record_is_told_with_its_path() {
    let chain = Chain::of_five().await;
    let record = &chain.records()[2];
    let path = DocumentPath::new("audit_logs", record.id.as_str());
    let mut fields = encode(&path, record).unwrap();
    fields.remove("mac");
    let operation = Operation::Replace(fields);
    chain.write(path.clone(), operation).await;
    let path = path.to_string();
    let problems = chain.verify().await;
    assert!(
        problems.contains(&Problem::Unreadable { path }),
        "{problems:?}"
    );
}
