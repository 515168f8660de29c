mod acceptance;

use std::time::Duration;

use futures::future::join_all;
use http::{Method, header::LOCATION};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared::{
    ids::{OrgId, RecordId, Uid},
    invitation::LIFETIME_SECS,
    models::{AuditAction, Invitation, OutboxMessage, OutboxRow, Role},
    store::{Write, decode, invitations},
    testing::{claims, invitation_links},
};

use crate::{
    app::{Answer, TestApp, after_turns, distances, json_body, request},
    seeds::{self, now},
};

const INVITATIONS: &str = "/organization/invitations";

fn o1() -> OrgId {
    OrgId::parse("o1").unwrap()
}

pub(crate) async fn invite(app: &TestApp, token: &str, email: &str, role: &str) -> Answer {
    let body = json!({ "email": email, "role": role });
    app.post(token, INVITATIONS, &body).await
}

pub(crate) async fn accept(app: &TestApp, caller: &str, token: &str) -> Answer {
    let body = json!({ "token": token });
    app.post(caller, "/invitations/accept", &body).await
}

/// A new user with a verified address at `example.com`, alone in an organization of its own.
async fn add_guest(app: &TestApp, uid: &str) {
    app.verifier.accept(uid, claims(&Uid::parse(uid).unwrap()));
    app.get(uid, "/me").await;
}

/// The token that the mail of an invitation carries.
pub(crate) async fn token_of(app: &TestApp, answer: &Answer) -> String {
    let id = RecordId::parse(answer.body["id"].as_str().unwrap()).unwrap();
    let invitation = app.store.find_invitation(&o1(), &id).await.unwrap();
    let link = invitation_links().find(&invitation.unwrap().value).await;
    let link = link.unwrap().unwrap();
    let (_, token) = link.expose_secret().split_once("#token=").unwrap();
    token.to_owned()
}

/// `guest`, alone in its own organization, and the token of its invitation into `o1`.
async fn app_with_invited_guest(role: &str) -> (TestApp, String) {
    let app = TestApp::new().await;
    add_guest(&app, "guest").await;
    let invited = invite(&app, "admin", "guest@example.com", role).await;
    assert_eq!(invited.status, 201, "{}", invited.body);
    let token = token_of(&app, &invited).await;
    (app, token)
}

fn waiting(app: &TestApp) -> Vec<Invitation> {
    let found = app.db.documents("organizations/o1/invitations/");
    found.iter().map(|found| decode(found).unwrap()).collect()
}

fn actions(app: &TestApp, org_id: &OrgId) -> Vec<AuditAction> {
    let deeds = app.deeds(org_id).into_iter();
    deeds.map(|(action, _, _)| action).collect()
}

/// Invitations of `o1` that end so many seconds from now.
async fn seed_waiting(app: &TestApp, count: usize, seconds: i64) {
    let writes = (0..count).map(|n| {
        let mut invitation = seeds::invitation_model(&format!("s{seconds}-{n}"), "o1");
        invitation.expires_at = now().plus_seconds(seconds);
        invitations::create(&invitation).unwrap()
    });
    let writes: Vec<Write> = writes.collect();
    app.store.commit(writes).await.unwrap();
}

#[tokio::test]
async fn an_invitation_tells_everything_but_its_token() {
    let app = TestApp::new().await;
    let before = app.db.commits().len();
    let invited = invite(&app, "user", "Guest@Example.com", "viewer").await;
    assert_eq!(invited.status, 201, "{}", invited.body);
    let id = invited.body["id"].as_str().unwrap();
    let expected = json!({
        "id": id,
        "email": "guest@example.com",
        "role": "viewer",
        "expiresAt": "2026-11-30T12:00:00Z",
        "invitedBy": "user",
    });
    assert_eq!(invited.body, expected);
    let location = format!("/api/v1{INVITATIONS}/{id}");
    assert_eq!(invited.headers[LOCATION], location);
    assert_eq!(app.db.commits().len(), before + 1);
    let listing = app.get("admin", INVITATIONS).await.body;
    assert_eq!(listing, json!({ "items": [expected] }));
}

#[tokio::test]
async fn the_mail_and_the_record_are_in_the_commit_of_the_invitation() {
    let app = TestApp::new().await;
    let before = app.db.commits().len();
    let invited = invite(&app, "user", "guest@example.com", "user").await;
    assert_eq!(app.db.commits().len(), before + 1);
    let rows = app.db.documents("outbox/");
    let [row] = rows.as_slice() else {
        panic!("{} rows", rows.len());
    };
    let row: OutboxRow = decode(row).unwrap();
    let OutboxMessage::Invitation { invitation_id } = row.message else {
        panic!("{row:?}");
    };
    assert_eq!(invitation_id.as_str(), invited.body["id"]);
    let records = app.records(&o1());
    let [record] = records.as_slice() else {
        panic!("{records:?}");
    };
    assert_eq!(record.action, AuditAction::InvitationCreate);
    assert_eq!(
        (record.actor_id.as_str(), &record.subject_id),
        ("user", &None)
    );
    let metadata = json!({ "invitationId": invitation_id, "role": "user" });
    assert_eq!(record.metadata.0, metadata, "no address");
}

#[tokio::test]
async fn nobody_invites_above_itself() {
    let app = TestApp::new().await;
    let before = app.db.commits().len();
    let refused = invite(&app, "user", "guest@example.com", "admin").await;
    assert_eq!(refused.refusal(), (403, "permission_denied"));
    assert_eq!(app.db.commits().len(), before);
    for role in ["user", "viewer"] {
        let email = format!("{role}@example.org");
        assert_eq!(invite(&app, "user", &email, role).await.status, 201);
    }
    let above = invite(&app, "admin", "guest@example.com", "admin").await;
    assert_eq!(above.status, 201);
}

#[tokio::test]
async fn nobody_withdraws_an_invitation_to_a_role_above_its_own() {
    let (app, token) = app_with_invited_guest("admin").await;
    let (before, waits) = (app.db.commits().len(), waiting(&app));
    for role in ["user", "viewer"] {
        let refused = invite(&app, "user", "GUEST@example.com", role).await;
        assert_eq!(refused.refusal(), (403, "permission_denied"));
    }
    assert_eq!((app.db.commits().len(), waiting(&app)), (before, waits));
    assert_eq!(accept(&app, "guest", &token).await.body["role"], "admin");
}

#[tokio::test]
async fn an_invitation_that_is_over_stands_in_nobodys_way() {
    let app = TestApp::new().await;
    let mut over = seeds::invitation_model("guest", "o1");
    over.role = Role::Admin;
    over.expires_at = now();
    let write = invitations::create(&over).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let invited = invite(&app, "user", "guest@example.com", "user").await;
    assert_eq!(invited.status, 201, "{}", invited.body);
    let metadata = &app.records(&o1())[0].metadata.0;
    assert!(metadata.get("replaces").is_none(), "{metadata}");
}

#[tokio::test]
async fn only_who_has_shown_to_own_its_address_invites() {
    let app = TestApp::new().await;
    let before = app.db.commits().len();
    let mut unverified = claims(&Uid::parse("admin").unwrap());
    unverified.email_verified = false;
    app.verifier.accept("unverified", unverified);
    let refused = invite(&app, "unverified", "guest@example.com", "user").await;
    assert_eq!(refused.refusal(), (400, "failed_precondition"));
    let message = &refused.body["error"]["message"];
    assert_eq!(message, "verify your e-mail address first");
    assert_eq!(app.db.commits().len(), before);
}

#[tokio::test]
async fn a_member_is_not_invited_again() {
    let app = TestApp::new().await;
    let refused = invite(&app, "admin", "Viewer@example.com", "user").await;
    assert_eq!(refused.refusal(), (409, "already_exists"));
    let stranger = invite(&app, "admin", "stranger@example.com", "user").await;
    assert_eq!(stranger.status, 201, "a member elsewhere may be");
}

#[tokio::test]
async fn what_is_no_address_or_role_is_refused_by_field() {
    let app = TestApp::new().await;
    for (body, field) in [
        (json!({ "email": "guest", "role": "user" }), "email"),
        (
            json!({ "email": "a@b.example\r\nBcc: c@d.example", "role": "user" }),
            "email",
        ),
        (
            json!({ "email": "a@b.example, c@d.example", "role": "user" }),
            "email",
        ),
        (json!({ "email": "a@b.example", "role": "owner" }), "role"),
        (
            json!({ "email": "a@b.example", "role": "user", "token": "x" }),
            "token",
        ),
    ] {
        let answer = app.post("admin", INVITATIONS, &body).await;
        assert_eq!(answer.refusal(), (400, "invalid_argument"), "{body}");
        assert_eq!(answer.fields(), [field]);
    }
}

#[tokio::test]
async fn a_second_invitation_of_an_address_replaces_the_first() {
    let (app, first) = app_with_invited_guest("viewer").await;
    let replaced = waiting(&app)[0].id.clone();
    let again = invite(&app, "admin", "GUEST@example.com", "user").await;
    assert_eq!(waiting(&app).len(), 1);
    let id = &again.body["id"];
    let metadata = json!({ "invitationId": id, "role": "user", "replaces": replaced });
    assert_eq!(app.records(&o1())[1].metadata.0, metadata);
    assert_eq!(
        accept(&app, "guest", &first).await.refusal(),
        (404, "not_found")
    );
    let token = token_of(&app, &again).await;
    let joined = accept(&app, "guest", &token).await;
    assert_eq!(joined.body["role"], "user", "{}", joined.body);
}

#[tokio::test]
async fn parallel_invitations_of_an_address_leave_one() {
    for (before_first, before_second) in distances() {
        let app = TestApp::new().await;
        let send = || invite(&app, "admin", "guest@example.com", "user");
        let (first, second) = tokio::join!(
            after_turns(before_first, send()),
            after_turns(before_second, send())
        );
        assert_eq!([first.status, second.status], [201, 201]);
        assert_eq!(waiting(&app).len(), 1);
        assert_eq!(app.records(&o1()).len(), 2);
    }
}

#[tokio::test]
async fn what_an_invitation_replaces_is_on_record_however_late_that_came() {
    for delay in 0..40 {
        let app = TestApp::new().await;
        let late = async {
            for _ in 0..delay {
                tokio::task::yield_now().await;
            }
            invite(&app, "user", "guest@example.com", "user").await
        };
        tokio::join!(invite(&app, "admin", "guest@example.com", "user"), late);
        let records = app.records(&o1());
        let (first, next) = (&records[0].metadata.0, &records[1].metadata.0);
        assert_eq!(next["replaces"], first["invitationId"], "{delay}");
    }
}

#[tokio::test]
async fn a_hundred_invitations_may_wait() {
    let app = TestApp::new().await;
    seed_waiting(&app, 99, 60).await;
    let emails: Vec<String> = (0..5).map(|n| format!("guest{n}@example.com")).collect();
    let answers = emails
        .iter()
        .map(|email| invite(&app, "admin", email, "user"));
    let answers = join_all(answers).await;
    let made = answers.iter().filter(|answer| answer.status == 201);
    assert_eq!(made.count(), 1, "exactly one place was left");
    assert_eq!(waiting(&app).len(), 100);
    let refused = invite(&app, "admin", "other@example.com", "user").await;
    assert_eq!(refused.refusal(), (429, "resource_exhausted"));
    let again = invite(&app, "admin", "s60-1@example.com", "user").await;
    assert_eq!(
        again.status, 201,
        "one that replaces another takes no place"
    );
}

#[tokio::test]
async fn invitations_that_are_over_take_no_place() {
    let app = TestApp::new().await;
    seed_waiting(&app, 100, 60).await;
    app.clock.advance(Duration::from_secs(60));
    assert_eq!(app.get("admin", INVITATIONS).await.body["items"], json!([]));
    let invited = invite(&app, "admin", "guest@example.com", "user").await;
    assert_eq!(invited.status, 201, "{}", invited.body);
    assert_eq!(waiting(&app).len(), 1, "and are taken away");
}

#[tokio::test]
async fn a_repeat_under_a_key_sends_one_mail() {
    let app = TestApp::new().await;
    let send = async |key: &str, email: &str| {
        let body = json!({ "email": email, "role": "user" });
        let request = request(Method::POST, INVITATIONS, "admin").header("Idempotency-Key", key);
        app.send(json_body(request, &body)).await
    };
    let first = send("k1", "guest@example.com").await;
    let repeats = join_all((0..5).map(|_| send("k1", "guest@example.com"))).await;
    for repeat in repeats {
        assert_eq!((repeat.status, &repeat.body), (first.status, &first.body));
    }
    let other = send("k1", "other@example.com").await;
    assert_eq!(other.refusal(), (409, "already_exists"));
    assert_eq!((waiting(&app).len(), app.db.count("outbox")), (1, 1));
}

#[tokio::test]
async fn an_invitation_that_is_withdrawn_lets_nobody_in() {
    let (app, token) = app_with_invited_guest("user").await;
    let id = waiting(&app)[0].id.clone();
    let path = format!("{INVITATIONS}/{id}");
    assert_eq!(app.delete("admin", &path).await.status, 204);
    assert_eq!(app.get("admin", INVITATIONS).await.body["items"], json!([]));
    assert_eq!(
        accept(&app, "guest", &token).await.refusal(),
        (404, "not_found")
    );
    assert_eq!(
        app.delete("admin", &path).await.refusal(),
        (404, "not_found")
    );
    let (made, revoked) = (AuditAction::InvitationCreate, AuditAction::InvitationRevoke);
    assert_eq!(actions(&app, &o1()), [made, revoked]);
}

#[tokio::test]
async fn who_signs_up_with_an_invited_address_is_a_member_from_the_start() {
    let app = TestApp::new().await;
    invite(&app, "admin", "guest@example.com", "viewer").await;
    add_guest(&app, "guest").await;
    let me: Value = app.get("guest", "/me").await.body;
    assert_eq!(
        (&me["organizationId"], &me["role"]),
        (&json!("o1"), &json!("viewer"))
    );
    assert_eq!(app.counted(&o1()).await, (1, 4));
    assert!(waiting(&app).is_empty());
}
