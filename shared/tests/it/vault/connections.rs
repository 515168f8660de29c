//! Connecting, connecting again, disconnecting.

use serde_json::json;
use shared::{
    connectors::{self, Account, Credentials},
    ids::IntegrationId,
    models::{IntegrationService, IntegrationStatus},
    store::{
        DocumentPath, Write,
        document_db::{Operation, Precondition},
        encode,
    },
    vault::Error,
};

use super::support::{REFRESH_TOKEN, World, account, connecting, org_id, owner};

/// What a service tells of a key that may not ask whose it is.
fn nameless() -> Account {
    Account {
        id: None,
        ..account()
    }
}

#[tokio::test]
async fn a_key_is_checked_before_it_is_sealed() {
    let world = World::new().await;
    let key = Credentials::Key("sk_1".into());
    let refused = world.vaults[0]
        .check(IntegrationService::Stripe, &key)
        .await;
    let unauthorized = connectors::Error::Unauthorized;
    assert!(
        matches!(refused, Err(Error::Service(error)) if error.to_string() == unauthorized.to_string())
    );
    world.service.accept("sk_1", &account());
    let checked = world.vaults[0]
        .check(IntegrationService::Stripe, &key)
        .await;
    assert_eq!(checked.unwrap(), account());
    let foreign = world.vaults[0]
        .check(IntegrationService::Google, &key)
        .await;
    assert!(foreign.is_err(), "a key is nothing for Google");
}

#[tokio::test]
async fn an_account_is_one_integration_for_an_organization_and_service() {
    let world = World::new().await;
    let (one, two) = (
        Credentials::Key("sk_1".into()),
        Credentials::Key("sk_2".into()),
    );
    let first = world
        .connect(IntegrationService::Stripe, &account(), &one)
        .await;
    let again = world
        .connect(IntegrationService::Stripe, &account(), &two)
        .await;
    let other = world
        .connect(IntegrationService::Github, &account(), &two)
        .await;
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert_eq!(world.db.count("integrations"), 2);
}

#[tokio::test]
async fn without_an_account_each_key_is_an_integration() {
    let world = World::new().await;
    let keys = ["SG.1", "SG.2", "SG.1"].map(|key| Credentials::Key(key.into()));
    for key in &keys {
        world
            .connect(IntegrationService::Sendgrid, &nameless(), key)
            .await;
    }
    assert_eq!(world.db.count("integrations"), 2);
}

#[tokio::test]
async fn another_account_does_not_take_an_integrations_place() {
    let world = World::new().await;
    let key = Credentials::Key("sk_1".into());
    let id = world
        .connect(IntegrationService::Stripe, &account(), &key)
        .await;
    let (org_id, uid) = (org_id(), owner());
    let connecting = connecting(&org_id, &uid, IntegrationService::Stripe);
    let other = Account {
        id: Some("acct_2".to_owned()),
        ..account()
    };
    let [vault, ..] = &world.vaults;
    let integration = world.integration(&id).await;
    let again = async |account: &Account| {
        let sealed = vault.seal_again(&integration, &connecting, account, &key);
        sealed.await.map(|connection| connection.id().clone())
    };
    assert!(matches!(
        again(&other).await,
        Err(Error::OtherAccount { is_named: true })
    ));
    assert_eq!(again(&account()).await.unwrap(), id);
    // It may be of another account, which only the service could tell.
    assert!(matches!(
        again(&nameless()).await,
        Err(Error::OtherAccount { is_named: false })
    ));
}

#[tokio::test]
async fn a_key_without_an_account_takes_the_place_of_another_such_key_only() {
    let world = World::new().await;
    let keys = ["SG.1", "SG.2", "SG.3"].map(|key| Credentials::Key(key.into()));
    let (sendgrid, nameless, named) = (IntegrationService::Sendgrid, nameless(), account());
    let id = world.connect(sendgrid, &nameless, &keys[0]).await;
    let (org_id, uid) = (org_id(), owner());
    let connecting = connecting(&org_id, &uid, sendgrid);
    let [vault, ..] = &world.vaults;
    for key in &keys[1..] {
        let integration = world.integration(&id).await;
        let sealed = vault.seal_again(&integration, &connecting, &nameless, key);
        let sealed = sealed.await.unwrap();
        assert_eq!(*sealed.id(), id);
        let (writes, _) = vault.keep_connection(&sealed).await.unwrap();
        world.keep(writes).await;
    }
    let integration = world.integration(&id).await;
    let refused = vault.seal_again(&integration, &connecting, &named, &keys[1]);
    assert!(matches!(
        refused.await,
        Err(Error::OtherAccount { is_named: true })
    ));
}

#[tokio::test]
async fn nothing_that_is_kept_shows_a_secret() {
    let (world, _) = World::with_google(-1).await;
    world.search(0).await.unwrap();
    let everything = format!("{:?}", world.db.commits());
    for secret in ["access-0", "refreshed-1", REFRESH_TOKEN] {
        assert!(!everything.contains(secret), "{secret}");
    }
}

fn document(path: DocumentPath, fields: &serde_json::Value) -> Write {
    Write {
        operation: Operation::Replace(encode(&path, fields).unwrap()),
        path,
        precondition: Precondition::None,
    }
}

/// Adds what a sync leaves behind: two cursors, and more chunks than are deleted at once.
pub(super) async fn add_traces(world: &World, id: &IntegrationId) {
    let integration = DocumentPath::new("integrations", id.as_str());
    let cursors = ["gmail", "drive"]
        .map(|kind| document(integration.child("sync", kind), &json!({ "cursor": "1" })));
    world.keep(cursors.into()).await;
    let organization = DocumentPath::new("organizations", "o1");
    let chunk = |name: String, id: &str| {
        let path = organization.child("knowledge", &name);
        document(path, &json!({ "integrationId": id, "text": "x" }))
    };
    let chunks = (0..150).map(|number| chunk(format!("c{number}"), id.as_str()));
    let foreign = chunk("other".to_owned(), "other");
    world.keep(chunks.chain([foreign]).collect()).await;
}

/// What is left of an integration: its own document, the mirror, cursors, chunks.
pub(super) fn traces(world: &World, id: &IntegrationId) -> [usize; 4] {
    let cursors = format!("integrations/{id}/sync");
    let chunks = world.db.documents("organizations/o1/knowledge/c");
    [
        world.db.count("integrations"),
        world.db.count("integration_status"),
        world.db.count(&cursors),
        chunks.len(),
    ]
}

pub(super) async fn disconnect(world: &World, id: &IntegrationId) -> Result<bool, Error> {
    let [vault, ..] = &world.vaults;
    let cleared = vault.clear(&org_id(), id).await?;
    world.store.commit(vault.removal(&cleared).await?).await?;
    Ok(cleared.is_revoked())
}

#[tokio::test]
async fn disconnecting_revokes_and_leaves_nothing_behind() {
    let (world, id) = World::with_google(3_600).await;
    add_traces(&world, &id).await;
    assert_eq!(traces(&world, &id), [1, 1, 2, 150]);
    assert!(disconnect(&world, &id).await.unwrap());
    assert_eq!(traces(&world, &id), [0; 4]);
    assert_eq!(world.service.revoked(), [REFRESH_TOKEN]);
    let foreign = world.db.documents("organizations/o1/knowledge/other");
    assert_eq!(foreign.len(), 1, "what came by another integration stays");
    let again = disconnect(&world, &id).await;
    assert!(matches!(again, Err(Error::NotConnected)));
}

#[tokio::test]
async fn a_service_that_does_not_revoke_keeps_nothing_here() {
    let (world, id) = World::with_google(3_600).await;
    add_traces(&world, &id).await;
    world.service.fail_revocations(true);
    assert!(!disconnect(&world, &id).await.unwrap(), "and it is told");
    assert_eq!(traces(&world, &id), [0; 4]);
}

#[tokio::test]
async fn nobody_works_with_what_is_being_disconnected() {
    let (world, id) = World::with_google(-1).await;
    let cleared = world.vaults[0].clear(&org_id(), &id).await.unwrap();
    assert!(matches!(world.search(1).await, Err(Error::Broken)));
    assert_eq!(world.google.refreshes(), 0);
    assert!(world.mails().is_empty());
    let tokens = world.tokens("access-0", 3_600);
    let (org_id, uid) = (org_id(), owner());
    let connecting = connecting(&org_id, &uid, IntegrationService::Google);
    let account = account();
    let connection = world.vaults[0].seal_for(&connecting, &account, &tokens);
    let connection = connection.await.unwrap();
    let refused = world.vaults[0].keep_connection(&connection).await;
    assert!(matches!(refused, Err(Error::Disconnecting)));
    // Another request has ended it, and it was connected again: the new connection stays.
    disconnect(&world, &id).await.unwrap();
    world
        .connect(IntegrationService::Google, &account, &tokens)
        .await;
    assert!(world.vaults[0].removal(&cleared).await.unwrap().is_empty());
    let integration = world.integration(&id).await;
    assert_eq!(integration.status, IntegrationStatus::Connected);
    world.search(1).await.unwrap();
}
