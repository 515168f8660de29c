use shared::{models::SubscriptionTier, store::organizations};

use super::*;
use crate::app::{after_turns, agent_request, distances};

/// Everything that a client can tell two answers apart by.
fn visible(answer: &Answer) -> (u16, &[u8]) {
    (answer.status.as_u16(), &answer.bytes)
}

async fn own(app: &TestApp, uid: &str) -> OrgId {
    app.user(uid).await.organization_id
}

#[tokio::test]
async fn who_accepts_moves_in_one_commit_and_is_on_record_in_both() {
    let (app, token) = app_with_invited_guest("user").await;
    let old = own(&app, "guest").await;
    let before = app.db.commits().len();
    let joined = accept(&app, "guest", &token).await;
    assert_eq!(joined.status, 200, "{}", joined.body);
    assert_eq!(joined.body, app.get("guest", "/me").await.body);
    assert_eq!(joined.body["organizationId"], "o1");
    assert_eq!(joined.body["role"], "user");
    assert_eq!(app.db.commits().len(), before + 1);
    assert_eq!(app.counted(&o1()).await, (1, 4));
    assert_eq!(app.counted(&old).await, (0, 0), "it is left behind empty");
    assert!(waiting(&app).is_empty());
    let guest = "guest".to_owned();
    let record = |action| (action, guest.clone(), Some(guest.clone()));
    assert_eq!(app.deeds(&o1())[1..], [record(AuditAction::MemberJoin)]);
    assert_eq!(app.deeds(&old)[1..], [record(AuditAction::MemberLeave)]);
}

#[tokio::test]
async fn an_organization_that_is_left_behind_forgets_its_name() {
    let (app, token) = app_with_invited_guest("user").await;
    let old = own(&app, "guest").await;
    let name = json!({ "name": "Grace Hopper's" });
    assert_eq!(app.patch("guest", "/organization", &name).await.status, 200);
    assert_eq!(accept(&app, "guest", &token).await.status, 200);
    let left = app.store.find_organization(&old).await.unwrap().unwrap();
    assert_eq!(left.value.name, "Closed organization");
    let joined = app.get("guest", "/organization").await.body;
    assert_eq!(joined["name"], "Ada's organization");
}

#[tokio::test]
async fn what_is_made_meanwhile_is_not_left_behind() {
    for delay in 0..60 {
        let (app, token) = app_with_invited_guest("user").await;
        let old = own(&app, "guest").await;
        let make = async {
            for _ in 0..delay {
                tokio::task::yield_now().await;
            }
            app.post("guest", "/agents", &agent_request()).await
        };
        let (accepted, _) = tokio::join!(accept(&app, "guest", &token), make);
        let quota = app.store.find_agent_quota(&old).await.unwrap();
        let left_behind = quota.map_or(0, |quota| quota.value.created);
        let outcome = (accepted.status.as_u16(), left_behind);
        assert!(
            matches!(outcome, (200, 0) | (400, 1)),
            "{delay}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_token_that_is_good_for_nothing_is_always_answered_the_same() {
    let (app, token) = app_with_invited_guest("user").await;
    add_guest(&app, "other").await;
    let (start, secret) = token.rsplit_once('.').unwrap();
    let (org_id, id) = start.split_once('.').unwrap();
    let zeros = "0".repeat(64);
    let unknown = accept(&app, "guest", &format!("o1.unknown.{zeros}")).await;
    assert_eq!(unknown.refusal(), (404, "not_found"));
    assert_eq!(unknown.body["error"]["message"], "no such invitation");
    let forged = [
        "x".to_owned(),
        format!("{start}.{zeros}"),
        format!("o2.{id}.{secret}"),
        format!("{org_id}.i1.{secret}"),
        token.to_uppercase(),
        format!("{token}0"),
    ];
    for text in forged {
        let answer = accept(&app, "guest", &text).await;
        assert_eq!(visible(&answer), visible(&unknown), "{text}");
    }
    let not_for_it = accept(&app, "other", &token).await;
    assert_eq!(visible(&not_for_it), visible(&unknown), "another's address");
    accept(&app, "guest", &token).await;
    let used = accept(&app, "guest", &token).await;
    assert_eq!(visible(&used), visible(&unknown), "used");

    let (app, token) = app_with_invited_guest("user").await;
    app.clock
        .advance(Duration::from_secs(LIFETIME_SECS.unsigned_abs()));
    let over = accept(&app, "guest", &token).await;
    assert_eq!(visible(&over), visible(&unknown), "over");
    let mut unverified = claims(&Uid::parse("guest").unwrap());
    unverified.email_verified = false;
    app.verifier.accept("unverified", unverified);
    let over = accept(&app, "unverified", &token).await;
    assert_eq!(visible(&over), visible(&unknown), "over, and unverified");
}

#[tokio::test]
async fn an_invitation_stands_until_its_last_second() {
    let (app, token) = app_with_invited_guest("user").await;
    app.clock
        .advance(Duration::from_secs(LIFETIME_SECS.unsigned_abs() - 1));
    assert_eq!(accept(&app, "guest", &token).await.status, 200);
}

#[tokio::test]
async fn an_unverified_address_is_told_so_only_if_it_is_the_invited_one() {
    let (app, token) = app_with_invited_guest("user").await;
    for (uid, expected) in [
        ("guest", (400, "failed_precondition")),
        ("stranger", (404, "not_found")),
    ] {
        let mut claims = claims(&Uid::parse(uid).unwrap());
        claims.email_verified = false;
        app.verifier.accept("unverified", claims);
        let answer = accept(&app, "unverified", &token).await;
        assert_eq!(answer.refusal(), expected, "{uid}");
    }
    let mut nameless = claims(&Uid::parse("guest").unwrap());
    nameless.email = None;
    app.verifier.accept("nameless", nameless);
    let answer = accept(&app, "nameless", &token).await;
    assert_eq!(answer.refusal(), (404, "not_found"));
    assert_eq!(waiting(&app).len(), 1, "it still waits");
}

#[tokio::test]
async fn an_invitation_falls_with_its_inviter() {
    for (change, expected) in [
        (json!({ "role": "viewer" }), 404),
        (json!({ "disabled": true }), 404),
        (json!({ "role": "admin" }), 200),
    ] {
        let app = TestApp::new().await;
        add_guest(&app, "guest").await;
        let invited = invite(&app, "user", "guest@example.com", "user").await;
        let token = token_of(&app, &invited).await;
        app.patch("admin", "/members/user", &change).await;
        let answer = accept(&app, "guest", &token).await;
        assert_eq!(answer.status, expected, "{change} {}", answer.body);
    }
    let app = TestApp::new().await;
    add_guest(&app, "guest").await;
    let invited = invite(&app, "user", "guest@example.com", "viewer").await;
    let token = token_of(&app, &invited).await;
    app.delete("admin", "/members/user").await;
    let answer = accept(&app, "guest", &token).await;
    assert_eq!(answer.refusal(), (404, "not_found"));
}

#[tokio::test]
async fn what_nobody_could_reach_any_more_is_not_left_behind() {
    let cases = [
        ("workflows", vec![seeds::workflow("w9")]),
        ("integrations", seeds::integration("int1", "guest")),
    ];
    for (what, writes) in cases {
        let (app, token) = app_with_invited_guest("user").await;
        let own = own(&app, "guest").await;
        let writes = writes.into_iter();
        let writes = writes.map(|write| seeds::of_organization(own.as_str(), write));
        app.store.commit(writes.collect()).await.unwrap();
        assert_kept(&app, &token, what).await;
    }
    let (app, token) = app_with_invited_guest("user").await;
    app.post("guest", "/agents", &agent_request()).await;
    assert_kept(&app, &token, "agents").await;

    let (app, token) = app_with_invited_guest("user").await;
    let own = own(&app, "guest").await;
    let mut paying = app.store.find_organization(&own).await.unwrap().unwrap();
    paying.value.subscription_tier = SubscriptionTier::Pro;
    let write = organizations::replace(&paying).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    assert_kept(&app, &token, "subscription").await;
}

async fn assert_kept(app: &TestApp, token: &str, what: &str) {
    let refused = accept(app, "guest", token).await;
    assert_eq!(refused.refusal(), (400, "failed_precondition"), "{what}");
    let message = refused.body["error"]["message"].as_str().unwrap();
    assert!(message.contains(what), "{what}: {message}");
    assert_eq!(waiting(app).len(), 1, "the invitation still waits");
}

#[tokio::test]
async fn members_of_others_move_unless_they_are_the_last_admin() {
    let (app, token) = app_with_invited_guest("user").await;
    let own = own(&app, "guest").await;
    app.add_user("colleague", own.as_str(), Role::User).await;
    let before = app.db.commits().len();
    // The counter was made with the organization; the colleague has come in past it.
    let count = app.store.find_member_count(&own).await.unwrap().unwrap();
    let mut two = count.value;
    two.members = 2;
    let write = organizations::set_member_count(&own, &two, Some(count.version)).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let refused = accept(&app, "guest", &token).await;
    assert_eq!(refused.refusal(), (400, "failed_precondition"));
    assert_eq!(app.db.commits().len(), before + 1);
    let promote = json!({ "role": "admin" });
    let promoted = app.patch("guest", "/members/colleague", &promote).await;
    assert_eq!(promoted.status, 200, "{}", promoted.body);
    // What is there stays reachable, so it does not matter.
    app.post("guest", "/agents", &agent_request()).await;
    assert_eq!(accept(&app, "guest", &token).await.status, 200);
    assert_eq!(app.counted(&own).await, (1, 1));
}

#[tokio::test]
async fn a_member_does_not_join_again() {
    let (app, token) = app_with_invited_guest("user").await;
    let mut as_viewer = claims(&Uid::parse("viewer").unwrap());
    as_viewer.email = Some("guest@example.com".to_owned());
    app.verifier.accept("viewer-with-two-addresses", as_viewer);
    let refused = accept(&app, "viewer-with-two-addresses", &token).await;
    assert_eq!(refused.refusal(), (409, "already_exists"));
    assert_eq!(waiting(&app).len(), 1);
}

#[tokio::test]
async fn of_parallel_acceptances_one_joins() {
    for _ in 0..20 {
        let (app, token) = app_with_invited_guest("admin").await;
        let answers = join_all((0..5).map(|_| accept(&app, "guest", &token))).await;
        let mut statuses: Vec<u16> = answers.iter().map(|it| it.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 404, 404, 404, 404]);
        assert_eq!(app.counted(&o1()).await, (2, 4));
        let joined = actions(&app, &o1());
        assert_eq!(joined[1..], [AuditAction::MemberJoin]);
    }
}

#[tokio::test]
async fn an_invitation_is_either_used_or_withdrawn() {
    for _ in 0..20 {
        let (app, token) = app_with_invited_guest("user").await;
        let path = format!("{INVITATIONS}/{}", waiting(&app)[0].id);
        let (accepted, withdrawn) =
            tokio::join!(accept(&app, "guest", &token), app.delete("admin", &path));
        let outcome = (accepted.status.as_u16(), withdrawn.status.as_u16());
        assert!(matches!(outcome, (200, 404) | (404, 204)), "{outcome:?}");
        assert_eq!(app.records(&o1()).len(), 2);
    }
}

#[tokio::test]
async fn nobody_joins_by_somebody_who_has_just_lost_its_role() {
    for (before_acceptance, before_demotion) in distances() {
        let app = TestApp::new().await;
        add_guest(&app, "guest").await;
        let invited = invite(&app, "user", "guest@example.com", "user").await;
        let token = token_of(&app, &invited).await;
        let demote = json!({ "role": "viewer" });
        let (accepted, demoted) = tokio::join!(
            after_turns(before_acceptance, accept(&app, "guest", &token)),
            after_turns(
                before_demotion,
                app.patch("admin", "/members/user", &demote)
            )
        );
        assert_eq!(demoted.status, 200);
        let (joined, changed) = (AuditAction::MemberJoin, AuditAction::MemberUpdate);
        let expected: &[AuditAction] = match accepted.status.as_u16() {
            200 => &[joined, changed],
            _ => &[changed],
        };
        assert_eq!(actions(&app, &o1())[1..], *expected);
    }
}

#[tokio::test]
async fn an_acceptance_whose_answer_is_lost_has_joined_once() {
    let (app, token) = app_with_invited_guest("user").await;
    app.db.fail_next_commits(1, true);
    let lost = accept(&app, "guest", &token).await;
    assert_eq!(lost.refusal(), (503, "unavailable"));
    let repeat = accept(&app, "guest", &token).await;
    assert_eq!(repeat.refusal(), (404, "not_found"));
    assert_eq!(own(&app, "guest").await, o1());
    assert_eq!(app.counted(&o1()).await, (1, 4));
}
