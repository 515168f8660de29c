//! A sign-up, however often it is told, makes one of each.

use futures::future::join_all;
use shared::{
    ids::{OrgId, Uid},
    models::{AuditAction, AuditLog, OutboxState, Role, SubscriptionTier, User},
    outbox,
    provision::{NewUser, Provisioned, ensure_user},
    store::{Store, decode},
    testing::{memory_store, trail},
};

use crate::support::{CALLER, time};

fn new_user(uid: &str) -> NewUser {
    NewUser {
        uid: Uid::parse(uid).unwrap(),
        email: Some("Ada@Example.com".to_owned()),
        email_verified: true,
        display_name: Some("Ada\u{7} Lovelace ".to_owned()),
    }
}

async fn provision(store: &Store, new_user: NewUser) -> Provisioned {
    ensure_user(store, &trail(store), new_user, time("2026-11-23T12:00:00Z"))
        .await
        .unwrap()
}

#[tokio::test]
async fn five_parallel_sign_ups_make_one_of_each() {
    let (store, db) = memory_store();
    let all = join_all((0..5).map(|_| provision(&store, new_user("u1")))).await;
    assert_eq!(all.iter().filter(|one| one.created).count(), 1);
    for collection in ["users", "organizations", "outbox", "audit_logs"] {
        assert_eq!(db.count(collection), 1, "{collection}");
    }
    let users: Vec<&User> = all.iter().map(|one| &one.user).collect();
    assert!(
        users.windows(2).all(|pair| pair[0] == pair[1]),
        "all tell the same user"
    );
    assert!(
        all.windows(2)
            .all(|pair| pair[0].outbox_id == pair[1].outbox_id)
    );
}

#[tokio::test]
async fn the_user_administers_a_free_organization() {
    let (store, _db) = memory_store();
    let user = provision(&store, new_user("u1")).await.user;
    assert_eq!(user.email.as_deref(), Some("ada@example.com"));
    assert_eq!(user.role, Role::Admin);
    let organization = store
        .find_organization(&user.organization_id)
        .await
        .unwrap()
        .unwrap()
        .value;
    assert_eq!(organization.subscription_tier, SubscriptionTier::Free);
    assert_eq!(organization.name, "Ada Lovelace's organization");
    let stats = store
        .find_current_stats(&user.organization_id)
        .await
        .unwrap()
        .unwrap()
        .value;
    assert_eq!((stats.tokens, stats.period.as_str()), (0, "2026-11"));
}

#[tokio::test]
async fn the_user_is_counted_as_the_one_admin() {
    let (store, _db) = memory_store();
    let user = provision(&store, new_user("u1")).await.user;
    let count = store.find_member_count(&user.organization_id).await;
    let count = count.unwrap().unwrap().value;
    assert_eq!((count.admins, count.members), (1, 1));
}

#[tokio::test]
async fn the_organization_is_recorded_as_made_by_the_user() {
    let (store, db) = memory_store();
    let user = provision(&store, new_user("u1")).await.user;
    let documents = db.documents("audit_logs/");
    let record: AuditLog = decode(&documents[0]).unwrap();
    assert_eq!(record.action, AuditAction::OrganizationCreate);
    assert_eq!(
        (record.actor_id.as_str(), &record.org_id),
        ("u1", &user.organization_id)
    );
}

#[tokio::test]
async fn the_welcome_mail_waits_in_the_outbox() {
    let (store, _db) = memory_store();
    let provisioned = provision(&store, new_user("u1")).await;
    let id = provisioned.outbox_id.unwrap();
    assert_eq!(id, outbox::welcome_id(&provisioned.user.uid));
    let row = store
        .find_outbox_row(&CALLER, &id)
        .await
        .unwrap()
        .unwrap()
        .value;
    assert_eq!((row.state, row.attempts), (OutboxState::Pending, 0));
    assert_eq!(row.org_id, provisioned.user.organization_id);
}

#[tokio::test]
async fn an_account_without_an_address_gets_no_mail() {
    let (store, _db) = memory_store();
    let nameless = NewUser {
        email: None,
        display_name: None,
        ..new_user("u2")
    };
    let provisioned = provision(&store, nameless).await;
    assert_eq!(provisioned.outbox_id, None);
    let id = outbox::welcome_id(&provisioned.user.uid);
    assert!(store.find_outbox_row(&CALLER, &id).await.unwrap().is_none());
}

#[tokio::test]
async fn the_organizations_name_never_tells_the_address() {
    let (store, _db) = memory_store();
    for display_name in [None, Some("  ".to_owned()), Some("x".repeat(500))] {
        let uid = format!("u{}", display_name.as_ref().map_or(0, String::len));
        let user = provision(
            &store,
            NewUser {
                display_name,
                ..new_user(&uid)
            },
        )
        .await
        .user;
        let organization = store
            .find_organization(&user.organization_id)
            .await
            .unwrap()
            .unwrap();
        let name = organization.value.name;
        assert!(
            !name.contains("ada") && (1..=200).contains(&name.chars().count()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn another_uid_gets_another_organization() {
    let (store, _db) = memory_store();
    let first = provision(&store, new_user("u1")).await.user.organization_id;
    let second = provision(&store, new_user("u2")).await.user.organization_id;
    assert_ne!(first, second);
    assert_eq!(first, OrgId::derive(&["personal", "u1"]));
}

#[tokio::test]
async fn everything_is_made_in_one_commit() {
    let (store, db) = memory_store();
    provision(&store, new_user("u1")).await;
    assert_eq!(db.commits().len(), 1);
    provision(&store, new_user("u1")).await;
    assert_eq!(db.commits().len(), 1, "a repeat writes nothing");
}

#[tokio::test]
async fn a_sign_up_whose_commit_was_answered_by_silence_is_found_by_the_repeat() {
    let (store, db) = memory_store();
    db.fail_next_commits(1, true);
    let now = time("2026-11-23T12:00:00Z");
    ensure_user(&store, &trail(&store), new_user("u1"), now)
        .await
        .unwrap_err();
    let repeat = provision(&store, new_user("u1")).await;
    assert!(!repeat.created && repeat.outbox_id.is_some());
    assert_eq!((db.count("users"), db.count("organizations")), (1, 1));
}
