//! Access tokens are renewed once, and never by what is older.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures::future::{join, join_all};
use shared::{
    models::{IntegrationStatus, OutboxMessage, RenewalLease},
    store::integrations,
    vault::Error,
};

use super::support::{REFRESH_TOKEN, World, account, org_id};

#[tokio::test]
async fn a_token_that_lasts_is_used_as_it_is() {
    let (world, _) = World::with_google(301).await;
    world.search(0).await.unwrap();
    assert_eq!(
        (world.used(), world.google.refreshes()),
        (vec!["access-0".to_owned()], 0)
    );
}

#[tokio::test]
async fn a_token_is_renewed_five_minutes_before_its_end() {
    let (world, id) = World::with_google(300).await;
    world.search(0).await.unwrap();
    assert_eq!(world.used(), ["refreshed-1"]);
    let integration = world.integration(&id).await;
    assert_eq!(integration.renewal.until, None, "the lease is given back");
    world.search(1).await.unwrap();
    assert_eq!(world.google.refreshes(), 1);
}

#[tokio::test]
async fn a_hundred_calls_of_three_processes_renew_once() {
    let (world, _) = World::with_google(-1).await;
    let calls = (0..100).map(|call| world.search(call % 3));
    for done in join_all(calls).await {
        done.unwrap();
    }
    assert_eq!(world.google.refreshes(), 1);
    assert_eq!(world.used(), vec!["refreshed-1"; 100]);
}

#[tokio::test]
async fn while_a_good_token_is_renewed_others_do_not_wait() {
    let (world, _) = World::with_google(299).await;
    world.google.hold_next();
    let other = async {
        world.google.wait_for_held().await;
        world.search(1).await.unwrap();
        assert_eq!(world.used(), ["access-0"]);
        world.google.let_go();
    };
    join(world.search(0), other).await.0.unwrap();
    assert_eq!(world.used(), ["access-0", "refreshed-1"]);
}

#[tokio::test]
async fn who_comes_after_its_lease_does_not_overwrite_what_is_newer() {
    let (world, id) = World::with_google(-1).await;
    world.google.hold_next();
    let faster = async {
        world.google.wait_for_held().await;
        world.advance(31);
        world.search(1).await.unwrap();
        let kept = world.integration(&id).await;
        world.google.let_go();
        kept
    };
    let (slower, kept) = join(world.search(0), faster).await;
    slower.unwrap();
    assert_eq!(world.google.refreshes(), 2, "both have asked");
    assert_eq!(world.integration(&id).await, kept);
    assert_eq!(
        world.used(),
        ["refreshed-2"; 2],
        "the late one uses the newer"
    );
}

#[tokio::test]
async fn a_lease_holds_until_its_end_and_not_longer() {
    let (world, id) = World::with_google(-1).await;
    let mut integration = world
        .store
        .find_integration(&org_id(), &id)
        .await
        .unwrap()
        .unwrap();
    let until = Some(world.now().plus_seconds(30));
    integration.value.renewal = RenewalLease {
        fence: i64::MAX - 1,
        until,
    };
    let writes = shared::store::integrations::replace(&integration).unwrap();
    world.keep(writes.into()).await;
    let waiting = async {
        // Everybody has looked at least once before time goes on.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(world.google.refreshes(), 0);
        world.advance(30);
    };
    join(world.search(0), waiting).await.0.unwrap();
    assert_eq!(world.used(), ["refreshed-1"]);
}

#[tokio::test]
async fn the_refresh_token_is_kept_when_google_gives_no_new_one() {
    let (world, _) = World::with_google(-1).await;
    for round in 1..=3 {
        world.search(0).await.unwrap();
        assert_eq!(world.google.refreshes(), round);
        world.advance(3_600);
    }
}

#[tokio::test]
async fn a_passing_failure_of_google_changes_nothing() {
    let (world, id) = World::with_google(-1).await;
    world.google.fail_next(4);
    let failed = world.search(0).await.unwrap_err();
    assert!(matches!(failed, Error::Renewal(_)), "{failed}");
    let integration = world.integration(&id).await;
    assert_eq!(integration.status, IntegrationStatus::Connected);
    world.search(1).await.unwrap();
    assert!(world.mails().is_empty());
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_in_advance_serves_to_its_end() {
    let (world, _) = World::with_google(299).await;
    world.google.fail_next(4);
    world.search(0).await.unwrap();
    assert_eq!(world.used(), ["access-0"]);
    world.search(0).await.unwrap();
    assert_eq!(world.used()[1], "refreshed-1");
}

#[tokio::test]
async fn credentials_under_a_destroyed_key_break_the_integration_and_are_told_once() {
    let (world, id) = World::with_google(3_600).await;
    let found = world.store.find_integration(&org_id(), &id).await.unwrap();
    let mut found = found.unwrap();
    let sealed = found.value.credentials.as_str();
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(sealed).unwrap();
    // The last letter of the key version's name: `…1` becomes `…9`, which the key file lacks.
    let name_len = usize::from(u16::from_be_bytes([bytes[1], bytes[2]]));
    bytes[2 + name_len] = b'9';
    found.value.credentials = BASE64_URL_SAFE_NO_PAD.encode(bytes).into();
    let writes = integrations::replace(&found).unwrap();
    world.keep(writes.into()).await;
    for vault in 0..2 {
        assert!(matches!(world.search(vault).await, Err(Error::Broken)));
    }
    let integration = world.integration(&id).await;
    assert_eq!(integration.error_cause.as_deref(), Some("key_destroyed"));
    assert_eq!(world.mails().len(), 1);
}

#[tokio::test]
async fn a_grant_that_has_ended_is_told_once_and_tried_no_more() {
    let (world, id) = World::with_google(-1).await;
    world.google.end(REFRESH_TOKEN);
    let calls = (0..30).map(|call| world.search(call % 3));
    for refused in join_all(calls).await {
        assert!(matches!(refused, Err(Error::Broken)));
    }
    let integration = world.integration(&id).await;
    assert_eq!(integration.status, IntegrationStatus::Error);
    assert_eq!(
        integration.error_cause.as_deref(),
        Some("expired_or_revoked")
    );
    let mails = world.mails();
    assert_eq!(mails.len(), 1);
    let expected = OutboxMessage::BrokenIntegration {
        integration_id: id.clone(),
    };
    assert_eq!(mails[0].message, expected);
    // Even if it were good again, nobody asks.
    world.google.grant(REFRESH_TOKEN, &account());
    assert!(matches!(world.search(0).await, Err(Error::Broken)));
    assert_eq!(world.google.refreshes(), 0);
}

#[tokio::test]
async fn a_newer_token_survives_the_end_of_an_older_one() {
    let (world, id) = World::with_google(-1).await;
    world.google.end(REFRESH_TOKEN);
    world.google.hold_next();
    let reconnected = async {
        world.google.wait_for_held().await;
        world.google.grant(REFRESH_TOKEN, &account());
        world.service.accept("access-9", &account());
        let tokens = world.tokens("access-9", 3_600);
        let service = shared::models::IntegrationService::Google;
        let same = world.connect(service, &account(), &tokens).await;
        assert_eq!(same, id);
        world.google.let_go();
    };
    join(world.search(0), reconnected).await.0.unwrap();
    assert_eq!(world.used(), ["access-9"]);
    let integration = world.integration(&id).await;
    assert_eq!(integration.status, IntegrationStatus::Connected);
    assert!(world.mails().is_empty());
}

#[tokio::test]
async fn each_time_that_it_breaks_is_told() {
    let (world, id) = World::with_google(-1).await;
    for broken in 1..=2 {
        world.google.end(REFRESH_TOKEN);
        assert!(world.search(0).await.is_err());
        assert_eq!(world.mails().len(), broken);
        world.google.grant(REFRESH_TOKEN, &account());
        let tokens = world.tokens("access-0", -1);
        let service = shared::models::IntegrationService::Google;
        world.connect(service, &account(), &tokens).await;
        let integration = world.integration(&id).await;
        assert_eq!(integration.status, IntegrationStatus::Connected);
    }
}
