use std::collections::BTreeSet;

use shared::{models::KnowledgeKind, store::knowledge, testing::Fault};

use crate::world::{DRIVE_READ, GMAIL_READ, World};

const FROM: &str = "Grace <grace@example.com>";

/// The position that a kind goes on from.
async fn cursor(world: &World, kind: KnowledgeKind) -> String {
    world.state(kind).await.cursor.unwrap()
}

/// Something comes, changes and goes behind a position that Google then refuses to the only kind that
/// the account has granted.
async fn is_all_there_after(status: u16, kind: KnowledgeKind) {
    let world = World::new().await;
    let user = &world.user;
    let (scope, create): (_, &dyn Fn(&str) -> String) = match kind {
        KnowledgeKind::Drive => (DRIVE_READ, &|name| user.create_document(name, name)),
        KnowledgeKind::Gmail => (GMAIL_READ, &|name| user.deliver(FROM, name, name)),
    };
    world.grant(scope).await;
    let (stays, goes) = (create("Stays"), create("Goes"));
    assert_eq!(world.sync().await, 204);
    let before = cursor(&world, kind).await;
    match kind {
        KnowledgeKind::Drive => {
            user.rename_file(&stays, "Changed");
            user.delete_file(&goes);
        }
        KnowledgeKind::Gmail => user.delete_mail(&goes),
    }
    create("New");
    let fault = Fault::Status(status);
    world.google.workspace.fail_next([fault]);
    world.advance(900);
    assert_eq!(world.sync().await, 204);
    let calls = world.google.workspace.calls().into_iter();
    let refused: Vec<_> = calls.filter(|call| call.fault == Some(fault)).collect();
    assert_eq!(refused.len(), 1);
    let method = &refused[0].method;
    assert!(method.ends_with("changes.list") || method.ends_with("history.list"));
    assert_ne!(cursor(&world, kind).await, before);
    let documents = world.documents().into_values();
    let titles = documents.map(|document| document.source.title);
    let stays = match kind {
        KnowledgeKind::Drive => "Changed",
        KnowledgeKind::Gmail => "Stays",
    };
    let expected = [stays, "New"].map(str::to_owned);
    assert_eq!(titles.collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    assert_eq!(world.chunks().len(), 2);
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
    let mail = user.deliver(FROM, "Order 7", "It is late.");
    world.sync_well().await;
    let known = world.documents().remove(&mail).unwrap();
    let store = &world.app.store;
    let found = store.find_knowledge_document(&world.org_id, &known.id);
    let mut found = found.await.unwrap().unwrap();
    found.value.revision = "an earlier one".to_owned();
    let write = knowledge::set_document(&world.org_id, &found.value, Some(found.version));
    store.commit(vec![write.unwrap()]).await.unwrap();
    user.deliver(FROM, "Order 8", "It is here.");
    user.expire_history();
    world.sync_well().await;
    assert_eq!(world.documents()[&mail].revision, known.revision);
    assert_eq!(world.app.llm.embedded().len(), 2, "the text is the same");
    let reads = || world.google.workspace.count("gmail.users.messages.get");
    let before = reads();
    user.deliver(FROM, "Order 9", "It is late again.");
    user.expire_history();
    world.sync_well().await;
    assert_eq!(reads(), before + 1, "nothing is read twice in the same way");
}
