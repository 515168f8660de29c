use std::time::Duration;

use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use shared::{
    auth::Claims,
    ids::{OrgId, Uid},
    models::SystemPrincipal,
    testing::{AccountCall, claims, trail},
};

use crate::{
    app::{TestApp, agent_request},
    seeds,
};

const MINUTE: Duration = Duration::from_secs(60);

fn uid(text: &str) -> Uid {
    Uid::parse(text).unwrap()
}

impl TestApp {
    /// Signs the user in again, some seconds after the start; the token tells who and when.
    fn sign_in(&self, user: &str, after_secs: i64) -> String {
        let token = format!("{user}-{after_secs}");
        let auth_time = seeds::now().plus_seconds(after_secs);
        self.verifier.accept(
            &*token,
            Claims {
                auth_time,
                ..claims(&uid(user))
            },
        );
        token
    }
}

#[tokio::test]
async fn all_sessions_end_at_once_and_a_new_one_begins() {
    let app = TestApp::new().await;
    let (phone, laptop) = (app.sign_in("user", 0), app.sign_in("user", 60));
    app.clock.advance(MINUTE);
    let answer = app.post(&phone, "/me/sessions/revoke", &json!({})).await;
    assert_eq!(answer.status, 204);
    for token in [&phone, &laptop] {
        let answer = app.get(token, "/me").await;
        assert_eq!(answer.refusal(), (401, "unauthenticated"), "{token}");
    }
    let later = app.sign_in("user", 61);
    assert_eq!(app.get(&later, "/me").await.status, 200);
    assert_eq!(app.get("admin", "/me").await.status, 200, "others go on");
}

#[tokio::test]
async fn the_end_of_sessions_reaches_firebase_and_is_recorded_with_its_effect() {
    let app = TestApp::new().await;
    let token = app.sign_in("user", 0);
    app.clock.advance(MINUTE);
    let before = app.db.commits().len();
    app.post(&token, "/me/sessions/revoke", &json!({})).await;
    let second = seeds::now().plus_seconds(60).instant().as_second();
    assert_eq!(
        app.accounts.calls(),
        [AccountCall::Revoked(uid("user"), second)]
    );
    assert_eq!(app.db.commits().len(), before + 1);
    assert_eq!(app.audited(), ["SESSIONS_REVOKE"]);
    let ended = app.user("user").await.tokens_valid_after.unwrap();
    assert_eq!(ended, seeds::now().plus_seconds(61));
}

#[tokio::test]
async fn sessions_go_on_when_firebase_cannot_end_them_and_the_user_can_try_again() {
    let app = TestApp::new().await;
    let token = app.sign_in("user", 0);
    app.clock.advance(MINUTE);
    app.accounts.fail_all(true);
    let answer = app.post(&token, "/me/sessions/revoke", &json!({})).await;
    assert_eq!(answer.refusal(), (503, "unavailable"));
    assert_eq!(app.user("user").await.tokens_valid_after, None);
    app.accounts.fail_all(false);
    app.db.fail_next_commits(1, false);
    let answer = app.post(&token, "/me/sessions/revoke", &json!({})).await;
    assert_eq!(answer.refusal(), (503, "unavailable"));
    let answer = app.post(&token, "/me/sessions/revoke", &json!({})).await;
    assert_eq!(answer.status, 204);
    assert_eq!(app.audited(), ["SESSIONS_REVOKE"]);
}

#[tokio::test]
async fn an_export_has_all_that_is_kept_about_the_user_and_nothing_about_others() {
    let app = TestApp::new().await;
    app.store.commit(vec![seeds::workflow("w1")]).await.unwrap();
    app.post("user", "/workflows/trigger/w1", &json!({})).await;
    app.delete("user", "/workflows/w1").await;
    app.get("admin", "/audit").await;
    let answer = app.get("user", "/me/export").await;
    assert_eq!(answer.headers[CONTENT_TYPE], "application/x-ndjson");
    let text = std::str::from_utf8(&answer.bytes).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<&String> = lines
        .iter()
        .flat_map(|line| line.as_object().unwrap().keys())
        .collect();
    let expected = [
        "user",
        "organization",
        "auditRecord",
        "auditRecord",
        "trigger",
        "end",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(lines[0]["user"]["email"], "user@example.com");
    let actions: Vec<&Value> = lines[2..4]
        .iter()
        .map(|line| &line["auditRecord"]["action"])
        .collect();
    assert!(
        actions.contains(&&json!("DELETE_WORKFLOW")) && actions.contains(&&json!("ACCOUNT_EXPORT"))
    );
    assert_eq!(lines[4]["trigger"]["workflowId"], "w1");
    assert!(!text.contains("admin"), "{text}");
}

impl TestApp {
    /// The only member of an empty organization, who has just signed in.
    async fn newcomer(&self) -> String {
        let token = self.sign_in("newcomer", 0);
        assert_eq!(self.get(&token, "/me").await.status, 200);
        token
    }

    /// Texts of all documents that name the user, as an erasure must not leave them.
    fn traces(&self, user: &str) -> Vec<String> {
        let quoted = format!("\"{user}");
        let documents = self.db.documents("");
        let named = documents.iter().filter(|document| {
            document.path.as_str().ends_with(&format!("/{user}"))
                || format!("{:?}", document.fields).contains(&quoted)
        });
        named.map(|document| document.path.to_string()).collect()
    }
}

#[tokio::test]
async fn a_deleted_account_leaves_no_trace_and_does_not_come_back() {
    let app = TestApp::new().await;
    let token = app.newcomer().await;
    assert!(!app.traces("newcomer").is_empty());
    assert_eq!(app.delete(&token, "/me").await.status, 204);
    assert_eq!(app.traces("newcomer"), [""; 0]);
    assert_eq!(
        app.accounts.calls(),
        [AccountCall::Deleted(uid("newcomer"))]
    );
    for path in ["/me", "/organization", "/agents"] {
        let answer = app.get(&token, path).await;
        assert_eq!(answer.refusal(), (401, "unauthenticated"), "{path}");
    }
    assert_eq!(app.traces("newcomer"), [""; 0]);
    assert_eq!(app.db.count("users"), 4);
}

#[tokio::test]
async fn a_deletion_leaves_the_organizations_chain_whole() {
    let app = TestApp::new().await;
    let token = app.sign_in("user", 0);
    app.store.commit(vec![seeds::workflow("w1")]).await.unwrap();
    app.delete(&token, "/workflows/w1").await;
    assert_eq!(app.delete(&token, "/me").await.status, 204);
    assert_eq!(app.traces("user"), [""; 0]);
    let expected = ["DELETE_WORKFLOW", "ACCOUNT_DELETE", "ACCOUNT_ERASE"];
    assert_eq!(app.audited(), expected);
    let org_id = OrgId::parse("o1").unwrap();
    let caller = SystemPrincipal { function: "test" };
    let trail = trail(&app.store);
    let report = trail.verify(&caller, &org_id, &[], |_| ()).await;
    assert_eq!(report.unwrap().problems, []);
}

#[tokio::test]
async fn who_started_a_run_is_forgotten_and_the_run_is_not() {
    let app = TestApp::new().await;
    let token = app.sign_in("user", 0);
    app.store.commit(vec![seeds::workflow("w1")]).await.unwrap();
    let started = app.post(&token, "/workflows/trigger/w1", &json!({})).await;
    let id = started.body["executionId"].as_str().unwrap().to_owned();
    assert_eq!(app.delete(&token, "/me").await.status, 204);
    let execution = app.get("admin", &format!("/executions/{id}")).await;
    assert_eq!(execution.status, 200);
    assert_eq!(app.traces("user"), [""; 0]);
}

#[tokio::test]
async fn the_last_admin_of_others_stays() {
    let app = TestApp::new().await;
    let token = app.sign_in("admin", 0);
    let answer = app.delete(&token, "/me").await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    assert_eq!(app.get(&token, "/me").await.status, 200);
    assert!(app.accounts.calls().is_empty());
}

#[tokio::test]
async fn an_organization_that_loses_its_only_member_is_empty_and_forgets_its_name() {
    let app = TestApp::new().await;
    let token = app.newcomer().await;
    let org_id = app.user("newcomer").await.organization_id;
    app.post(&token, "/agents", &agent_request()).await;
    let answer = app.delete(&token, "/me").await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    let message = answer.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("agents"), "{message}");
    let agent = app.get(&token, "/agents").await.body["items"][0]["id"].clone();
    let path = format!("/agents/{}", agent.as_str().unwrap());
    assert_eq!(app.delete(&token, &path).await.status, 204);
    assert_eq!(app.delete(&token, "/me").await.status, 204);
    let organization = app.store.find_organization(&org_id).await.unwrap().unwrap();
    assert_eq!(organization.value.name, "Closed organization");
}

#[tokio::test]
async fn an_old_session_deletes_nothing() {
    let app = TestApp::new().await;
    let token = app.newcomer().await;
    app.clock.advance(5 * MINUTE + Duration::from_secs(1));
    let answer = app.delete(&token, "/me").await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
    assert_eq!(app.get(&token, "/me").await.status, 200);
}

#[tokio::test]
async fn a_deletion_that_was_cut_off_anywhere_is_finished_by_a_repeat() {
    for applied in [false, true] {
        let mut tried = 0;
        loop {
            let app = TestApp::new().await;
            let token = app.newcomer().await;
            app.db.fail_commit_after(tried, applied);
            let answer = app.delete(&token, "/me").await;
            if answer.status == 204 {
                break;
            }
            assert_eq!(answer.refusal(), (503, "unavailable"), "{tried}");
            assert_eq!(app.delete(&token, "/me").await.status, 204, "{tried}");
            assert_eq!(app.traces("newcomer"), [""; 0], "{tried}");
            tried += 1;
        }
        assert!(tried >= 5, "{tried} commits");
    }
}

#[tokio::test]
async fn an_account_that_firebase_keeps_for_now_is_deleted_by_a_repeat() {
    let app = TestApp::new().await;
    let token = app.newcomer().await;
    app.accounts.fail_all(true);
    assert_eq!(
        app.delete(&token, "/me").await.refusal(),
        (503, "unavailable")
    );
    app.accounts.fail_all(false);
    assert_eq!(app.delete(&token, "/me").await.status, 204);
    assert_eq!(
        app.accounts.calls(),
        [AccountCall::Deleted(uid("newcomer"))]
    );
}
