//! The end of an account reaches everything, and is over only when nothing can follow.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use serde_json::{Value, json};
use shared::{
    erasure::{self, Erasure},
    ids::{OrgId, Uid},
    models::{
        DeletedUser, ErasureState, Integration, IntegrationService, Invitation, Role, StartOptions,
        Timestamp, Trigger, TriggerSource, TriggerType, UsageEntry,
    },
    store::{
        self, Store, Write,
        document_db::{Document, DocumentDb, DocumentPath, Operation, Precondition, Query},
        encode, integrations, invitations, triggers,
    },
    testing::{self, AccountCall, MemoryDb, RecordingAccounts, trail},
};

use crate::support::{CALLER, time};

const NOW: &str = "2026-11-23T12:00:00Z";

fn uid() -> Uid {
    Uid::parse("u1").unwrap()
}

fn o1() -> OrgId {
    OrgId::parse("o1").unwrap()
}

fn after(seconds: i64) -> Timestamp {
    time(NOW).plus_seconds(seconds)
}

fn integration() -> Integration {
    testing::integration("i1", "u1", IntegrationService::Github)
}

fn invitation(id: &str, org_id: &str) -> Invitation {
    Invitation {
        id: id.parse().unwrap(),
        org_id: org_id.parse().unwrap(),
        token_hash: "00ff".to_owned(),
        email: "grace@example.com".to_owned(),
        role: Role::User,
        invited_by: uid(),
        expires_at: after(60),
        created_at: after(0),
    }
}

fn trigger(id: &str) -> Trigger {
    Trigger {
        id: id.parse().unwrap(),
        org_id: o1(),
        workflow_id: "w1".parse().unwrap(),
        kind: TriggerType::Manual,
        payload: json!({ "list": [[1]] }).into(),
        dedupe_key: id.to_owned(),
        source: TriggerSource {
            function: "api".to_owned(),
            uid: Some(uid()),
        },
        created_at: after(0),
        options: StartOptions::default(),
        traceparent: None,
    }
}

/// A user who was deleted at [`NOW`], whose erasure has not begun.
struct Fixture {
    db: Arc<MemoryDb>,
    store: Store,
    accounts: Arc<RecordingAccounts>,
    erasure: Erasure,
}

impl Fixture {
    async fn new() -> Self {
        let db = Arc::new(MemoryDb::new());
        let store = db.store();
        Self::on(db, store).await
    }

    /// The erasure works on `store`.
    async fn on(db: Arc<MemoryDb>, store: Store) -> Self {
        let accounts = Arc::new(RecordingAccounts::new());
        let erasure = Erasure::new(store.clone(), trail(&store), accounts.clone());
        let fixture = Self {
            store: db.store(),
            db,
            accounts,
            erasure,
        };
        let begin = erasure::begin(&uid(), after(0)).unwrap();
        fixture.keep(vec![begin]).await;
        fixture
    }

    async fn keep(&self, writes: Vec<Write>) {
        self.store.commit(writes).await.unwrap();
    }

    async fn finish(&self, seconds: i64) -> Result<ErasureState, erasure::Error> {
        self.erasure.finish(&CALLER, &uid(), after(seconds)).await
    }

    async fn sweep(&self, limit: u32, seconds: i64) -> usize {
        let swept = self.erasure.sweep(&CALLER, limit, after(seconds)).await;
        swept.unwrap()
    }

    async fn deleted(&self) -> DeletedUser {
        let found = self.store.find_deleted_user(&uid()).await.unwrap();
        found.unwrap().value
    }

    fn trigger(&self, id: &str) -> Trigger {
        let found = self.db.documents(&format!("triggers/{id}"));
        store::decode(&found[0]).unwrap()
    }
}

#[tokio::test]
async fn what_the_user_connected_sent_and_started_is_erased() {
    let fixture = Fixture::new().await;
    let mut writes = Vec::from(integrations::create(&integration()).unwrap());
    writes.push(invitations::create(&invitation("v1", "o1")).unwrap());
    writes.push(invitations::create(&invitation("v2", "o2")).unwrap());
    writes.push(triggers::create(&trigger("t1")).unwrap());
    fixture.keep(writes).await;
    fixture.finish(0).await.unwrap();
    for collection in ["integrations/", "integration_status/", "organizations/"] {
        assert_eq!(fixture.db.documents(collection), [], "{collection}");
    }
    let mut expected = trigger("t1");
    expected.source.uid = None;
    assert_eq!(fixture.trigger("t1"), expected);
}

#[tokio::test]
async fn usage_stays_and_who_caused_it_is_forgotten() {
    let fixture = Fixture::new().await;
    let entry = |number: i64, uid: &str| {
        let of = json!({ "id": format!("r{number}"), "uid": uid, "orgId": "o1", "model": "m",
            "inputTokens": number, "outputTokens": 0, "costMicroUsd": 0, "state": "settled",
            "meter": { "state": "pending" }, "period": "2026-11", "day": "2026-11-23" });
        let mut entry = raw(
            &DocumentPath::new("usage_ledger", &format!("r{number}")),
            &of,
        );
        if let Operation::Replace(fields) = &mut entry.operation {
            let path = DocumentPath::new("usage_ledger", "at");
            let created = std::collections::BTreeMap::from([("createdAt", after(0))]);
            fields.extend(encode(&path, &created).unwrap());
        }
        entry
    };
    let of_user = (0..450).map(|number| entry(number, "u1"));
    fixture.keep(of_user.collect()).await;
    fixture.keep(vec![entry(450, "u2")]).await;
    fixture.finish(0).await.unwrap();
    let entries = fixture.db.documents("usage_ledger/");
    let entries = entries
        .iter()
        .map(|entry| store::decode::<UsageEntry>(entry).unwrap());
    let entries: Vec<UsageEntry> = entries.collect();
    assert_eq!(entries.len(), 451);
    let known: Vec<_> = entries
        .iter()
        .filter_map(|entry| entry.uid.as_ref())
        .collect();
    assert_eq!(known, [&Uid::parse("u2").unwrap()]);
    let tokens: i64 = entries.iter().map(|entry| entry.amount().tokens).sum();
    assert_eq!(tokens, 450 * 451 / 2);
}

#[tokio::test]
async fn what_agents_remember_of_the_user_and_talked_about_with_it_is_erased() {
    let fixture = Fixture::new().await;
    let of = |uid: &str| json!({ "subjectUid": uid, "uid": uid, "orgId": "o1" });
    let at = |agent: &str, path: &str| DocumentPath::new(&format!("agents/{agent}/{path}"), "d1");
    let mut writes = Vec::new();
    for (agent, uid) in [("a1", "u1"), ("a2", "u1"), ("a3", "u2"), ("a4", "")] {
        writes.push(raw(&at(agent, "memories"), &of(uid)));
        let session = at(agent, "sessions");
        writes.push(raw(&session, &of(uid)));
        let messages = (0..50).map(|seq| session.child("messages", &format!("{seq:010}")));
        writes.extend(messages.map(|message| raw(&message, &json!({ "orgId": "o1" }))));
    }
    fixture.keep(writes).await;
    fixture.finish(0).await.unwrap();
    for (agent, left) in [("a1", 0), ("a2", 0), ("a3", 52), ("a4", 52)] {
        let documents = fixture.db.documents(&format!("agents/{agent}/"));
        assert_eq!(documents.len(), left, "{agent}");
    }
}

#[tokio::test]
async fn an_erasure_is_not_done_while_requests_may_be_under_way() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.finish(0).await.unwrap(), ErasureState::Pending);
    let pending = fixture.deleted().await;
    assert_eq!((pending.uid, pending.expires_at), (Some(uid()), None));
    assert_eq!(pending.state, ErasureState::Pending);
    let late = triggers::create(&trigger("t1")).unwrap();
    fixture.keep(vec![late]).await;
    assert_eq!(fixture.sweep(10, 119).await, 0);
    assert_eq!(fixture.trigger("t1").source.uid, Some(uid()));
    assert_eq!(fixture.sweep(10, 120).await, 1);
    assert_eq!(fixture.trigger("t1").source.uid, None);
    let expected = DeletedUser {
        uid: None,
        state: ErasureState::Done,
        deleted_at: after(0),
        due_at: None,
        expires_at: Some(after(120 + 31 * 24 * 3_600)),
    };
    assert_eq!(fixture.deleted().await, expected);
}

#[tokio::test]
async fn an_erasure_that_is_done_is_not_done_again() {
    let fixture = Fixture::new().await;
    fixture.sweep(10, 120).await;
    let before = fixture.db.commits().len();
    assert_eq!(fixture.finish(240).await.unwrap(), ErasureState::Done);
    assert_eq!(fixture.sweep(10, 240).await, 0);
    assert_eq!(fixture.db.commits().len(), before);
    assert_eq!(fixture.accounts.calls(), [AccountCall::Deleted(uid())]);
}

#[tokio::test]
async fn who_is_not_on_record_as_deleted_is_left_alone() {
    let fixture = Fixture::new().await;
    let somebody = Uid::parse("u2").unwrap();
    let finished = fixture.erasure.finish(&CALLER, &somebody, after(0)).await;
    assert_eq!(finished.unwrap(), ErasureState::Done);
    assert_eq!(fixture.accounts.calls(), []);
}

#[tokio::test]
async fn what_cannot_be_read_keeps_the_erasure_pending() {
    let owner = json!({ "ownerUid": "u1" });
    let inviter = json!({ "invitedBy": "u1" });
    let source = json!({ "source": { "uid": "u1" } });
    for (path, fields) in [
        (DocumentPath::new("integrations", "i1"), owner),
        (
            DocumentPath::new("organizations/o1/invitations", "v1"),
            inviter,
        ),
        (DocumentPath::new("triggers", "t1"), source),
    ] {
        let fixture = Fixture::new().await;
        fixture.keep(vec![raw(&path, &fields)]).await;
        assert!(fixture.finish(120).await.is_err(), "{path}");
        assert_eq!(fixture.sweep(10, 120).await, 0, "{path}");
        assert_eq!(fixture.deleted().await.state, ErasureState::Pending);
    }
}

#[tokio::test]
async fn what_is_not_where_it_says_keeps_the_erasure_pending() {
    let elsewhere = [
        (
            DocumentPath::new("integrations", "copy"),
            integrations::create(&integration()).unwrap()[0].clone(),
        ),
        (
            DocumentPath::new("organizations/o1/invitations", "copy"),
            invitations::create(&invitation("v1", "o1")).unwrap(),
        ),
        (
            DocumentPath::new("triggers", "copy"),
            triggers::create(&trigger("t1")).unwrap(),
        ),
    ];
    for (path, write) in elsewhere {
        let fixture = Fixture::new().await;
        let copy = Write {
            path: path.clone(),
            ..write
        };
        fixture.keep(vec![copy]).await;
        assert!(fixture.finish(120).await.is_err(), "{path}");
        assert_eq!(fixture.sweep(10, 120).await, 0, "{path}");
        assert_eq!(fixture.deleted().await.state, ErasureState::Pending);
    }
}

/// A document as no service writes it.
fn raw(path: &DocumentPath, fields: &Value) -> Write {
    Write {
        path: path.clone(),
        operation: Operation::Replace(encode(path, fields).unwrap()),
        precondition: Precondition::None,
    }
}

#[tokio::test]
async fn erasures_that_always_fail_do_not_hold_others_up() {
    let fixture = Fixture::new().await;
    let spoilt = DocumentPath::new("integrations", "i1");
    fixture
        .keep(vec![raw(&spoilt, &json!({ "ownerUid": "u1" }))])
        .await;
    let other = Uid::parse("u2").unwrap();
    fixture
        .keep(vec![erasure::begin(&other, after(1)).unwrap()])
        .await;
    let unreadable = DocumentPath::new("deleted_users", "x");
    let fields = json!({ "dueAt": after(1) });
    fixture.keep(vec![raw(&unreadable, &fields)]).await;
    assert_eq!(fixture.sweep(1, 121).await, 0);
    assert_eq!(fixture.sweep(2, 122).await, 1);
    assert_eq!(fixture.accounts.calls(), [AccountCall::Deleted(other)]);
    fixture
        .keep(vec![Write {
            path: spoilt,
            operation: Operation::Delete,
            precondition: Precondition::None,
        }])
        .await;
    assert_eq!(fixture.sweep(1, 720).await, 0, "it was put off");
    assert_eq!(fixture.sweep(2, 721).await, 1);
}

/// A database in which trigger `t1` is deleted right after the triggers were listed.
struct DeletedMeanwhile {
    inner: Arc<MemoryDb>,
    looks: AtomicUsize,
}

#[async_trait]
impl DocumentDb for DeletedMeanwhile {
    async fn get(&self, path: &DocumentPath) -> Result<Option<Document>, store::Error> {
        self.inner.get(path).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Document>, store::Error> {
        let found = self.inner.query(query).await;
        if query.collection == "triggers" && self.looks.fetch_add(1, Ordering::SeqCst) == 0 {
            let delete = triggers::delete(&"t1".parse().unwrap());
            self.inner.commit(vec![delete]).await?;
        }
        found
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Timestamp, store::Error> {
        self.inner.commit(writes).await
    }
}

#[tokio::test]
async fn a_trigger_that_is_deleted_meanwhile_does_not_stop_the_erasure() {
    let db = Arc::new(MemoryDb::new());
    let meanwhile = DeletedMeanwhile {
        inner: db.clone(),
        looks: AtomicUsize::new(0),
    };
    let fixture = Fixture::on(db, Store::new(Arc::new(meanwhile))).await;
    let writes = ["t1", "t2"].map(|id| triggers::create(&trigger(id)).unwrap());
    fixture.keep(writes.into()).await;
    fixture.finish(0).await.unwrap();
    assert_eq!(fixture.db.count("triggers"), 1);
    assert_eq!(fixture.trigger("t2").source.uid, None);
}

#[tokio::test]
async fn what_is_written_to_a_trigger_meanwhile_stays() {
    let fixture = Fixture::new().await;
    let mut stored = trigger("t1");
    let stale = triggers::forget_user(&stored).unwrap();
    stored.dedupe_key = "later".to_owned();
    fixture.keep(vec![triggers::create(&stored).unwrap()]).await;
    fixture.keep(vec![stale]).await;
    stored.source.uid = None;
    assert_eq!(fixture.trigger("t1"), stored);
}
