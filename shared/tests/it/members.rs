//! The last admin stays, whoever changes what at the same time.

use shared::{
    ids::{OrgId, Uid},
    members::{Error, Members},
    models::{MemberCount, Role, User},
    store::{Store, Write, organizations, users},
    testing::memory_store,
};

use crate::support::time;

const NOW: &str = "2026-11-23T12:00:00Z";

fn o1() -> OrgId {
    OrgId::parse("o1").unwrap()
}

fn user(uid: &str, role: Role) -> User {
    User {
        uid: Uid::parse(uid).unwrap(),
        email: None,
        role,
        organization_id: o1(),
        created_at: time(NOW),
        settings: [].into(),
        disabled: false,
        tokens_valid_after: None,
    }
}

fn locked_out(user: &User) -> User {
    User {
        disabled: true,
        ..user.clone()
    }
}

async fn store_of(members: &[User]) -> Store {
    let (store, _db) = memory_store();
    let writes = members.iter().map(|user| users::create(user).unwrap());
    store.commit(writes.collect()).await.unwrap();
    store
}

async fn members(store: &Store) -> Members {
    Members::load(store, &o1()).await.unwrap()
}

async fn counted(store: &Store, write: Write) -> MemberCount {
    store.commit(vec![write]).await.unwrap();
    let count = store.find_member_count(&o1()).await.unwrap();
    count.unwrap().value
}

fn is_last_admin(result: &Result<Write, Error>) -> bool {
    matches!(result, Err(Error::LastAdmin))
}

#[tokio::test]
async fn without_a_counter_all_members_are_counted() {
    let mut everybody: Vec<User> = (0..700)
        .map(|n| user(&format!("u{n}"), Role::Viewer))
        .collect();
    everybody.push(user("a1", Role::Admin));
    everybody.push(locked_out(&user("a2", Role::Admin)));
    let store = store_of(&everybody).await;
    let write = members(&store).await.join(Role::User).unwrap();
    let count = counted(&store, write).await;
    assert_eq!((count.admins, count.members), (1, 703));
}

#[tokio::test]
async fn the_counter_goes_on_from_where_it_was() {
    let admin = user("a1", Role::Admin);
    let store = store_of(std::slice::from_ref(&admin)).await;
    let write = members(&store).await.join(Role::Admin).unwrap();
    counted(&store, write).await;
    let write = members(&store).await.leave(&admin).unwrap();
    let count = counted(&store, write).await;
    assert_eq!((count.admins, count.members), (1, 1));
}

#[tokio::test]
async fn every_change_is_one_even_if_the_numbers_stay() {
    let (before, after) = (user("u1", Role::User), user("u1", Role::Viewer));
    let store = store_of(&[user("a1", Role::Admin), before.clone()]).await;
    let write = members(&store).await.join(Role::User).unwrap();
    counted(&store, write).await;
    let (first, second) = (members(&store).await, members(&store).await);
    counted(&store, first.change(&before, &after).unwrap()).await;
    let late = store.commit(vec![second.change(&before, &after).unwrap()]);
    assert!(late.await.unwrap_err().is_lost_race());
}

#[tokio::test]
async fn of_two_first_changes_the_second_reads_again() {
    let store = store_of(&[user("a1", Role::Admin)]).await;
    let (first, second) = (members(&store).await, members(&store).await);
    counted(&store, first.join(Role::User).unwrap()).await;
    let late = store.commit(vec![second.join(Role::User).unwrap()]).await;
    assert!(late.unwrap_err().is_lost_race());
}

#[tokio::test]
async fn the_last_admin_that_can_act_cannot_go_while_others_stay() {
    let admin = user("a1", Role::Admin);
    let asleep = locked_out(&user("a2", Role::Admin));
    let store = store_of(&[admin.clone(), asleep.clone(), user("u1", Role::User)]).await;
    assert!(is_last_admin(&members(&store).await.leave(&admin)));
    for after in [user("a1", Role::User), locked_out(&admin)] {
        assert!(is_last_admin(&members(&store).await.change(&admin, &after)));
    }
    // What was no help anyway may go.
    assert!(members(&store).await.leave(&asleep).is_ok());
    let demoted = locked_out(&user("a2", Role::User));
    assert!(members(&store).await.change(&asleep, &demoted).is_ok());
}

#[tokio::test]
async fn the_only_member_may_go_but_not_give_its_role_up() {
    let admin = user("a1", Role::Admin);
    let store = store_of(std::slice::from_ref(&admin)).await;
    assert!(members(&store).await.has_one());
    assert!(members(&store).await.leave(&admin).is_ok());
    let demoted = user("a1", Role::Viewer);
    assert!(is_last_admin(
        &members(&store).await.change(&admin, &demoted)
    ));
}

#[tokio::test]
async fn an_organization_without_an_admin_can_be_left_and_mended() {
    let member = user("u1", Role::User);
    let store = store_of(&[member.clone(), user("u2", Role::User)]).await;
    assert!(members(&store).await.leave(&member).is_ok());
    let promoted = user("u1", Role::Admin);
    let write = members(&store).await.change(&member, &promoted).unwrap();
    assert_eq!(counted(&store, write).await.admins, 1);
}

#[tokio::test]
async fn a_counter_of_another_organization_is_not_touched() {
    let store = store_of(&[user("a1", Role::Admin)]).await;
    let other = OrgId::parse("o2").unwrap();
    let write = Members::first_of(&other).unwrap();
    store.commit(vec![write]).await.unwrap();
    assert!(store.find_member_count(&o1()).await.unwrap().is_none());
    let count = MemberCount::default();
    let again = organizations::set_member_count(&other, &count, None).unwrap();
    assert!(store.commit(vec![again]).await.unwrap_err().is_lost_race());
}
