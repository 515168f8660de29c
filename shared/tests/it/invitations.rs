//! Who signs up where an invitation waits joins; its mail carries the one link.

mod mail;

use std::sync::Arc;

use futures::future::join_all;
use shared::{
    crypto::LocalMac,
    ids::{OrgId, RecordId, Uid},
    invitation::{LIFETIME_SECS, Tokens},
    models::{AuditAction, AuditLog, Invitation, MemberCount, Role, User},
    provision::{NewUser, Provisioned, ensure_user},
    store::{Store, Versioned, decode, invitations, users},
    testing::{MemoryDb, memory_store, trail},
};

use crate::support::{CALLER, time};

const NOW: &str = "2026-11-23T12:00:00Z";
const ADDRESS: &str = "grace@example.com";

fn uid(text: &str) -> Uid {
    Uid::parse(text).unwrap()
}

fn tokens() -> Tokens {
    Tokens::new(Arc::new(LocalMac::new("test".into())))
}

/// A store with the organization of `ada`, and a way into it.
struct Fixture {
    store: Store,
    db: Arc<MemoryDb>,
    org_id: OrgId,
}

impl Fixture {
    async fn new() -> Self {
        let (store, db) = memory_store();
        let ada = NewUser {
            uid: uid("ada"),
            email: Some("ada@example.com".to_owned()),
            email_verified: true,
            display_name: Some("Ada".to_owned()),
        };
        let provisioned = ensure_user(&store, &trail(&store), ada, time(NOW)).await;
        Self {
            org_id: provisioned.unwrap().user.organization_id,
            store,
            db,
        }
    }

    /// An invitation of [`ADDRESS`] by `ada`, made some seconds ago.
    async fn invite(&self, role: Role, age: i64) -> Invitation {
        let id = RecordId::generate();
        let created_at = time(NOW).plus_seconds(-age);
        let invitation = Invitation {
            token_hash: tokens().hash(&self.org_id, &id).await.unwrap(),
            id,
            org_id: self.org_id.clone(),
            email: ADDRESS.to_owned(),
            role,
            invited_by: uid("ada"),
            expires_at: created_at.plus_seconds(LIFETIME_SECS),
            created_at,
        };
        self.keep(&invitation).await;
        invitation
    }

    async fn keep(&self, invitation: &Invitation) {
        let write = invitations::create(invitation).unwrap();
        self.store.commit(vec![write]).await.unwrap();
    }

    async fn sign_up(&self, new_user: NewUser) -> Provisioned {
        let trail = trail(&self.store);
        ensure_user(&self.store, &trail, new_user, time(NOW))
            .await
            .unwrap()
    }

    async fn ada(&self) -> Versioned<User> {
        self.store.find_user(&uid("ada")).await.unwrap().unwrap()
    }

    async fn change_ada(&self, change: impl FnOnce(&mut User)) {
        let mut ada = self.ada().await;
        change(&mut ada.value);
        let write = users::set_membership(&ada).unwrap();
        self.store.commit(vec![write]).await.unwrap();
    }

    async fn count(&self) -> MemberCount {
        let count = self.store.find_member_count(&self.org_id).await.unwrap();
        count.unwrap().value
    }

    fn invitations(&self) -> usize {
        self.db
            .count(&format!("organizations/{}/invitations", self.org_id))
    }

    fn records_of_joining(&self) -> Vec<AuditLog> {
        let records = self.db.documents("audit_logs/");
        let records = records.iter().map(|record| decode(record).unwrap());
        records
            .filter(|record: &AuditLog| record.action == AuditAction::MemberJoin)
            .collect()
    }
}

fn grace() -> NewUser {
    NewUser {
        uid: uid("grace"),
        email: Some("Grace@Example.com".to_owned()),
        email_verified: true,
        display_name: None,
    }
}

#[tokio::test]
async fn who_is_invited_joins_instead_of_getting_an_own_organization() {
    let fixture = Fixture::new().await;
    let invitation = fixture.invite(Role::Viewer, 60).await;
    let before = fixture.db.commits().len();
    let provisioned = fixture.sign_up(grace()).await;
    assert_eq!(provisioned.user.organization_id, fixture.org_id);
    assert_eq!(provisioned.user.role, Role::Viewer);
    assert_eq!(fixture.db.count("organizations"), 1);
    assert_eq!(fixture.invitations(), 0, "it is used up");
    let count = fixture.count().await;
    assert_eq!((count.admins, count.members), (1, 2));
    assert_eq!(fixture.db.commits().len(), before + 1, "in one commit");
    let records = fixture.records_of_joining();
    let [record] = records.as_slice() else {
        panic!("not one record: {records:?}");
    };
    assert_eq!(record.org_id, fixture.org_id);
    assert_eq!(record.actor_id, "grace");
    assert_eq!(record.subject_id.as_deref(), Some("grace"));
    assert_eq!(record.metadata.0["invitationId"], invitation.id.as_str());
}

#[tokio::test]
async fn the_welcome_mail_is_sent_as_before_and_names_the_organization() {
    let fixture = Fixture::new().await;
    fixture.invite(Role::User, 60).await;
    let provisioned = fixture.sign_up(grace()).await;
    let id = provisioned.outbox_id.unwrap();
    let row = fixture.store.find_outbox_row(&CALLER, &id).await.unwrap();
    assert_eq!(row.unwrap().value.org_id, fixture.org_id);
}

#[tokio::test]
async fn five_parallel_sign_ups_join_once() {
    for _ in 0..20 {
        let fixture = Fixture::new().await;
        fixture.invite(Role::User, 60).await;
        let all = join_all((0..5).map(|_| fixture.sign_up(grace()))).await;
        assert_eq!(all.iter().filter(|one| one.created).count(), 1);
        assert!(all.iter().all(|one| one.user == all[0].user));
        assert_eq!(fixture.count().await.members, 2);
        assert_eq!(fixture.records_of_joining().len(), 1);
    }
}

#[tokio::test]
async fn many_may_join_at_the_same_time() {
    let fixture = Fixture::new().await;
    let sign_ups = (0..10).map(async |n| {
        let mut invitation = fixture.invite(Role::Admin, n).await;
        invitation.id = RecordId::generate();
        invitation.email = format!("user{n}@example.com");
        fixture.keep(&invitation).await;
        let new_user = NewUser {
            uid: uid(&format!("user{n}")),
            email: Some(invitation.email),
            ..grace()
        };
        fixture.sign_up(new_user).await
    });
    let all = join_all(sign_ups).await;
    assert!(
        all.iter()
            .all(|one| one.user.organization_id == fixture.org_id)
    );
    let count = fixture.count().await;
    assert_eq!((count.admins, count.members), (11, 11));
    assert_eq!(fixture.records_of_joining().len(), 10);
}

#[tokio::test]
async fn the_newest_invitation_wins() {
    let fixture = Fixture::new().await;
    for (role, age) in [(Role::Viewer, 60), (Role::User, 1), (Role::Admin, 600)] {
        fixture.invite(role, age).await;
    }
    assert_eq!(fixture.sign_up(grace()).await.user.role, Role::User);
    assert_eq!(fixture.invitations(), 2);
}

/// The user signs up and gets an organization of its own.
async fn assert_not_joined(fixture: &Fixture, new_user: NewUser, why: &str) {
    let expected = OrgId::derive(&["personal", new_user.uid.as_str()]);
    let user = fixture.sign_up(new_user).await.user;
    assert_eq!(user.organization_id, expected, "{why}");
    assert_eq!(user.role, Role::Admin, "{why}");
    assert_eq!(fixture.invitations(), 1, "{why}");
    assert_eq!(fixture.count().await.members, 1, "{why}");
}

#[tokio::test]
async fn an_address_that_is_not_shown_to_be_ones_own_joins_nothing() {
    let unverified = NewUser {
        email_verified: false,
        ..grace()
    };
    let other = NewUser {
        email: Some("grace@example.org".to_owned()),
        ..grace()
    };
    let nobody = NewUser {
        email: None,
        ..grace()
    };
    for (new_user, why) in [
        (unverified, "unverified"),
        (other, "another address"),
        (nobody, "no address"),
    ] {
        let fixture = Fixture::new().await;
        fixture.invite(Role::User, 60).await;
        assert_not_joined(&fixture, new_user, why).await;
    }
}

#[tokio::test]
async fn an_invitation_that_is_over_lets_nobody_in() {
    let fixture = Fixture::new().await;
    fixture.invite(Role::User, LIFETIME_SECS).await;
    assert_not_joined(&fixture, grace(), "over").await;
}

#[tokio::test]
async fn an_invitation_falls_with_its_inviter() {
    for why in ["demoted", "locked out", "gone"] {
        let fixture = Fixture::new().await;
        fixture.invite(Role::User, 60).await;
        let change = |ada: &mut User| match why {
            "demoted" => ada.role = Role::Viewer,
            "locked out" => ada.disabled = true,
            _ => ada.organization_id = OrgId::derive(&["x"]),
        };
        fixture.change_ada(change).await;
        assert_not_joined(&fixture, grace(), why).await;
    }
}

#[tokio::test]
async fn an_inviter_whose_role_is_still_high_enough_may_be_demoted() {
    let fixture = Fixture::new().await;
    fixture.invite(Role::User, 60).await;
    fixture.change_ada(|ada| ada.role = Role::User).await;
    let user = fixture.sign_up(grace()).await.user;
    assert_eq!(user.organization_id, fixture.org_id);
}

#[tokio::test]
async fn a_sign_up_whose_answer_is_lost_has_joined_once() {
    let fixture = Fixture::new().await;
    fixture.invite(Role::User, 60).await;
    fixture.db.fail_next_commits(1, true);
    let trail = trail(&fixture.store);
    let lost = ensure_user(&fixture.store, &trail, grace(), time(NOW)).await;
    lost.unwrap_err();
    let repeat = fixture.sign_up(grace()).await;
    assert!(!repeat.created);
    assert_eq!(repeat.user.organization_id, fixture.org_id);
    assert_eq!(fixture.count().await.members, 2);
}
