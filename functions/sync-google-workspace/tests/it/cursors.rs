use shared::{models::KnowledgeKind, store::knowledge, testing::Fault};

use crate::world::World;

/// The position that a kind goes on from.
async fn cursor(world: &World, kind: KnowledgeKind) -> String {
    world.state(kind).await.cursor.unwrap()
}

/// Something of each kind comes, changes and goes behind a position that Google then refuses.
async fn is_all_there_after(status: u16, kind: KnowledgeKind) {
    let world = World::new().await;
    let user = &world.user;
    let old = [
        user.create_document("Plan", "Build the engine."),
        user.create_document("Another", "Build another."),
    ];
    let mail = user.deliver("Grace <grace@example.com>", "Order 7", "It is late.");
    world.sync_well().await;
    let before = cursor(&world, kind).await;
    user.edit_file(&old[0], "Build it twice.");
    user.delete_file(&old[1]);
    user.delete_mail(&mail);
    user.create_document("New", "Build a new one.");
    user.deliver("Grace <grace@example.com>", "Order 8", "It is here.");
    let workspace = &world.google.workspace;
    workspace.break_item(&before, Some(Fault::Status(status)));
    world.advance(900);
    world.sync_well().await;
    let refused = workspace.calls().into_iter();
    let refused = refused.filter(|call| call.fault == Some(Fault::Status(status)));
    assert_eq!(refused.count(), 1, "{status} {kind:?}");
    assert_ne!(cursor(&world, kind).await, before);
    let mut titles: Vec<_> = world
        .documents()
        .into_values()
        .map(|document| document.source.title)
        .collect();
    titles.sort();
    assert_eq!(titles, ["New", "Order 8", "Plan"], "{status} {kind:?}");
    assert_eq!(world.chunks().len(), 3);
    assert!(
        world
            .chunks()
            .iter()
            .any(|chunk| chunk.text == "Build it twice.")
    );
}

#[tokio::test]
async fn after_a_position_that_drive_refuses_all_files_are_looked_at() {
    for status in [400, 404, 410] {
        is_all_there_after(status, KnowledgeKind::Drive).await;
    }
}

#[tokio::test]
async fn after_a_position_that_gmail_has_forgotten_all_mails_are_looked_at() {
    is_all_there_after(404, KnowledgeKind::Gmail).await;
}

#[tokio::test]
async fn mails_that_were_read_in_another_way_are_read_again_with_all() {
    let world = World::new().await;
    let user = &world.user;
    let mail = user.deliver("Grace <grace@example.com>", "Order 7", "It is late.");
    world.sync_well().await;
    let known = world.documents().remove(&mail).unwrap();
    let store = &world.app.store;
    let found = store.find_knowledge_document(&world.org_id, &known.id);
    let mut found = found.await.unwrap().unwrap();
    found.value.revision = "an earlier one".to_owned();
    let write = knowledge::set_document(&world.org_id, &found.value, Some(found.version));
    store.commit(vec![write.unwrap()]).await.unwrap();
    user.expire_history();
    world.sync_well().await;
    assert_eq!(world.documents()[&mail].revision, known.revision);
    assert_eq!(world.app.llm.embedded().len(), 1, "the text is the same");
    let reads = || world.google.workspace.count("gmail.users.messages.get");
    let before = reads();
    user.expire_history();
    world.sync_well().await;
    assert_eq!(reads(), before, "nothing is read twice in the same way");
}
