//! A process that is killed at any await: whoever comes next goes on.

use shared::{models::IntegrationStatus, testing::killed_after, vault::Error};

use super::{
    connections::{add_traces, disconnect, traces},
    support::{REFRESH_TOKEN, World},
};

/// More than a call needs; a test fails if it never comes to its end.
const MOST_POLLS: usize = 500;

#[tokio::test]
async fn a_renewal_that_is_cut_off_anywhere_is_taken_over() {
    for polls in 1..MOST_POLLS {
        let (world, id) = World::with_google(-1).await;
        let is_done = killed_after(polls, world.search(0)).await.is_some();
        // Its lease may stand.
        world.advance(31);
        world.search(1).await.unwrap();
        let integration = world.integration(&id).await;
        assert_eq!(integration.status, IntegrationStatus::Connected, "{polls}");
        assert!(world.google.refreshes() <= 2, "{polls}");
        assert!(world.mails().is_empty(), "{polls}");
        if is_done {
            return;
        }
    }
    panic!("it never comes to its end");
}

#[tokio::test]
async fn an_end_that_is_cut_off_anywhere_is_told_once() {
    for polls in 1..MOST_POLLS {
        let (world, _) = World::with_google(-1).await;
        world.google.end(REFRESH_TOKEN);
        let is_done = killed_after(polls, world.search(0)).await.is_some();
        world.advance(31);
        assert!(
            matches!(world.search(1).await, Err(Error::Broken)),
            "{polls}"
        );
        assert_eq!(world.mails().len(), 1, "{polls}");
        if is_done {
            return;
        }
    }
    panic!("it never comes to its end");
}

#[tokio::test]
async fn a_disconnection_that_is_cut_off_anywhere_can_be_repeated() {
    for polls in 1..MOST_POLLS {
        let (world, id) = World::with_google(3_600).await;
        add_traces(&world, &id).await;
        let done = killed_after(polls, disconnect(&world, &id)).await;
        if done.is_some() {
            return;
        }
        match disconnect(&world, &id).await {
            Ok(is_revoked) => assert!(is_revoked, "{polls}"),
            Err(error) => assert!(matches!(error, Error::NotConnected), "{polls}: {error}"),
        }
        assert_eq!(traces(&world, &id), [0; 4], "{polls}");
        assert!(
            world.service.revoked().contains(&REFRESH_TOKEN.to_owned()),
            "{polls}"
        );
    }
    panic!("it never comes to its end");
}
