//! Deletions of accounts that were cut off are finished by the minute's tick.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use shared::{
    audit::Entry,
    erasure,
    ids::{OrgId, Uid},
    models::{AuditAction, AuditLog, DeletedUser, ErasureState},
    store::decode,
    testing::{AccountCall, ScriptedLlm, trail},
};

use crate::app::{App, NOW};

fn uid() -> Uid {
    Uid::parse("u1").unwrap()
}

/// An application in which a deletion went no further than its first commit.
async fn cut_off() -> App {
    let app = App::new(Arc::new(ScriptedLlm::answering(""))).await;
    let now = NOW.parse::<jiff::Timestamp>().unwrap().into();
    let org_id = OrgId::parse("o1").unwrap();
    let entry = Entry::new(&org_id, "u1", AuditAction::AgentDeploy, json!({}));
    let mut writes = trail(&app.store).append(entry, now).await.unwrap();
    writes.push(erasure::begin(&uid(), now).unwrap());
    app.store.commit(writes).await.unwrap();
    app
}

async fn tick(app: &App) {
    let status = app.post("/schedule", Vec::new(), Vec::new()).await;
    assert_eq!(status, StatusCode::OK);
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
    tick(&app).await;
    assert_eq!(app.accounts.calls(), [AccountCall::Deleted(uid())]);
    let marker = marker(&app).await;
    assert_eq!((marker.state, marker.uid), (ErasureState::Done, None));
    let actors = actors(&app);
    assert_eq!(actors.len(), 2);
    assert!(
        actors.iter().all(|actor| actor.starts_with("erased:")),
        "{actors:?}"
    );
    tick(&app).await;
    assert_eq!(app.accounts.calls().len(), 1);
}

#[tokio::test]
async fn an_account_that_cannot_be_deleted_yet_is_tried_again() {
    let app = cut_off().await;
    app.accounts.fail_all(true);
    tick(&app).await;
    assert_eq!(marker(&app).await.state, ErasureState::Pending);
    app.accounts.fail_all(false);
    tick(&app).await;
    assert_eq!(marker(&app).await.state, ErasureState::Done);
    assert_eq!(actors(&app).len(), 2, "it is announced once");
}
