//! Which integration a call is made with, and how often.

use std::time::Duration;

use shared::{
    connectors::{self, Account, Credentials},
    models::{IntegrationService, IntegrationStatus},
    vault::Error,
};
use tokio::time::Instant;

use super::support::{SEARCH, World, account, perform, perform_as};

const APPEND: &str = "google.sheets.append";
const DRIVE: &str = "https://www.googleapis.com/auth/drive.file";
const MAIL_READ: &str = "https://www.googleapis.com/auth/gmail.readonly";
const MAIL_SEND: &str = "https://www.googleapis.com/auth/gmail.send";
const SHEETS: &str = "https://www.googleapis.com/auth/spreadsheets";

fn unavailable() -> connectors::Error {
    connectors::Error::Unavailable("switched off".into())
}

fn unknown() -> connectors::Error {
    connectors::Error::Unknown("cut".into())
}

/// A Google account with a token that lasts, whose user has granted these scopes.
async fn granting(scopes: &[&str]) -> World {
    let world = World::new().await;
    let account = Account {
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..account()
    };
    world.service.accept("access-0", &account);
    let tokens = world.tokens("access-0", 3_600);
    world
        .connect(IntegrationService::Google, &account, &tokens)
        .await;
    world
}

#[tokio::test]
async fn the_only_integration_of_a_service_need_not_be_named() {
    let (world, id) = World::with_google(3_600).await;
    world.search(0).await.unwrap();
    perform(&world.vaults[0], SEARCH, Some(&id)).await.unwrap();
    assert_eq!(world.used().len(), 2);
}

#[tokio::test]
async fn several_integrations_have_to_be_told_apart() {
    let (world, id) = World::with_google(3_600).await;
    let other = Account {
        id: Some("sub-2".to_owned()),
        ..account()
    };
    let tokens = world.tokens("access-2", 3_600);
    let google = IntegrationService::Google;
    let other = world.connect(google, &other, &tokens).await;
    assert_ne!(other, id);
    assert!(matches!(world.search(0).await, Err(Error::Ambiguous)));
    perform(&world.vaults[0], SEARCH, Some(&id)).await.unwrap();
    assert_eq!(world.used(), ["access-0"]);
}

#[tokio::test]
async fn what_is_not_connected_is_not_called() {
    let world = World::new().await;
    assert!(matches!(world.search(0).await, Err(Error::NotConnected)));
    let (world, id) = World::with_google(3_600).await;
    let foreign = perform(&world.vaults[0], "stripe.charges.list", Some(&id)).await;
    assert!(
        matches!(foreign, Err(Error::NotConnected)),
        "another service's id"
    );
    let unknown = "unknown".parse().unwrap();
    let unknown = perform(&world.vaults[0], SEARCH, Some(&unknown)).await;
    assert!(matches!(unknown, Err(Error::NotConnected)));
}

#[tokio::test]
async fn a_scope_that_was_not_granted_is_named_without_a_call() {
    let (world, _) = World::with_google(3_600).await;
    let refused = perform(&world.vaults[0], APPEND, None).await;
    let Err(Error::NeedsConsent { scopes }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(scopes, [SHEETS]);
    assert!(world.used().is_empty());
}

/// Sending looks for the mail first, so that who may not read is told so, and not to grant what is
/// granted.
#[tokio::test]
async fn each_scope_that_an_action_needs_is_asked_for() {
    for (granted, missing) in [(MAIL_SEND, MAIL_READ), (MAIL_READ, MAIL_SEND)] {
        let world = granting(&[granted]).await;
        let refused = perform(&world.vaults[0], "google.gmail.send", None).await;
        let Err(Error::NeedsConsent { scopes }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(scopes, [missing]);
        assert!(world.used().is_empty());
    }
}

#[tokio::test]
async fn a_scope_that_the_service_misses_is_named_too() {
    let (world, _) = World::with_google(3_600).await;
    let needs_consent = true;
    world
        .service
        .fail_next([connectors::Error::Forbidden { needs_consent }]);
    assert!(matches!(
        world.search(0).await,
        Err(Error::NeedsConsent { .. })
    ));
}

#[tokio::test]
async fn what_only_reads_is_tried_again() {
    let (world, _) = World::with_google(3_600).await;
    world.service.fail_next([unavailable(), unknown()]);
    world.search(0).await.unwrap();
    let keys = world.service.performed();
    assert_eq!(keys[0].idempotency_key, "k1");
}

#[tokio::test]
async fn a_wait_that_the_service_asks_for_is_honoured() {
    let (world, _) = World::with_google(3_600).await;
    let retry_after = Some(Duration::from_millis(300));
    world
        .service
        .fail_next([connectors::Error::RateLimited { retry_after }]);
    let started = Instant::now();
    world.search(0).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn what_happens_again_is_tried_again_only_if_it_has_not_happened() {
    let world = granting(&[SHEETS]).await;
    world.service.fail_next([unavailable()]);
    perform(&world.vaults[0], APPEND, None).await.unwrap();
    world.service.fail_next([unknown()]);
    let failed = perform(&world.vaults[0], APPEND, None).await.unwrap_err();
    assert!(failed.may_have_happened(), "{failed}");
    assert_eq!(world.used().len(), 1);
}

#[tokio::test]
async fn what_a_search_may_not_see_yet_is_not_tried_again_at_once() {
    let world = granting(&[DRIVE]).await;
    world.service.fail_next([unavailable(), unknown()]);
    let create = || perform(&world.vaults[0], "google.drive.create", None);
    assert!(create().await.unwrap_err().may_have_happened());
    create().await.unwrap();
    assert_eq!(world.used().len(), 1);
}

#[tokio::test]
async fn what_is_to_be_done_at_most_once_is_tried_again_only_if_it_has_not_happened() {
    let (world, _) = World::with_google(3_600).await;
    let search = || perform_as(&world.vaults[0], SEARCH, None, true);
    world.service.fail_next([unavailable(), unknown()]);
    assert!(search().await.unwrap_err().may_have_happened());
    search().await.unwrap();
    assert_eq!(world.used().len(), 1);
}

#[tokio::test]
async fn a_broken_account_is_not_replaced_by_another_on_its_own() {
    let (world, id) = World::with_google(3_600).await;
    let refused = || connectors::Error::Unauthorized;
    world.service.fail_next([refused(), refused()]);
    assert!(matches!(world.search(0).await, Err(Error::Broken)));
    let other = Account {
        id: Some("sub-2".to_owned()),
        ..account()
    };
    let tokens = world.tokens("access-2", 3_600);
    let google = IntegrationService::Google;
    assert_ne!(world.connect(google, &other, &tokens).await, id);
    assert!(matches!(world.search(0).await, Err(Error::Ambiguous)));
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_and_the_call_repeated() {
    let (world, id) = World::with_google(3_600).await;
    world.service.refuse("access-0");
    world.search(0).await.unwrap();
    assert_eq!(
        (world.used(), world.google.refreshes()),
        (vec!["refreshed-1".to_owned()], 1)
    );
    let integration = world.integration(&id).await;
    assert_eq!(integration.status, IntegrationStatus::Connected);
}

#[tokio::test]
async fn a_renewed_token_that_is_refused_breaks_the_integration() {
    let (world, id) = World::with_google(3_600).await;
    let refused = || connectors::Error::Unauthorized;
    world.service.fail_next([refused(), refused()]);
    assert!(matches!(world.search(0).await, Err(Error::Broken)));
    assert_eq!(world.google.refreshes(), 1, "once");
    let integration = world.integration(&id).await;
    assert_eq!(integration.error_cause.as_deref(), Some("unauthorized"));
    assert_eq!(world.mails().len(), 1);
}

#[tokio::test]
async fn a_key_that_is_refused_breaks_the_integration() {
    let world = World::new().await;
    let key = Credentials::Key("sk_1".into());
    let id = world
        .connect(IntegrationService::Stripe, &account(), &key)
        .await;
    for _ in 0..2 {
        let refused = perform(&world.vaults[0], "stripe.charges.list", None).await;
        assert!(matches!(refused, Err(Error::Broken)), "{refused:?}");
    }
    let integration = world.integration(&id).await;
    assert_eq!(integration.status, IntegrationStatus::Error);
    assert_eq!(world.mails().len(), 1);
}

#[tokio::test]
async fn credentials_cannot_be_opened_in_another_place() {
    let (world, id) = World::with_google(3_600).await;
    let found = world
        .store
        .find_integration(&super::support::org_id(), &id)
        .await;
    let mut integration = found.unwrap().unwrap().value;
    integration.id = "moved".parse().unwrap();
    let writes = shared::store::integrations::create(&integration).unwrap();
    world.keep(writes.into()).await;
    let moved = perform(&world.vaults[0], SEARCH, Some(&integration.id)).await;
    assert!(matches!(moved, Err(Error::Envelope(_))), "{moved:?}");
}
