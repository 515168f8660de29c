use futures::future::join_all;
use serde_json::{Value, json};
use shared::{
    ids::OrgId,
    models::{AuditAction, Role},
};

use crate::app::{Answer, NOW, TestApp, after_turns, agent_request, distances};

fn o1() -> OrgId {
    OrgId::parse("o1").unwrap()
}

async fn set_role(app: &TestApp, token: &str, uid: &str, role: &str) -> Answer {
    let path = format!("/members/{uid}");
    app.patch(token, &path, &json!({ "role": role })).await
}

async fn set_disabled(app: &TestApp, uid: &str, disabled: bool) -> Answer {
    let path = format!("/members/{uid}");
    let body = json!({ "disabled": disabled });
    app.patch("admin", &path, &body).await
}

/// The members of `o1` that can act as its admins, by their documents.
async fn acting_admins(app: &TestApp, uids: &[&str]) -> usize {
    let mut count = 0;
    for uid in uids {
        let user = app.user(uid).await;
        let is_admin = user.role == Role::Admin && !user.disabled;
        count += usize::from(is_admin && user.organization_id == o1());
    }
    count
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut statuses: Vec<u16> = answers
        .iter()
        .map(|answer| answer.status.as_u16())
        .collect();
    statuses.sort_unstable();
    statuses
}

#[tokio::test]
async fn admins_see_who_belongs_to_them() {
    let app = TestApp::new().await;
    let listing = app.get("admin", "/members").await;
    let items = listing.body["items"].as_array().unwrap();
    let uids: Vec<&Value> = items.iter().map(|item| &item["uid"]).collect();
    assert_eq!(uids, ["admin", "user", "viewer"]);
    let expected = json!({
        "uid": "viewer",
        "email": "viewer@example.com",
        "role": "viewer",
        "disabled": false,
        "createdAt": NOW,
    });
    assert_eq!(items[2], expected);
}

#[tokio::test]
async fn members_come_in_pages() {
    let app = TestApp::new().await;
    let first = app.get("admin", "/members?limit=2").await.body;
    let token = first["nextPageToken"].as_str().unwrap();
    let path = format!("/members?limit=2&pageToken={token}");
    let second = app.get("admin", &path).await.body;
    assert_eq!(second["items"][0]["uid"], "viewer");
    assert!(second.get("nextPageToken").is_none());
}

#[tokio::test]
async fn a_role_takes_effect_at_once_and_is_recorded_with_it() {
    let app = TestApp::new().await;
    let before = app.db.commits().len();
    let changed = set_role(&app, "admin", "user", "viewer").await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.body["role"], "viewer");
    assert_eq!(app.db.commits().len(), before + 1);
    let records = app.records(&o1());
    let [record] = records.as_slice() else {
        panic!("{records:?}");
    };
    assert_eq!(record.action, AuditAction::MemberUpdate);
    assert_eq!(record.actor_id, "admin");
    assert_eq!(record.subject_id.as_deref(), Some("user"));
    assert_eq!(record.metadata.0, json!({ "role": "viewer" }));
    let refused = app.post("user", "/agents", &agent_request()).await;
    assert_eq!(refused.refusal(), (403, "permission_denied"));
}

#[tokio::test]
async fn who_is_locked_out_can_do_nothing_until_let_in_again() {
    let app = TestApp::new().await;
    let out = set_disabled(&app, "user", true).await;
    assert_eq!(out.body["disabled"], true);
    let refused = app.get("user", "/me").await;
    assert_eq!(refused.refusal(), (403, "permission_denied"));
    set_disabled(&app, "user", false).await;
    assert_eq!(app.get("user", "/me").await.status, 200);
    assert_eq!(app.counted(&o1()).await, (1, 3));
    let metadata: Vec<Value> = app
        .records(&o1())
        .into_iter()
        .map(|record| record.metadata.0)
        .collect();
    assert_eq!(
        metadata,
        [json!({ "disabled": true }), json!({ "disabled": false })]
    );
}

#[tokio::test]
async fn what_members_have_set_for_themselves_stays() {
    let app = TestApp::new().await;
    set_role(&app, "admin", "user", "viewer").await;
    app.delete("admin", "/members/user").await;
    assert_eq!(app.user("user").await.settings["theme"], "dark");
    assert_eq!(
        app.user("user").await.email.as_deref(),
        Some("user@example.com")
    );
}

#[tokio::test]
async fn a_change_to_what_is_already_so_writes_nothing() {
    let app = TestApp::new().await;
    let before = app.db.commits().len();
    for body in [
        json!({}),
        json!({ "role": "user" }),
        json!({ "role": "user", "disabled": false }),
    ] {
        let answer = app.patch("admin", "/members/user", &body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["role"]),
            (200, &json!("user"))
        );
    }
    assert_eq!(app.db.commits().len(), before);
}

#[tokio::test]
async fn nothing_else_of_a_member_can_be_changed() {
    let app = TestApp::new().await;
    for (body, field) in [
        (json!({ "role": "owner" }), "role"),
        (json!({ "disabled": "yes" }), "disabled"),
        (json!({ "disabled": null }), "disabled"),
        (json!({ "organizationId": "o2" }), "organizationId"),
        (json!({ "email": "x@example.com" }), "email"),
    ] {
        let answer = app.patch("admin", "/members/user", &body).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{body}");
        assert_eq!(answer.fields(), [field]);
    }
}

#[tokio::test]
async fn who_is_no_member_is_not_there() {
    let app = TestApp::new().await;
    for uid in ["stranger", "nobody"] {
        let path = format!("/members/{uid}");
        let changed = app
            .patch("admin", &path, &json!({ "disabled": true }))
            .await;
        for answer in [changed, app.delete("admin", &path).await] {
            assert_eq!(answer.refusal(), (404, "not_found"), "{uid}");
            assert_eq!(answer.body["error"]["message"], "no such member");
        }
    }
}

#[tokio::test]
async fn the_last_admin_can_neither_step_down_nor_lock_itself_out() {
    let app = TestApp::new().await;
    let before = app.db.commits().len();
    for answer in [
        set_role(&app, "admin", "admin", "user").await,
        set_disabled(&app, "admin", true).await,
    ] {
        assert_eq!(answer.refusal(), (400, "failed_precondition"));
    }
    assert_eq!(app.db.commits().len(), before);
}

#[tokio::test]
async fn an_admin_that_is_locked_out_is_no_other_admin() {
    let app = TestApp::new().await;
    set_role(&app, "admin", "user", "admin").await;
    set_disabled(&app, "user", true).await;
    let refused = set_role(&app, "admin", "admin", "user").await;
    assert_eq!(refused.refusal(), (400, "failed_precondition"));
    set_disabled(&app, "user", false).await;
    let changed = set_role(&app, "admin", "admin", "viewer").await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(app.counted(&o1()).await, (1, 3));
}

#[tokio::test]
async fn who_is_removed_gets_an_organization_of_its_own() {
    let app = TestApp::new().await;
    set_disabled(&app, "user", true).await;
    let before = app.db.commits().len();
    assert_eq!(app.delete("admin", "/members/user").await.status, 204);
    assert_eq!(app.db.commits().len(), before + 1);
    let user = app.user("user").await;
    assert_eq!((user.role, user.disabled), (Role::Admin, false));
    let own = &user.organization_id;
    assert_eq!(app.counted(&o1()).await, (1, 2));
    assert_eq!(app.counted(own).await, (1, 1));
    let organization = app.get("user", "/organization").await.body;
    assert_eq!(organization["name"], "Personal organization");
    assert_eq!(organization["subscriptionTier"], "free");
    assert!(app.store.find_current_stats(own).await.unwrap().is_some());
    let subject = Some("user".to_owned());
    let removed = (
        AuditAction::MemberRemove,
        "admin".to_owned(),
        subject.clone(),
    );
    assert_eq!(app.deeds(&o1())[1..], [removed]);
    let made = AuditAction::OrganizationCreate;
    assert_eq!(app.deeds(own), [(made, "system:api".to_owned(), subject)]);
    assert_eq!(app.records(own)[0].metadata.0["reason"], "removed");
}

#[tokio::test]
async fn nobody_removes_itself() {
    let app = TestApp::new().await;
    let refused = app.delete("admin", "/members/admin").await;
    assert_eq!(refused.refusal(), (400, "failed_precondition"));
    let message = refused.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("leave"), "{message}");
}

#[tokio::test]
async fn of_parallel_removals_one_removes() {
    let app = TestApp::new().await;
    let answers = join_all((0..10).map(|_| app.delete("admin", "/members/user"))).await;
    assert_eq!(statuses(&answers)[..2], [204, 404]);
    assert_eq!(app.counted(&o1()).await, (1, 2));
    assert_eq!(app.db.count("organizations"), 3);
    assert_eq!(app.deeds(&o1()).len(), 1);
}

#[tokio::test]
async fn a_removal_whose_answer_is_lost_has_happened_once() {
    let app = TestApp::new().await;
    app.db.fail_next_commits(1, true);
    let lost = app.delete("admin", "/members/user").await;
    assert_eq!(lost.refusal(), (503, "unavailable"));
    let repeat = app.delete("admin", "/members/user").await;
    assert_eq!(repeat.refusal(), (404, "not_found"));
    assert_eq!(app.counted(&o1()).await, (1, 2));
    assert_eq!(app.deeds(&o1()).len(), 1);
}

#[tokio::test]
async fn two_admins_that_demote_each_other_leave_one() {
    for _ in 0..20 {
        let app = TestApp::new().await;
        app.add_user("admin2", "o1", Role::Admin).await;
        let answers = [
            set_role(&app, "admin", "admin2", "user"),
            set_role(&app, "admin2", "admin", "user"),
        ];
        let answers = join_all(answers).await;
        assert_eq!(statuses(&answers), [200, 403]);
        assert_eq!(acting_admins(&app, &["admin", "admin2"]).await, 1);
        assert_eq!(app.counted(&o1()).await, (1, 4));
        assert_eq!(app.deeds(&o1()).len(), 1);
    }
}

#[tokio::test]
async fn admins_that_all_step_down_leave_one() {
    for _ in 0..20 {
        let app = TestApp::new().await;
        for uid in ["admin2", "admin3"] {
            app.add_user(uid, "o1", Role::Admin).await;
        }
        let uids = ["admin", "admin2", "admin3"];
        let answers = join_all(uids.map(|uid| set_role(&app, uid, uid, "viewer"))).await;
        assert_eq!(statuses(&answers), [200, 200, 400]);
        assert_eq!(acting_admins(&app, &uids).await, 1);
        assert_eq!(app.counted(&o1()).await, (1, 5));
    }
}

#[tokio::test]
async fn an_admin_that_was_demoted_meanwhile_cannot_act_any_more() {
    for (before_demotion, before_removal) in distances() {
        let app = TestApp::new().await;
        for uid in ["admin2", "admin3"] {
            app.add_user(uid, "o1", Role::Admin).await;
        }
        let (demoted, removed) = tokio::join!(
            after_turns(before_demotion, set_role(&app, "admin", "admin2", "user")),
            after_turns(before_removal, app.delete("admin2", "/members/admin"))
        );
        // A third admin stays: only one of the two has still been one when it acted.
        let answers = [demoted.status.as_u16(), removed.status.as_u16()];
        assert!(
            matches!(answers, [200, 403] | [403 | 404, 204]),
            "{answers:?}"
        );
        assert_eq!(app.deeds(&o1()).len(), 1);
    }
}
