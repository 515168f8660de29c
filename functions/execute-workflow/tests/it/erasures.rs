//! Deletions of accounts are finished by the minute's tick.

use std::sync::Arc;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use shared::{
    audit::Entry,
    erasure,
    ids::{OrgId, Uid},
    models::{AuditAction, AuditLog, DeletedUser, ErasureState, Timestamp},
    store::{
        decode,
        document_db::{Document, DocumentDb, DocumentPath, Error, Query, Write},
    },
    testing::{AccountCall, MemoryDb, ScriptedLlm, trail},
};
use tower::ServiceExt;

use crate::app::{App, NOW};

fn uid() -> Uid {
    Uid::parse("u1").unwrap()
}

/// An application in which a deletion went no further than its first commit, two minutes ago.
async fn cut_off() -> App {
    let app = App::new(Arc::new(ScriptedLlm::answering(""))).await;
    delete_half(&app).await;
    app
}

async fn delete_half(app: &App) {
    let now = NOW.parse::<jiff::Timestamp>().unwrap().into();
    let org_id = OrgId::parse("o1").unwrap();
    let entry = Entry::new(&org_id, "u1", AuditAction::AgentDeploy, json!({}));
    let mut writes = trail(&app.store).append(entry, now).await.unwrap();
    writes.push(erasure::begin(&uid(), now).unwrap());
    app.store.commit(writes).await.unwrap();
    app.advance(120);
}

/// A tick of a job, and what it answers.
async fn call(app: &App, path: &str) -> (StatusCode, Value) {
    let request = Request::post(path).body(Body::empty()).unwrap();
    let answer = app.router.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn tick(app: &App) -> usize {
    let (status, body) = call(app, "/sweep").await;
    assert_eq!((status, &body["resumed"]), (StatusCode::OK, &json!(0)));
    serde_json::from_value(body["erased"].clone()).unwrap()
}

async fn marker(app: &App) -> DeletedUser {
    let found = app.store.find_deleted_user(&uid()).await.unwrap();
    found.unwrap().value
}

fn actors(app: &App) -> Vec<String> {
    let records = app.db.documents("audit_logs/");
    let record = |document| -> AuditLog { decode(document).unwrap() };
    records
        .iter()
        .map(|document| record(document).actor_id)
        .collect()
}

#[tokio::test]
async fn a_deletion_that_was_cut_off_is_finished_once() {
    let app = cut_off().await;
    assert_eq!(tick(&app).await, 1);
    assert_eq!(app.accounts.calls(), [AccountCall::Deleted(uid())]);
    let marker = marker(&app).await;
    assert_eq!((marker.state, marker.uid), (ErasureState::Done, None));
    let actors = actors(&app);
    assert_eq!(actors.len(), 2);
    assert!(
        actors.iter().all(|actor| actor.starts_with("erased:")),
        "{actors:?}"
    );
    assert_eq!(tick(&app).await, 0);
    assert_eq!(app.accounts.calls().len(), 1);
}

#[tokio::test]
async fn an_account_that_cannot_be_deleted_yet_is_tried_again() {
    let app = cut_off().await;
    app.accounts.fail_all(true);
    assert_eq!(tick(&app).await, 0);
    assert_eq!(marker(&app).await.state, ErasureState::Pending);
    app.accounts.fail_all(false);
    app.advance(600);
    assert_eq!(tick(&app).await, 1);
    assert_eq!(marker(&app).await.state, ErasureState::Done);
    assert_eq!(actors(&app).len(), 2, "it is announced once");
}

#[tokio::test]
async fn schedules_do_not_wait_for_deletions() {
    let app = cut_off().await;
    let (status, body) = call(&app, "/schedule").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body, json!({ "fired": 0, "sent": 0 }));
    assert_eq!(app.accounts.calls(), []);
}

/// A database that cannot list the documents of a collection.
struct Blind {
    inner: Arc<MemoryDb>,
    collection: &'static str,
}

#[async_trait]
impl DocumentDb for Blind {
    async fn get(&self, path: &DocumentPath) -> Result<Option<Document>, Error> {
        self.inner.get(path).await
    }

    async fn query(&self, query: &Query) -> Result<Vec<Document>, Error> {
        if query.collection == self.collection {
            return Err(Error::Unavailable("the connection broke".into()));
        }
        self.inner.query(query).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Timestamp, Error> {
        self.inner.commit(writes).await
    }
}

#[tokio::test]
async fn deletions_and_executions_do_not_stop_each_other() {
    for (collection, deleted) in [("executions", 1), ("deleted_users", 0)] {
        let inner = Arc::new(MemoryDb::new());
        let db = inner.clone();
        let faulty: Arc<dyn DocumentDb> = Arc::new(Blind { inner, collection });
        let llm = Arc::new(ScriptedLlm::answering(""));
        let app = App::on(db, Some(faulty), llm).await;
        delete_half(&app).await;
        let (status, _) = call(&app, "/sweep").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{collection}");
        assert_eq!(app.accounts.calls().len(), deleted, "{collection}");
    }
}
