use serde_json::json;
use shared::{ids::IntegrationId, models::KnowledgeKind, store::integrations};

use crate::{
    app::{MAIL_TOPIC, Options, push},
    world::World,
};

fn watching() -> Options {
    Options {
        is_watching: true,
        ..Options::default()
    }
}

fn changed(address: &str) -> serde_json::Value {
    let data = json!({ "emailAddress": address, "historyId": 7 }).to_string();
    push("g1", json!({}), &data)
}

#[tokio::test]
async fn a_watched_mailbox_is_looked_at_when_gmail_tells_of_it() {
    let world = World::with(watching()).await;
    world.sync_well().await;
    assert_eq!(world.user.watched_topic().as_deref(), Some(MAIL_TOPIC));
    assert!(
        world
            .state(KnowledgeKind::Gmail)
            .await
            .watched_until
            .is_some()
    );
    world
        .user
        .deliver("Grace <grace@example.com>", "Order 7", "It is late.");
    world.user.create_document("Plan", "Build the engine.");
    assert_eq!(world.app.push(&changed("nobody@example.com")).await, 204);
    assert_eq!(world.documents().len(), 0);
    assert_eq!(world.app.push(&changed("Ada@example.com")).await, 204);
    let documents = world.documents();
    let kinds: Vec<_> = documents.values().map(|found| found.source.kind).collect();
    assert_eq!(kinds, [KnowledgeKind::Gmail]);
}

#[tokio::test]
async fn all_integrations_of_a_mailbox_are_told_side_by_side() {
    let world = World::with(watching()).await;
    world.sync_well().await;
    let state = world.state(KnowledgeKind::Gmail).await;
    let (id, kind) = (IntegrationId::derive(&["gone"]), KnowledgeKind::Gmail);
    let write = integrations::set_sync_state(&id, kind, &state, None).unwrap();
    world.app.store.commit(vec![write]).await.unwrap();
    assert_eq!(world.app.topic.take(), []);
    assert_eq!(world.app.push(&changed("ada@example.com")).await, 204);
    assert_eq!(world.app.topic.take().len(), 2);
}

#[tokio::test]
async fn a_watch_is_renewed_before_it_ends() {
    let world = World::with(watching()).await;
    let count = || world.google.workspace.count("gmail.users.watch");
    world.sync_well().await;
    world.advance(86_400);
    world.sync_well().await;
    assert_eq!(count(), 1);
    world.advance(5 * 86_400);
    world.sync_well().await;
    assert_eq!(count(), 2);
}

#[tokio::test]
async fn a_mailbox_is_not_watched_unless_that_is_configured() {
    let world = World::new().await;
    world.sync_well().await;
    assert_eq!(world.user.watched_topic(), None);
    assert_eq!(world.app.push(&changed("ada@example.com")).await, 204);
    assert_eq!(world.app.db.count("idempotency"), 1);
}
