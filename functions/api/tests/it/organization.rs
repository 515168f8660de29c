use futures::future::join_all;
use http::{Method, header::LOCATION};
use serde_json::json;
use shared::{
    ids::{OrgId, Uid},
    models::{AuditAction, Role},
    testing::claims,
};

use crate::app::{Answer, NOW, TestApp, after_turns, distances, empty, json_body, request};

#[tokio::test]
async fn callers_see_themselves() {
    let app = TestApp::new().await;
    let me = app.get("viewer", "/me").await;
    let expected = json!({
        "uid": "viewer",
        "organizationId": "o1",
        "role": "viewer",
        "email": "viewer@example.com",
        "settings": { "theme": "dark" },
    });
    assert_eq!((me.status.as_u16(), me.body), (200, expected));
}

#[tokio::test]
async fn callers_see_their_organization_with_its_plan() {
    let app = TestApp::new().await;
    let organization = app.get("viewer", "/organization").await.body;
    assert_eq!(organization["id"], "o1");
    assert_eq!(organization["subscriptionTier"], "free");
    assert_eq!(organization["apiUsage"], 42);
    assert_eq!(organization["createdAt"], NOW);
    assert_eq!(organization["plan"]["agents"], 1);
    assert_eq!(organization["plan"]["memoryDepth"], "session");
    assert!(organization.get("stripeCustomerId").is_none());
    let other = app.get("stranger", "/organization").await.body;
    assert_eq!(
        (&other["id"], &other["plan"]["agents"]),
        (&json!("o2"), &json!(5))
    );
}

fn o1() -> OrgId {
    OrgId::parse("o1").unwrap()
}

/// A user in an organization of its own, which was made when it signed up.
async fn app_with_guest() -> TestApp {
    let app = TestApp::new().await;
    let uid = Uid::parse("guest").unwrap();
    app.verifier.accept("guest", claims(&uid));
    app.get("guest", "/me").await;
    app
}

/// A POST with an idempotency key.
async fn create_once(app: &TestApp, token: &str, key: &str, name: &str) -> Answer {
    let request = request(Method::POST, "/organizations", token).header("Idempotency-Key", key);
    app.send(json_body(request, &json!({ "name": name }))).await
}

async fn create(app: &TestApp, token: &str, name: &str) -> Answer {
    let body = json!({ "name": name });
    app.post(token, "/organizations", &body).await
}

async fn leave(app: &TestApp, token: &str) -> Answer {
    let request = request(Method::POST, "/organization/leave", token);
    app.send(empty(request)).await
}

fn actions(app: &TestApp, org_id: &OrgId) -> Vec<AuditAction> {
    let deeds = app.deeds(org_id).into_iter();
    deeds.map(|(action, _, _)| action).collect()
}

#[tokio::test]
async fn admins_rename_their_organization() {
    let app = TestApp::new().await;
    let before = app.db.commits().len();
    let name = json!({ "name": "  Engines \u{1F680} " });
    let renamed = app.patch("admin", "/organization", &name).await;
    assert_eq!(renamed.status, 200, "{}", renamed.body);
    assert_eq!(renamed.body["name"], "Engines \u{1F680}");
    assert_eq!(renamed.body, app.get("viewer", "/organization").await.body);
    assert_eq!(app.db.commits().len(), before + 1);
    let record = (AuditAction::OrganizationRename, "admin".to_owned(), None);
    assert_eq!(app.deeds(&o1()), [record]);
    app.patch("admin", "/organization", &name).await;
    assert_eq!(app.db.commits().len(), before + 1, "no change, no record");
}

#[tokio::test]
async fn names_that_are_none_are_refused() {
    let app = TestApp::new().await;
    let long = "x".repeat(201);
    for name in ["", "  ", "a\nb", "a\u{7}b", &long] {
        let body = json!({ "name": name });
        for answer in [
            app.patch("admin", "/organization", &body).await,
            app.post("user", "/organizations", &body).await,
        ] {
            assert_eq!(answer.refusal(), (400, "invalid_argument"), "{name:?}");
            assert_eq!(answer.fields(), ["name"]);
        }
    }
    let longest = json!({ "name": "ä".repeat(200) });
    assert_eq!(
        app.patch("admin", "/organization", &longest).await.status,
        200
    );
}

#[tokio::test]
async fn who_is_alone_names_what_was_made_at_sign_up() {
    let app = app_with_guest().await;
    let own = app.user("guest").await.organization_id;
    let named = create(&app, "guest", "Engines").await;
    assert_eq!(named.status, 201, "{}", named.body);
    assert_eq!(named.headers[LOCATION], "/api/v1/organization");
    assert_eq!(named.body["id"], own.as_str());
    assert_eq!(named.body, app.get("guest", "/organization").await.body);
    let (made, renamed) = (
        AuditAction::OrganizationCreate,
        AuditAction::OrganizationRename,
    );
    assert_eq!(actions(&app, &own), [made, renamed]);
    assert_eq!(app.db.count("organizations"), 3);
}

#[tokio::test]
async fn a_member_leaves_the_others_for_a_new_one() {
    let app = TestApp::new().await;
    let before = app.db.commits().len();
    let made = create(&app, "viewer", "Engines").await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(app.db.commits().len(), before + 1);
    assert_eq!(made.body["name"], "Engines");
    assert_eq!(made.body["subscriptionTier"], "free");
    let viewer = app.user("viewer").await;
    let own = &viewer.organization_id;
    assert_eq!(made.body["id"], own.as_str());
    assert_eq!(viewer.role, Role::Admin);
    assert_eq!(
        (app.counted(&o1()).await, app.counted(own).await),
        ((1, 2), (1, 1))
    );
    let left = (
        AuditAction::MemberLeave,
        "viewer".to_owned(),
        Some("viewer".to_owned()),
    );
    assert_eq!(app.deeds(&o1()), [left]);
    assert_eq!(actions(&app, own), [AuditAction::OrganizationCreate]);
    assert!(app.store.find_current_stats(own).await.unwrap().is_some());
}

#[tokio::test]
async fn the_last_admin_cannot_leave_the_others() {
    let app = TestApp::new().await;
    let before = app.db.commits().len();
    for answer in [
        create(&app, "admin", "Engines").await,
        leave(&app, "admin").await,
    ] {
        assert_eq!(answer.refusal(), (400, "failed_precondition"));
    }
    assert_eq!(app.db.commits().len(), before);
}

#[tokio::test]
async fn a_repeat_gets_the_organization_that_the_first_request_made() {
    let app = TestApp::new().await;
    let first = create_once(&app, "user", "k1", "Engines").await;
    let repeat = create_once(&app, "user", "k1", "Engines").await;
    assert_eq!((repeat.status, &repeat.body), (first.status, &first.body));
    assert_eq!(repeat.headers["idempotency-replayed"], "true");
    let other = create_once(&app, "user", "k1", "Other").await;
    assert_eq!(other.refusal(), (409, "already_exists"));
    assert_eq!(app.db.count("organizations"), 3);
}

#[tokio::test]
async fn only_a_kept_answer_is_told_to_be_one() {
    let app = app_with_guest().await;
    create(&app, "guest", "Engines").await;
    let named_already = create(&app, "guest", "Engines").await;
    let with_key = create_once(&app, "guest", "k1", "Engines").await;
    for answer in [&named_already, &with_key] {
        assert_eq!(answer.status, 201);
        assert!(!answer.headers.contains_key("idempotency-replayed"));
    }
    app.patch("guest", "/organization", &json!({ "name": "Other" }))
        .await;
    let repeat = create_once(&app, "guest", "k1", "Engines").await;
    assert_eq!(repeat.body, with_key.body);
    assert_eq!(repeat.headers["idempotency-replayed"], "true");
    let organization = app.get("guest", "/organization").await.body;
    assert_eq!(organization["name"], "Other", "it is not named anew");
}

#[tokio::test]
async fn parallel_requests_make_one_organization() {
    for key in [Some("k1"), None] {
        let app = TestApp::new().await;
        let send = async || match key {
            Some(key) => create_once(&app, "user", key, "Engines").await,
            None => create(&app, "user", "Engines").await,
        };
        let answers = join_all((0..20).map(|_| send())).await;
        for answer in &answers {
            assert_eq!(answer.status, 201, "{}", answer.body);
            assert_eq!(answer.body, answers[0].body);
        }
        assert_eq!(app.db.count("organizations"), 3, "{key:?}");
        assert_eq!(actions(&app, &o1()), [AuditAction::MemberLeave]);
        assert_eq!(app.counted(&o1()).await, (1, 2));
    }
}

#[tokio::test]
async fn an_organization_whose_answer_is_lost_is_made_once() {
    for key in [Some("k1"), None] {
        let app = TestApp::new().await;
        let send = async || match key {
            Some(key) => create_once(&app, "user", key, "Engines").await,
            None => create(&app, "user", "Engines").await,
        };
        app.db.fail_next_commits(1, true);
        assert_eq!(send().await.refusal(), (503, "unavailable"));
        assert_eq!(send().await.status, 201);
        assert_eq!(app.db.count("organizations"), 3, "{key:?}");
        assert_eq!(app.counted(&o1()).await, (1, 2));
    }
}

#[tokio::test]
async fn who_leaves_gets_an_organization_of_its_own() {
    let app = TestApp::new().await;
    let before = app.db.commits().len();
    assert_eq!(leave(&app, "user").await.status, 204);
    assert_eq!(app.db.commits().len(), before + 1);
    let user = app.user("user").await;
    assert_eq!(user.role, Role::Admin);
    let own = &user.organization_id;
    assert_eq!(
        (app.counted(&o1()).await, app.counted(own).await),
        ((1, 2), (1, 1))
    );
    assert_eq!(actions(&app, &o1()), [AuditAction::MemberLeave]);
    assert_eq!(app.records(own)[0].metadata.0["reason"], "leave");
    let organization = app.get("user", "/organization").await.body;
    assert_eq!(organization["name"], "Personal organization");
}

#[tokio::test]
async fn who_is_alone_cannot_leave() {
    let app = app_with_guest().await;
    for token in ["guest", "stranger"] {
        let refused = leave(&app, token).await;
        assert_eq!(refused.refusal(), (400, "failed_precondition"), "{token}");
        let message = refused.body["error"]["message"].as_str().unwrap();
        assert!(message.contains("nobody would be left"), "{message}");
    }
}

#[tokio::test]
async fn of_parallel_departures_of_one_member_one_happens() {
    let app = TestApp::new().await;
    let answers = join_all((0..10).map(|_| leave(&app, "user"))).await;
    let left = answers.iter().filter(|answer| answer.status == 204);
    assert_eq!(left.count(), 1);
    assert_eq!(app.counted(&o1()).await, (1, 2));
    assert_eq!(app.db.count("organizations"), 3);
}

#[tokio::test]
async fn two_admins_that_leave_at_the_same_time_leave_one() {
    for _ in 0..20 {
        let app = TestApp::new().await;
        app.add_user("admin2", "o1", Role::Admin).await;
        let answers = join_all(["admin", "admin2"].map(|token| leave(&app, token))).await;
        let mut statuses: Vec<u16> = answers.iter().map(|it| it.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 400]);
        assert_eq!(app.counted(&o1()).await, (1, 3));
        assert_eq!(actions(&app, &o1()), [AuditAction::MemberLeave]);
    }
}

#[tokio::test]
async fn who_is_locked_out_cannot_leave_the_lock_behind() {
    for (before_lock, before_leave) in distances() {
        let app = TestApp::new().await;
        let lock = json!({ "disabled": true });
        let (locked, left) = tokio::join!(
            after_turns(before_lock, app.patch("admin", "/members/user", &lock)),
            after_turns(before_leave, leave(&app, "user"))
        );
        let outcome = (locked.status.as_u16(), left.status.as_u16());
        assert!(matches!(outcome, (200, 403) | (404, 204)), "{outcome:?}");
        assert_eq!(app.user("user").await.disabled, outcome.0 == 200);
    }
}
