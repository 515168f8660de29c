use shared::{
    models::{KnowledgeKind, Timestamp},
    testing::Fault,
};

use crate::world::World;

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
}
