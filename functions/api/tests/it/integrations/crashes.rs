//! A process that is killed at any await: whoever begins anew gets there, and everything that was
//! connected is on record.

use serde_json::json;
use shared::{models::AuditAction, testing::killed_after};

use super::{TestApp, agree, begin, finish_with, integrations, only, org_id, outcome, path};
use crate::seeds;

/// More than a request needs; a test fails if it never comes to its end.
const MOST_POLLS: usize = 500;

/// How often an account was connected for the first time.
fn connected(app: &TestApp, org: &str) -> usize {
    let deeds = app.deeds(&org_id(org)).into_iter();
    let connected = deeds.filter(|(action, ..)| *action == AuditAction::IntegrationConnect);
    connected.count()
}

#[tokio::test]
async fn a_callback_that_is_cut_off_anywhere_can_be_begun_anew() {
    for polls in 1..MOST_POLLS {
        let (app, google) = TestApp::with_google().await;
        let asked = begin(&app, "stranger").await;
        agree(&google, "code-1", &asked);
        let first = finish_with(&app, "stranger", "code-1", &asked);
        let is_done = killed_after(polls, first).await.is_some();
        assert_eq!(integrations(&app).len(), connected(&app, "o2"), "{polls}");
        // The state is not good twice, wherever it stopped; a page that is loaded again may finish
        // what has not begun.
        let again = finish_with(&app, "stranger", "code-1", &asked).await;
        let is_told = ["invalid_state", "connected"].contains(&outcome(&again));
        assert!(is_told, "{polls}: {}", again.body);
        let asked = begin(&app, "stranger").await;
        agree(&google, "code-2", &asked);
        let last = finish_with(&app, "stranger", "code-2", &asked).await;
        assert_eq!(outcome(&last), "connected");
        only(&app);
        assert_eq!(connected(&app, "o2"), 1, "{polls}");
        if is_done {
            return;
        }
    }
    panic!("it never comes to its end");
}

#[tokio::test]
async fn a_connection_by_key_that_is_cut_off_anywhere_can_be_repeated() {
    let body = json!({ "service": "stripe", "key": "sk_1" });
    for polls in 1..MOST_POLLS {
        let app = TestApp::new().await;
        app.service.accept("sk_1", &seeds::account(Some("acct_1")));
        let first = app.post_once("k1", "/integrations", &body);
        let is_done = killed_after(polls, first).await.is_some();
        assert_eq!(integrations(&app).len(), connected(&app, "o1"), "{polls}");
        let again = app.post_once("k1", "/integrations", &body).await;
        assert_eq!(again.status, 201, "{polls}: {}", again.body);
        only(&app);
        assert_eq!(connected(&app, "o1"), 1, "{polls}");
        if is_done {
            return;
        }
    }
    panic!("it never comes to its end");
}

#[tokio::test]
async fn a_disconnection_that_is_cut_off_anywhere_can_be_repeated() {
    for polls in 1..MOST_POLLS {
        let app = TestApp::new().await;
        app.service.accept("sk_1", &seeds::account(Some("acct_1")));
        let body = json!({ "service": "stripe", "key": "sk_1" });
        app.post("admin", "/integrations", &body).await;
        let path = path(&only(&app).id);
        let is_done = killed_after(polls, app.delete("admin", &path))
            .await
            .is_some();
        let again = app.delete("admin", &path).await;
        assert!([200, 404].contains(&again.status.as_u16()), "{polls}");
        assert_eq!(app.db.count("integrations"), 0, "{polls}");
        let ended = app.audited().into_iter();
        let ended = ended.filter(|action| action == "INTEGRATION_DISCONNECT");
        assert_eq!(ended.count(), 1, "{polls}");
        if is_done {
            return;
        }
    }
    panic!("it never comes to its end");
}
