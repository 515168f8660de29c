use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use shared::{
    clock::Clock,
    models::{KnowledgeKind, SyncState, Timestamp},
    store::{decode, users},
    testing::Fault,
};

use crate::{
    app::{Options, owner_of},
    contents::{Contents, restart},
    world::World,
};

#[tokio::test]
async fn nothing_is_read_for_who_is_no_member_any_more_or_is_locked_out() {
    for is_removed in [false, true] {
        let world = World::new().await;
        world.sync_well().await;
        world
            .add_workflow("all", json!({ "type": "onEmailReceived" }))
            .await;
        let found = world.app.store.find_user(&owner_of("o1")).await.unwrap();
        let mut owner = found.unwrap();
        owner.value.disabled = !is_removed;
        let write = match is_removed {
            true => users::delete(&owner),
            false => users::set_membership(&owner).unwrap(),
        };
        world.app.store.commit(vec![write]).await.unwrap();
        world
            .user
            .deliver("Grace <grace@example.com>", "Order 7", "It is late.");
        world.user.create_document("Plan", "Build the engine.");
        let calls = world.google.workspace.calls().len();
        assert_eq!(world.sync().await, 204);
        assert_eq!(world.google.workspace.calls().len(), calls);
        for kind in [KnowledgeKind::Gmail, KnowledgeKind::Drive] {
            let state = world.state(kind).await;
            assert_eq!(state.error_cause.as_deref(), Some("owner_gone"));
        }
        assert_eq!((world.documents().len(), world.triggers().len()), (0, 0));
    }
}

#[tokio::test]
async fn a_failing_google_is_kept_as_a_cause_and_left_alone_for_a_while() {
    let world = World::new().await;
    world.user.create_document("Plan", "Build the engine.");
    let asked = Fault::TooManyRequests {
        retry_after_secs: Some(90),
    };
    world.user.set_outage(Some(asked));
    assert_eq!(world.sync().await, 204);
    let state = world.state(KnowledgeKind::Drive).await;
    assert_eq!(state.error_cause.as_deref(), Some("rate_limited"));
    assert_eq!((state.failures, state.lease.until), (1, None));
    let early = world.app.clock_now().plus_seconds(90);
    assert!(state.retry_at >= Some(early), "{:?}", state.retry_at);
    world.user.set_outage(None);
    let calls = world.google.workspace.calls().len();
    assert_eq!(world.sync().await, 204);
    assert_eq!(world.google.workspace.calls().len(), calls, "too early");
    world.advance(3_700);
    world.sync_well().await;
    let state = world.state(KnowledgeKind::Drive).await;
    assert_eq!((state.failures, state.retry_at), (0, None::<Timestamp>));
}

#[tokio::test]
async fn a_scope_that_nobody_has_granted_is_told() {
    let world = World::new().await;
    world.user.set_outage(Some(Fault::MissingScope));
    assert_eq!(world.sync().await, 204);
    let state = world.state(KnowledgeKind::Gmail).await;
    assert_eq!(state.error_cause.as_deref(), Some("needs_consent"));
    assert_eq!(state.retry_at, None);
}

#[tokio::test]
async fn credentials_that_are_refused_break_the_integration() {
    let world = World::new().await;
    world.user.set_outage(Some(Fault::Unauthorized));
    assert_eq!(world.sync().await, 204);
    let state = world.state(KnowledgeKind::Gmail).await;
    assert_eq!(state.error_cause.as_deref(), Some("unauthorized"));
    let status = world
        .app
        .store
        .find_integration_status(&world.org_id, &world.id);
    let status = status.await.unwrap().unwrap();
    assert_eq!(status.error_cause.as_deref(), Some("unauthorized"));
    let gmail = status.sync.gmail.unwrap();
    assert_eq!(gmail.error_cause.as_deref(), Some("unauthorized"));
}

#[tokio::test]
async fn a_live_lease_is_left_alone() {
    let world = World::new().await;
    world.user.create_document("Plan", "Build the engine.");
    let polls = 30;
    let killed = shared::testing::killed_after(polls, world.sync()).await;
    assert!(killed.is_none());
    let state = world.state(KnowledgeKind::Drive).await;
    assert!(state.lease.until > Some(world.app.clock_now()));
    assert_eq!(world.sync().await, 204);
    assert_eq!(world.state(KnowledgeKind::Drive).await, state);
    world.advance(61);
    world.sync_well().await;
    assert_eq!(world.documents().len(), 1);
}

const FROM: &str = "Grace <grace@example.com>";

#[tokio::test]
async fn what_google_refuses_to_the_account_passes_over_no_mail_and_no_text() {
    let world = World::new().await;
    let file = world.user.create_document("Plan", "Build the engine.");
    world.sync_well().await;
    let before = world.chunks();
    let mail = world.user.deliver(FROM, "Order 7", "The engine is late.");
    world.user.edit_file(&file, "Build another.");
    for id in [&mail, &file] {
        let workspace = &world.google.workspace;
        workspace.break_item(id, Some(Fault::DomainPolicy));
    }
    assert_eq!(world.sync().await, 204);
    for kind in [KnowledgeKind::Gmail, KnowledgeKind::Drive] {
        let cause = world.state(kind).await.error_cause;
        assert_eq!(cause.as_deref(), Some("refused"));
    }
    assert_eq!(world.chunks(), before);
    for id in [&mail, &file] {
        world.google.workspace.break_item(id, None);
    }
    world.sync_well().await;
    assert_eq!(world.documents().len(), 2);
    assert_ne!(world.chunks(), before);
}

#[tokio::test]
async fn a_quota_of_a_day_is_waited_for() {
    let world = World::new().await;
    world.user.set_outage(Some(Fault::DailyLimitExceeded));
    assert_eq!(world.sync().await, 204);
    let state = world.state(KnowledgeKind::Gmail).await;
    assert_eq!(state.error_cause.as_deref(), Some("rate_limited"));
    assert!(state.retry_at >= Some(world.app.clock_now().plus_seconds(86_400)));
}

#[tokio::test]
async fn what_fails_each_time_holds_up_the_others_for_a_while_only() {
    let world = World::new().await;
    world.sync_well().await;
    let mail = world.user.deliver(FROM, "Order 7", "The engine is late.");
    let file = world.user.create_document("Plan", "Build the engine.");
    let workspace = &world.google.workspace;
    workspace.break_item(&mail, Some(Fault::InternalError));
    workspace.break_item(&file, Some(Fault::DownloadQuotaExceeded));
    let later = world.user.deliver(FROM, "Order 8", "It is here.");
    for _ in 0..5 {
        assert_eq!(world.sync().await, 204);
        world.advance(3_700);
    }
    assert_eq!(world.documents().len(), 0);
    assert_eq!(world.sync().await, 204);
    assert_eq!(world.documents().keys().collect::<Vec<_>>(), [&later]);
    for kind in [KnowledgeKind::Gmail, KnowledgeKind::Drive] {
        let state = world.state(kind).await;
        assert_eq!(state.error_cause.as_deref(), Some("passed_over"));
        assert_eq!((state.failures, state.counts.skipped), (0, 1));
    }
    workspace.break_item(&mail, None);
    workspace.break_item(&file, None);
    world.advance(6 * 3_600);
    world.sync_well().await;
    assert_eq!(world.documents().len(), 3);
}

#[tokio::test]
async fn where_nothing_can_be_looked_at_nothing_is_passed_over() {
    let world = World::new().await;
    world.sync_well().await;
    for number in 0..4 {
        let mail = world
            .user
            .deliver(FROM, &format!("Order {number}"), "Late.");
        let workspace = &world.google.workspace;
        workspace.break_item(&mail, Some(Fault::Unavailable));
    }
    let cursor = world.state(KnowledgeKind::Gmail).await.cursor;
    for _ in 0..7 {
        assert_eq!(world.sync().await, 204);
        world.advance(3_700);
    }
    assert_eq!(world.state(KnowledgeKind::Gmail).await.cursor, cursor);
}

#[tokio::test]
async fn a_file_that_could_not_be_read_once_is_read_again() {
    let world = World::new().await;
    let file = world.user.create_file("Plan", "text/plain", "Build.");
    let workspace = &world.google.workspace;
    workspace.break_item(&file, Some(Fault::CannotDownload));
    assert_eq!(world.sync().await, 204);
    let cause = world.state(KnowledgeKind::Drive).await.error_cause;
    assert_eq!(cause.as_deref(), Some("passed_over"));
    assert_eq!((world.documents().len(), world.chunks().len()), (1, 0));
    workspace.break_item(&file, None);
    world.advance(6 * 3_600);
    world.sync_well().await;
    assert_eq!(world.chunks().len(), 1);
}

#[tokio::test]
async fn a_text_that_comes_back_is_paid_again() {
    let world = World::new().await;
    let file = world.user.create_document("Plan", "Build.");
    world.sync_well().await;
    for text in ["Wait.", "Build."] {
        world.user.edit_file(&file, text);
        world.sync_well().await;
    }
    assert_eq!(world.app.llm.embedded(), ["Build.", "Wait.", "Build."]);
    assert_eq!(world.app.db.documents("usage_ledger/").len(), 3);
}

#[tokio::test]
async fn a_file_that_is_refused_without_a_reason_is_passed_over_after_five_failures() {
    let world = World::new().await;
    world.sync_well().await;
    let file = world.user.create_document("Plan", "Build the engine.");
    let later = world.user.create_document("Another", "Build another.");
    let workspace = &world.google.workspace;
    workspace.break_item(&file, Some(Fault::Status(403)));
    for _ in 0..5 {
        assert_eq!(world.sync().await, 204);
        let cause = world.state(KnowledgeKind::Drive).await.error_cause;
        assert_eq!(cause.as_deref(), Some("refused"));
        world.advance(900);
    }
    assert_eq!(world.sync().await, 204);
    assert_eq!(world.documents().keys().collect::<Vec<_>>(), [&later]);
    let cause = world.state(KnowledgeKind::Drive).await.error_cause;
    assert_eq!(cause.as_deref(), Some("passed_over"));
    workspace.break_item(&file, None);
    world.advance(6 * 3_600);
    world.sync_well().await;
    assert_eq!(world.documents().len(), 2);
}

#[tokio::test]
async fn an_account_that_is_refused_without_a_reason_loses_no_text() {
    let world = World::new().await;
    world.user.create_document("Plan", "Build the engine.");
    world.user.deliver(FROM, "Order 7", "The engine is late.");
    world.sync_well().await;
    let before = world.chunks();
    world.user.set_outage(Some(Fault::Status(403)));
    for _ in 0..8 {
        assert_eq!(world.sync().await, 204);
        world.advance(900);
    }
    assert_eq!(world.chunks(), before);
    let cause = world.state(KnowledgeKind::Drive).await.error_cause;
    assert_eq!(cause.as_deref(), Some("refused"));
    world.user.set_outage(None);
    world.sync_well().await;
}

#[tokio::test]
async fn a_failing_database_is_kept_as_a_cause_and_left_alone_for_a_while() {
    let mut kept = 0;
    for spared in 0..14 {
        let world = World::new().await;
        world.user.create_document("Plan", "Build the engine.");
        world.app.db.fail_commit_after(spared, false);
        let status = world.sync().await;
        world.app.db.fail_next_commits(0, false);
        for kind in [KnowledgeKind::Gmail, KnowledgeKind::Drive] {
            let state = world.state(kind).await;
            if state.error_cause.as_deref() != Some("internal") {
                continue;
            }
            kept += 1;
            assert_eq!(status, 503, "after {spared}");
            assert_eq!((state.failures, state.lease.until), (1, None));
            let now = world.app.clock_now();
            let latest = now.plus_seconds(60);
            assert!(state.retry_at > Some(now) && state.retry_at <= Some(latest));
            assert_eq!(world.sync().await, 204);
            assert_eq!(world.state(kind).await, state, "too early");
        }
        world.advance(3_700);
        world.sync_well().await;
        assert_eq!(world.documents().len(), 1, "after {spared}");
    }
    assert!(kept > 2, "{kept}");
}

#[tokio::test]
async fn files_that_are_refused_do_not_hold_up_a_drive_however_many_they_are() {
    let world = World::new().await;
    world.sync_well().await;
    for number in 0..8 {
        let name = format!("Plan {number}");
        let file = world.user.create_file(&name, "text/plain", "Build.");
        let workspace = &world.google.workspace;
        workspace.break_item(&file, Some(Fault::Status(403)));
    }
    let later = world.user.create_document("Another", "Build another.");
    for _ in 0..6 {
        assert_eq!(world.sync().await, 204);
        world.advance(900);
    }
    assert_eq!(world.documents().keys().collect::<Vec<_>>(), [&later]);
    let state = world.state(KnowledgeKind::Drive).await;
    assert_eq!(state.error_cause.as_deref(), Some("passed_over"));
    assert_eq!(state.counts.skipped, 8);
}

#[tokio::test]
async fn the_lease_lasts_however_long_a_batch_takes() {
    let mut world = World::new().await;
    world.sync_well().await;
    for number in 0..32 {
        let text = format!("Build engine {number}.");
        world.user.create_file("Plan", "text/plain", text);
    }
    let (db, clock) = (world.app.db.clone(), world.app.clock.clone());
    let lapsed = Arc::new(AtomicUsize::new(0));
    let counted = lapsed.clone();
    let contents = Contents::with(&world, move || {
        clock.advance(Duration::from_secs(3));
        let states = db.documents("integrations/");
        let states = states
            .iter()
            .filter(|state| state.path.as_str().ends_with("/sync/drive"));
        for state in states {
            let state: SyncState = decode(state).unwrap();
            let is_held = state.lease.until > Some(clock.now().into());
            counted.fetch_add(usize::from(!is_held), Ordering::SeqCst);
        }
    });
    restart(&mut world, &contents, Options::default());
    assert_eq!(world.sync().await, 204);
    assert_eq!((contents.fetched(), world.documents().len()), (32, 32));
    assert_eq!(lapsed.load(Ordering::SeqCst), 0);
}
