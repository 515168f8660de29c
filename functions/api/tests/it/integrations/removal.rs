use futures::future::join_all;
use serde_json::json;
use shared::models::AuditAction;

use super::{connect_google, only, org_id, path};
use crate::{app::TestApp, seeds};

#[tokio::test]
async fn disconnecting_revokes_deletes_and_is_recorded() {
    let (app, google) = TestApp::with_google().await;
    connect_google(&app, &google, "stranger").await;
    let path = path(&only(&app).id);
    let answer = app.delete("stranger", &path).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body),
        (200, json!({ "revoked": true }))
    );
    assert_eq!(
        app.db.count("integrations") + app.db.count("integration_status"),
        0
    );
    assert_eq!(app.service.revoked(), ["refresh-1"]);
    let records = app.records(&org_id("o2"));
    let last = records.last().unwrap();
    assert_eq!(last.action, AuditAction::IntegrationDisconnect);
    assert_eq!(last.metadata.0["revoked"], true);
    assert_eq!(
        app.delete("stranger", &path).await.refusal(),
        (404, "not_found")
    );
}

#[tokio::test]
async fn a_service_that_does_not_revoke_is_told_and_nothing_is_kept() {
    let app = TestApp::new().await;
    app.service.accept("sk_1", &seeds::account(None));
    let body = json!({ "service": "stripe", "key": "sk_1" });
    app.post("admin", "/integrations", &body).await;
    app.service.fail_revocations(true);
    let answer = app.delete("admin", &path(&only(&app).id)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body),
        (200, json!({ "revoked": false }))
    );
    assert_eq!(app.db.count("integrations"), 0);
}

#[tokio::test]
async fn a_service_that_offers_no_revocation_is_told_and_nothing_is_kept() {
    let app = TestApp::new().await;
    app.service.accept("sk_1", &seeds::account(None));
    let body = json!({ "service": "stripe", "key": "sk_1" });
    app.post("admin", "/integrations", &body).await;
    app.service.offer_no_revocation();
    let answer = app.delete("admin", &path(&only(&app).id)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body),
        (200, json!({ "revoked": false }))
    );
    assert_eq!(app.db.count("integrations"), 0);
    let records = app.records(&org_id("o1"));
    assert_eq!(records.last().unwrap().metadata.0["revoked"], false);
}

#[tokio::test]
async fn a_disconnection_whose_database_fails_can_be_repeated() {
    for spared in 0..8 {
        let app = TestApp::new().await;
        app.service.accept("sk_1", &seeds::account(None));
        let body = json!({ "service": "stripe", "key": "sk_1" });
        app.post("admin", "/integrations", &body).await;
        let path = path(&only(&app).id);
        app.db.fail_commit_after(spared, false);
        let first = app.delete("admin", &path).await;
        if first.status == 200 {
            assert!(spared > 1, "every commit has failed once");
            return;
        }
        assert_eq!(first.refusal(), (503, "unavailable"));
        assert_eq!(app.delete("admin", &path).await.status, 200);
        assert_eq!(app.db.count("integrations"), 0);
    }
    panic!("it never comes to its end");
}

#[tokio::test]
async fn parallel_disconnections_all_end_it_and_one_is_recorded() {
    let (app, google) = TestApp::with_google().await;
    connect_google(&app, &google, "stranger").await;
    let path = path(&only(&app).id);
    let answers = join_all((0..6).map(|_| app.delete("stranger", &path))).await;
    let statuses: Vec<_> = answers
        .iter()
        .map(|answer| answer.status.as_u16())
        .collect();
    assert!(
        statuses.iter().all(|status| [200, 404].contains(status)),
        "{statuses:?}"
    );
    let records = app.records(&org_id("o2")).into_iter();
    let ended = records.filter(|record| record.action == AuditAction::IntegrationDisconnect);
    assert_eq!(ended.count(), 1);
}
