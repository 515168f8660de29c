use shared::{models::KnowledgeKind, testing::Fault};

use crate::world::{GMAIL_READ, World};

#[tokio::test]
async fn an_account_of_mail_alone_was_synced_when_its_mail_was() {
    let world = World::new().await;
    world.grant(GMAIL_READ).await;
    world
        .user
        .deliver("Grace <grace@example.com>", "Order 7", "It is late.");
    assert_eq!(world.sync().await, 204);
    let cause = world.state(KnowledgeKind::Drive).await.error_cause;
    assert_eq!(cause.as_deref(), Some("needs_consent"));
    assert_eq!(world.documents().len(), 1);
    let last_sync = world.integration().await.last_sync;
    assert_eq!(last_sync, Some(world.app.clock_now()));
}

#[tokio::test]
async fn an_account_that_has_granted_neither_was_never_synced() {
    let world = World::new().await;
    world.grant("openid").await;
    assert_eq!(world.sync().await, 204);
    assert_eq!(world.integration().await.last_sync, None);
}

#[tokio::test]
async fn an_account_one_half_of_which_fails_was_not_synced() {
    let world = World::new().await;
    let file = world.user.create_document("Plan", "Build the engine.");
    let workspace = &world.google.workspace;
    workspace.break_item(&file, Some(Fault::InternalError));
    assert_eq!(world.sync().await, 204);
    let gmail = world.state(KnowledgeKind::Gmail).await;
    assert_eq!(gmail.synced_at, Some(world.app.clock_now()));
    assert_eq!(world.integration().await.last_sync, None);
}
