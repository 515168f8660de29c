use shared::{
    connectors::{Credentials, GoogleTokens},
    ids::OrgId,
    models::IntegrationStatus,
    testing::Fault,
    vault::{Error, SyncAccount, Workspace},
};

use super::support::{DRIVE_READ, GMAIL_READ, World, account, connect};

const FILES: &str = "https://www.googleapis.com/auth/drive.file";

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_and_the_call_repeated() {
    let world = World::new().await;
    world.refuse_token();
    world.vault.mailbox(&world.account).await.unwrap();
    let tokens: Vec<_> = world
        .workspace
        .calls()
        .into_iter()
        .map(|call| call.token)
        .collect();
    assert_eq!(tokens, ["ya29.canary-access", "refreshed-1"]);
    let integration = world.integration().await;
    assert_eq!(integration.status, IntegrationStatus::Connected);
}

#[tokio::test]
async fn a_renewed_token_that_is_refused_breaks_the_integration() {
    let world = World::new().await;
    world.user.set_outage(Some(Fault::Unauthorized));
    let refused = world.vault.mailbox(&world.account).await;
    assert!(matches!(refused, Err(Error::Broken)), "{refused:?}");
    assert_eq!(
        (world.workspace.calls().len(), world.google.refreshes()),
        (2, 1)
    );
    let integration = world.integration().await;
    assert_eq!(integration.error_cause.as_deref(), Some("unauthorized"));
    assert_eq!(world.db.documents("outbox/").len(), 1, "its owner is told");
    world.user.set_outage(None);
    let refused = world.vault.mailbox(&world.account).await;
    assert!(matches!(refused, Err(Error::Broken)), "{refused:?}");
    assert_eq!(world.workspace.calls().len(), 2, "without a call");
}

#[tokio::test]
async fn a_grant_that_has_ended_breaks_the_integration() {
    let world = World::new().await;
    world.refuse_token();
    world.google.end("1//canary-refresh");
    let refused = world.vault.drive_position(&world.account).await;
    assert!(matches!(refused, Err(Error::Broken)), "{refused:?}");
}

#[tokio::test]
async fn a_scope_that_was_not_granted_is_named_without_a_call() {
    let world = World::granting(&[DRIVE_READ]).await;
    let refused = world.vault.mailbox(&world.account).await;
    let Err(Error::NeedsConsent { scopes }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(scopes, [GMAIL_READ]);
    let world = World::granting(&[GMAIL_READ]).await;
    let refused = world.vault.drive_position(&world.account).await;
    let Err(Error::NeedsConsent { scopes }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(scopes, [FILES]);
    assert!(world.workspace.calls().is_empty());
}

#[tokio::test]
async fn files_that_users_have_picked_are_enough() {
    let world = World::granting(&[FILES]).await;
    let file = world.user.create_file("a.txt", "text/plain", "a");
    let file = world.file(&file).await;
    let position = world.vault.drive_position(&world.account).await.unwrap();
    world.file_changes(&position).await;
    assert!(world.content(&file, None, 10).await.unwrap().is_some());
    world.assert_no_problems();
}

#[tokio::test]
async fn a_scope_that_google_misses_is_named_too() {
    let world = World::new().await;
    world.workspace.fail_next([Fault::MissingScope]);
    let refused = world.vault.mailbox(&world.account).await;
    let Err(Error::NeedsConsent { scopes }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(scopes, [GMAIL_READ]);
    assert_eq!(world.workspace.calls().len(), 1, "once");
}

#[tokio::test]
async fn an_integration_of_nobody_or_of_others_is_not_read() {
    let world = World::new().await;
    let unknown = SyncAccount {
        integration_id: "unknown".parse().unwrap(),
        ..world.account.clone()
    };
    let foreign = SyncAccount {
        org_id: OrgId::parse("o2").unwrap(),
        ..world.account.clone()
    };
    for account in [unknown, foreign] {
        let refused = world.vault.mailbox(&account).await;
        assert!(matches!(refused, Err(Error::NotConnected)), "{refused:?}");
    }
    assert!(world.workspace.calls().is_empty());
}

#[tokio::test]
async fn each_account_is_read_with_its_own_token() {
    let world = World::new().await;
    let other = account("sub-2", &[GMAIL_READ]);
    world.service.accept("access-2", &other);
    let credentials = Credentials::Google(GoogleTokens {
        access_token: "access-2".into(),
        expires_at: "2026-11-26T13:00:00Z"
            .parse::<jiff::Timestamp>()
            .unwrap()
            .into(),
        refresh_token: "refresh-2".into(),
    });
    let second = connect(&world.vault, &world.store, &other, &credentials).await;
    world
        .workspace
        .account("sub-2")
        .deliver("b@example.com", "Second", "x");
    let first = world.vault.list_mail(&world.account, None).await.unwrap();
    let second = world.vault.list_mail(&second, None).await.unwrap();
    assert_eq!((first.ids.len(), second.ids.len()), (0, 1));
}
