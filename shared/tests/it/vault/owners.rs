//! What the owner of an integration is told, and what goes with its account.

use std::sync::Arc;

use shared::{
    erasure::{self, Erasure},
    ids::OrgId,
    models::{IntegrationService, Role, User},
    outbox::{Dispatcher, Outcome},
    store::users,
    testing::{APP_URL, RecordingAccounts, RecordingMailer, invitation_links, trail},
};

use super::{
    connections::{add_traces, traces},
    support::{REFRESH_TOKEN, World, account, owner},
};
use crate::support::CALLER;

fn user(org_id: &str, disabled: bool, world: &World) -> User {
    User {
        uid: owner(),
        email: Some("ada@example.com".to_owned()),
        role: Role::User,
        organization_id: OrgId::parse(org_id).unwrap(),
        created_at: world.now(),
        settings: std::collections::BTreeMap::default(),
        disabled,
        tokens_valid_after: None,
    }
}

/// Has Google's grant end for this user, and the mail be sent if there is one.
async fn end_grant(world: &World, user: &User) -> (Outcome, Arc<RecordingMailer>) {
    world.keep(vec![users::create(user).unwrap()]).await;
    world.google.end(REFRESH_TOKEN);
    world.search(0).await.unwrap_err();
    dispatch(world).await
}

async fn dispatch(world: &World) -> (Outcome, Arc<RecordingMailer>) {
    let mailer = Arc::new(RecordingMailer::new());
    let (links, clock) = (invitation_links(), world.clock.shared());
    let dispatcher = Dispatcher::new(world.store.clone(), mailer.clone(), links, clock);
    let mails = world.mails();
    assert_eq!(mails.len(), 1);
    let outcome = dispatcher.dispatch(&CALLER, &mails[0].id).await.unwrap();
    (outcome, mailer)
}

#[tokio::test]
async fn the_owner_is_told_which_account_works_no_more() {
    let (world, _) = World::with_google(-1).await;
    let (outcome, mailer) = end_grant(&world, &user("o1", false, &world)).await;
    assert_eq!(outcome, Outcome::Sent);
    let mail = &mailer.sent()[0];
    assert_eq!(mail.to().as_str(), "ada@example.com");
    assert_eq!(
        mail.subject(),
        "Infinity X has lost access to Google Workspace"
    );
    for part in ["a…@example.com", &format!("{APP_URL}/integrations")] {
        assert!(mail.text().contains(part), "{part}: {}", mail.text());
    }
}

#[tokio::test]
async fn who_has_left_or_is_locked_out_is_told_nothing() {
    for (org_id, disabled) in [("o2", false), ("o1", true)] {
        let (world, _) = World::with_google(-1).await;
        let (outcome, mailer) = end_grant(&world, &user(org_id, disabled, &world)).await;
        assert_eq!(outcome, Outcome::Failed);
        assert!(mailer.sent().is_empty());
    }
}

#[tokio::test]
async fn who_has_connected_again_meanwhile_is_told_nothing() {
    let (world, _) = World::with_google(-1).await;
    world.google.end(REFRESH_TOKEN);
    world
        .keep(vec![users::create(&user("o1", false, &world)).unwrap()])
        .await;
    world.search(0).await.unwrap_err();
    let tokens = world.tokens("access-0", 3_600);
    world
        .connect(IntegrationService::Google, &account(), &tokens)
        .await;
    let (outcome, mailer) = dispatch(&world).await;
    assert_eq!(outcome, Outcome::Failed);
    assert!(mailer.sent().is_empty());
}

#[tokio::test]
async fn the_end_of_an_account_revokes_what_it_has_connected() {
    let (world, id) = World::with_google(3_600).await;
    add_traces(&world, &id).await;
    let begin = erasure::begin(&owner(), world.now()).unwrap();
    world.keep(vec![begin]).await;
    let accounts = Arc::new(RecordingAccounts::new());
    let (store, trail) = (world.store.clone(), trail(&world.store));
    let erasure = Erasure::new(store, trail, accounts);
    let erasure = erasure.with_vault(Some(world.vaults[0].clone()));
    erasure
        .finish(&CALLER, &owner(), world.now())
        .await
        .unwrap();
    assert_eq!(world.service.revoked(), [REFRESH_TOKEN]);
    assert_eq!(traces(&world, &id), [0; 4]);
}
