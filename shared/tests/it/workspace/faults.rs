use std::{error, time::Duration};

use shared::{
    connectors,
    retry::Transient,
    testing::{Fault, Weather},
    vault::{Error, MAX_MAIL_BYTES, Workspace},
};

use super::support::World;

/// More than a call waits for.
const LONG_SECS: u64 = 20;

#[tokio::test]
async fn each_fault_has_its_class() {
    let limited = |retry_after_secs| Fault::TooManyRequests { retry_after_secs };
    let rows = [
        (limited(None), "limited", None),
        (limited(Some(LONG_SECS)), "limited", Some(LONG_SECS)),
        (Fault::RateLimitExceeded, "limited", None),
        (Fault::UserRateLimitExceeded, "limited", None),
        (Fault::InternalError, "unavailable", None),
        (Fault::Unavailable, "unavailable", None),
        (Fault::Cut, "unavailable", None),
    ];
    for (fault, class, retry_after_secs) in rows {
        let world = World::new().await;
        world.user.set_outage(Some(fault));
        let error = world.vault.mailbox(&world.account).await.unwrap_err();
        assert_eq!(class_of(&error), class, "{fault:?}: {error:?}");
        assert!(error.is_transient(), "{fault:?}");
        let retry_after = retry_after_secs.map(Duration::from_secs);
        assert_eq!(error.retry_after(), retry_after, "{fault:?}");
        let attempts = match retry_after {
            Some(_) => 1,
            None => 4,
        };
        assert_eq!(world.workspace.calls().len(), attempts, "{fault:?}");
        assert!(!chain(&error).contains("canary"), "{}", chain(&error));
    }
}

#[tokio::test]
async fn a_fault_that_passes_is_not_seen() {
    let world = World::new().await;
    for fault in Fault::passing(0) {
        world.workspace.fail_next([fault]);
        world.vault.drive_position(&world.account).await.unwrap();
    }
    world.assert_no_problems();
}

/// How many calls there were after a hundred, or their failures, of a Google that fails often.
async fn outcome(seed: u64) -> (Vec<bool>, usize) {
    let world = World::new().await;
    world.workspace.set_weather(Weather {
        seed,
        faults_per_mille: 500,
        ..Weather::default()
    });
    let mut done = Vec::new();
    for _ in 0..10 {
        done.push(world.vault.mailbox(&world.account).await.is_ok());
    }
    (done, world.workspace.calls().len())
}

#[tokio::test]
async fn a_seed_makes_the_same_weather_again() {
    let (first, again) = (outcome(3).await, outcome(3).await);
    assert_eq!(first, again);
    assert!(first.1 > 10, "some calls failed");
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_it() {
    let world = World::new().await;
    let file = world.user.create_document("Minutes", "text");
    let file = world.file(&file).await;
    let mail = world.user.deliver("b@example.com", "a", "x");
    world.user.set_outage(Some(Fault::Endless));
    let content = world.content(&file, Some("text/plain"), 100_000).await;
    assert_eq!(content.unwrap(), None);
    let listed = world.vault.list_mail(&world.account, None).await;
    let mail = world
        .vault
        .find_mail(&world.account, &mail, MAX_MAIL_BYTES)
        .await;
    for error in [listed.unwrap_err(), mail.unwrap_err()] {
        assert_eq!(class_of(&error), "malformed");
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn the_outage_of_one_account_is_not_that_of_others() {
    let world = World::new().await;
    let other = world.workspace.account("sub-2");
    other.set_outage(Some(Fault::Unavailable));
    world.vault.mailbox(&world.account).await.unwrap();
}

fn class_of(error: &Error) -> &'static str {
    match error {
        Error::Service(connectors::Error::RateLimited { .. }) => "limited",
        Error::Service(connectors::Error::Unavailable(_)) => "unavailable",
        Error::Service(connectors::Error::Malformed) => "malformed",
        _ => "other",
    }
}

/// All that is told of an error.
fn chain(error: &Error) -> String {
    let mut text = format!("{error:?}");
    let mut source: Option<&dyn error::Error> = Some(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
