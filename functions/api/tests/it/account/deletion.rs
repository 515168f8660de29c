use shared::{
    erasure::Erasure,
    ids::OrgId,
    models::{ErasureState, SystemPrincipal},
    provision::{self, NewUser},
    testing::trail,
};

use super::*;
use crate::{
    app::{Answer, agent_request, workflow_request},
    invitations::{accept, invite, token_of},
};

const CALLER: SystemPrincipal = SystemPrincipal { function: "test" };

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

    /// What the sweeper does so many seconds after the start; tells how many erasures are done.
    async fn sweep(&self, after_secs: i64) -> usize {
        let (store, accounts) = (self.store.clone(), self.accounts.clone());
        let erasure = Erasure::new(store, trail(&self.store), accounts);
        let now = seeds::now().plus_seconds(after_secs);
        erasure.sweep(&CALLER, 10, now).await.unwrap()
    }

    /// After the second pass nothing names the user, who did not come back.
    async fn assert_erased(&self, user: &str) {
        let traces = self.traces(user);
        assert!(
            traces.len() == 1 && traces[0].starts_with("deleted_users/"),
            "{traces:?}"
        );
        assert_eq!(self.sweep(120).await, 1);
        assert_eq!(self.traces(user), [""; 0]);
        let deleted = self.store.find_deleted_user(&uid(user)).await.unwrap();
        let deleted = deleted.unwrap().value;
        assert_eq!((deleted.state, deleted.uid), (ErasureState::Done, None));
        assert!(self.store.find_user(&uid(user)).await.unwrap().is_none());
    }
}

fn deleted(user: &str) -> [AccountCall; 1] {
    [AccountCall::Deleted(uid(user))]
}

fn message(answer: &Answer) -> &str {
    answer.body["error"]["message"].as_str().unwrap()
}

/// A user with a name, who has left its own organization by an invitation, has invited others in
/// both, is invited elsewhere, has connected a service and started a workflow.
async fn app_with_traces() -> (TestApp, String) {
    let app = TestApp::new().await;
    let token = "newcomer".to_owned();
    let named = Claims {
        name: Some("newcomer Hopper".to_owned()),
        auth_time: seeds::now(),
        ..claims(&uid("newcomer"))
    };
    app.verifier.accept(&*token, named);
    assert_eq!(app.get(&token, "/me").await.status, 200);
    let first = invite(&app, &token, "first@example.org", "viewer").await;
    assert_eq!(first.status, 201, "{}", first.body);
    let invited = invite(&app, "admin", "newcomer@example.com", "user").await;
    let secret = token_of(&app, &invited).await;
    assert_eq!(accept(&app, &token, &secret).await.status, 200);
    let second = invite(&app, &token, "second@example.org", "viewer").await;
    assert_eq!(second.status, 201, "{}", second.body);
    let elsewhere = invite(&app, "stranger", "newcomer@example.com", "viewer").await;
    assert_eq!(elsewhere.status, 201, "{}", elsewhere.body);
    let mut writes = seeds::integration("int1", "newcomer");
    writes.push(seeds::workflow("w1"));
    app.store.commit(writes).await.unwrap();
    let started = app.post(&token, "/workflows/trigger/w1", &json!({})).await;
    assert_eq!(started.status, 202, "{}", started.body);
    (app, token)
}

#[tokio::test]
async fn a_deleted_account_leaves_no_trace_and_does_not_come_back() {
    let (app, token) = app_with_traces().await;
    let traces = app.traces("newcomer");
    for what in [
        "users/",
        "audit_logs/",
        "integrations/",
        "triggers/",
        "outbox/",
        "/invitations/",
    ] {
        let found = traces.iter().filter(|path| path.contains(what));
        assert!(found.count() > 0, "{what}: {traces:?}");
    }
    assert_eq!(app.delete(&token, "/me").await.status, 204);
    assert_eq!(app.accounts.calls(), deleted("newcomer"));
    for path in ["/me", "/organization", "/agents"] {
        let answer = app.get(&token, path).await;
        assert_eq!(answer.refusal(), (401, "unauthenticated"), "{path}");
    }
    app.assert_erased("newcomer").await;
    assert_eq!(app.db.count("users"), 4);
}

#[tokio::test]
async fn invitations_of_others_stay() {
    let (app, token) = app_with_traces().await;
    let others = seeds::invitation("guest", "o1");
    app.store.commit(vec![others]).await.unwrap();
    assert_eq!(app.delete(&token, "/me").await.status, 204);
    let left = app.db.documents("organizations/");
    let left = left
        .iter()
        .filter(|it| it.path.as_str().contains("/invitations/"));
    let left: Vec<&str> = left.map(|it| it.path.as_str()).collect();
    assert_eq!(left, ["organizations/o1/invitations/guest"]);
}

#[tokio::test]
async fn who_has_not_shown_to_own_an_address_deletes_no_invitation_of_it() {
    let app = TestApp::new().await;
    invite(&app, "admin", "grace@example.com", "user").await;
    let pretender = Claims {
        email: Some("grace@example.com".to_owned()),
        email_verified: false,
        auth_time: seeds::now(),
        ..claims(&uid("mallory"))
    };
    app.verifier.accept("mallory", pretender);
    assert_eq!(app.delete("mallory", "/me").await.status, 204);
    assert_eq!(app.db.count("organizations/o1/invitations"), 1);
}

#[tokio::test]
async fn a_request_that_was_under_way_is_cleaned_up_after() {
    let app = TestApp::new().await;
    let token = app.newcomer().await;
    assert_eq!(app.delete(&token, "/me").await.status, 204);
    let integration = seeds::integration("int1", "newcomer");
    app.store.commit(integration).await.unwrap();
    assert_eq!(app.sweep(119).await, 0);
    assert_eq!(app.sweep(120).await, 1);
    assert_eq!(app.traces("newcomer"), [""; 0]);
}

#[tokio::test]
async fn an_account_is_deleted_before_its_sign_up_event_has_come() {
    let app = TestApp::new().await;
    let token = app.sign_in("newcomer", 0);
    assert_eq!(app.delete(&token, "/me").await.status, 204);
    assert_eq!(app.accounts.calls(), deleted("newcomer"));
    let late = sign_up_event(&app).await;
    assert!(matches!(late, Err(provision::Error::Deleted)), "{late:?}");
    assert_eq!(
        app.get(&token, "/me").await.refusal(),
        (401, "unauthenticated")
    );
    app.assert_erased("newcomer").await;
}

#[tokio::test]
async fn a_sign_up_event_that_comes_meanwhile_leaves_no_orphan() {
    for delay in 0..40 {
        let app = TestApp::new().await;
        let token = app.sign_in("newcomer", 0);
        let late = async {
            yields(delay).await;
            let _ = sign_up_event(&app).await;
        };
        let (answer, ()) = tokio::join!(app.delete(&token, "/me"), late);
        assert_eq!(answer.status, 204, "{delay}");
        app.assert_erased("newcomer").await;
    }
}

/// What `on-user-create` does.
async fn sign_up_event(app: &TestApp) -> Result<provision::Provisioned, provision::Error> {
    let new_user = NewUser::from(&claims(&uid("newcomer")));
    provision::ensure_user(&app.store, &trail(&app.store), new_user, seeds::now()).await
}

/// Lets other tasks run so many times.
async fn yields(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_is_locked_out_deletes_nothing() {
    let app = TestApp::new().await;
    let token = app.sign_in("user", 0);
    app.patch("admin", "/members/user", &json!({ "disabled": true }))
        .await;
    let answer = app.delete(&token, "/me").await;
    assert_eq!(answer.refusal(), (403, "permission_denied"));
    assert_eq!(message(&answer), "this account is disabled");
    assert!(app.user("user").await.disabled);
    assert!(app.accounts.calls().is_empty());
    assert_eq!(app.audited(), ["MEMBER_UPDATE"]);
}

#[tokio::test]
async fn what_is_made_meanwhile_is_not_left_where_nobody_is() {
    for delay in 0..60 {
        let app = TestApp::new().await;
        let token = app.newcomer().await;
        let make = async {
            yields(delay).await;
            app.post(&token, "/agents", &agent_request()).await;
            app.post(&token, "/workflows", &workflow_request()).await
        };
        let (answer, _) = tokio::join!(app.delete(&token, "/me"), make);
        let made = app.db.count("agents") + app.db.count("workflows");
        let outcome = (answer.status.as_u16(), made);
        assert!(
            matches!(outcome, (204, 0) | (400, 1..)),
            "{delay}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_deletion_leaves_the_organizations_chain_whole() {
    let app = TestApp::new().await;
    let token = app.sign_in("user", 0);
    app.store.commit(vec![seeds::workflow("w1")]).await.unwrap();
    app.delete(&token, "/workflows/w1").await;
    assert_eq!(app.delete(&token, "/me").await.status, 204);
    app.assert_erased("user").await;
    let expected = ["DELETE_WORKFLOW", "ACCOUNT_DELETE", "ACCOUNT_ERASE"];
    assert_eq!(app.audited(), expected);
    let org_id = OrgId::parse("o1").unwrap();
    let trail = trail(&app.store);
    let report = trail.verify(&CALLER, &org_id, &[], |_| ()).await;
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
    app.assert_erased("user").await;
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
    assert!(message(&answer).contains("agents"), "{}", message(&answer));
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
            app.assert_erased("newcomer").await;
            tried += 1;
        }
        assert!(tried >= 4, "{tried} commits");
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
    assert_eq!(app.accounts.calls(), deleted("newcomer"));
}
