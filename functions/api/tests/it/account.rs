mod deletion;

use std::time::Duration;

use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use shared::{
    auth::Claims,
    ids::Uid,
    models::Role,
    store::invitations,
    testing::{AccountCall, claims},
};

use crate::{app::TestApp, seeds};

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

/// The lines of the user's export, after their text.
async fn export(app: &TestApp, user: &str) -> (String, Vec<Value>) {
    let answer = app.get(user, "/me/export").await;
    assert_eq!(answer.headers[CONTENT_TYPE], "application/x-ndjson");
    let text = String::from_utf8(answer.bytes.to_vec()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines = lines.collect();
    (text, lines)
}

#[tokio::test]
async fn an_export_has_all_that_is_kept_about_the_user_and_nothing_about_others() {
    let app = TestApp::new().await;
    let mut sent = seeds::invitation_model("friend", "o2");
    sent.invited_by = uid("user");
    sent.role = Role::Admin;
    let mut writes = seeds::integration("int1", "user");
    writes.extend([
        seeds::workflow("w1"),
        seeds::invitation("guest", "o1"),
        invitations::create(&sent).unwrap(),
        seeds::memory_of("user"),
        seeds::memory("a1", "others"),
    ]);
    writes.extend(seeds::integration("int2", "admin"));
    app.store.commit(writes).await.unwrap();
    app.post("user", "/workflows/trigger/w1", &json!({})).await;
    app.delete("user", "/workflows/w1").await;
    app.get("admin", "/audit").await;
    let (text, lines) = export(&app, "user").await;
    let kinds: Vec<&String> = lines
        .iter()
        .flat_map(|line| line.as_object().unwrap().keys())
        .collect();
    let expected = [
        "user",
        "organization",
        "auditRecord",
        "auditRecord",
        "integration",
        "invitation",
        "trigger",
        "memory",
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
    let integration =
        json!({ "id": "int1", "service": "github", "accountLabel": "u…", "status": "connected" });
    assert_eq!(lines[4]["integration"], integration);
    let invitation =
        json!({ "id": "friend", "role": "admin", "expiresAt": "2026-11-23T12:01:00Z" });
    assert_eq!(lines[5]["invitation"], invitation);
    assert_eq!(lines[6]["trigger"]["workflowId"], "w1");
    assert_eq!(lines[7]["memory"]["text"], "Remembers own.");
    for secret in ["admin@", "guest", "friend@", "sealed", "int2", "others"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[tokio::test]
async fn an_export_goes_through_any_number_of_invitations() {
    let app = TestApp::new().await;
    let writes = (0..700).map(|n| {
        let org_id = if n % 2 == 0 { "o1" } else { "o2" };
        let mut sent = seeds::invitation_model(&format!("i{n}"), org_id);
        sent.invited_by = uid("user");
        invitations::create(&sent).unwrap()
    });
    app.store.commit(writes.collect()).await.unwrap();
    let (_, lines) = export(&app, "user").await;
    let sent = lines.iter().filter_map(|line| line.get("invitation"));
    let ids: std::collections::BTreeSet<String> = sent.map(|it| it["id"].to_string()).collect();
    assert_eq!(ids.len(), 700);
    assert_eq!(lines.len(), 2 + 1 + 700 + 1, "each once");
}
