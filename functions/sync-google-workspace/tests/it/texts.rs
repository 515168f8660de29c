use shared::models::{KnowledgeKind, user_principal};

use crate::world::World;

const FROM: &str = "Grace <grace@example.com>";

#[tokio::test]
async fn a_first_look_holds_all_mails_and_files() {
    let world = World::new().await;
    let mail = world.user.deliver(FROM, "Order 7", "The engine is late.");
    let file = world.user.create_document("Plan", "Build the engine.");
    world.sync_well().await;
    let documents = world.documents();
    let (mail, file) = (&documents[&mail], &documents[&file]);
    assert_eq!((mail.source.title.as_str(), mail.chunks), ("Order 7", 1));
    assert_eq!(mail.source.kind, KnowledgeKind::Gmail);
    assert_eq!(mail.principals, [user_principal(&mail.owner_uid)]);
    assert_eq!((file.source.title.as_str(), file.bytes), ("Plan", 17));
    let mut texts: Vec<_> = world.chunks().into_iter().map(|chunk| chunk.text).collect();
    texts.sort();
    let of_mail = "Order 7\nGrace <grace@example.com>\n\nThe engine is late.";
    assert_eq!(texts, ["Build the engine.", of_mail]);
    assert_eq!(world.used().documents, 2);
    assert!(world.integration().await.last_sync.is_some());
    let status = world
        .app
        .store
        .find_integration_status(&world.org_id, &world.id);
    let sync = status.await.unwrap().unwrap().sync;
    assert_eq!(sync.gmail.unwrap().counts.documents, 1);
    assert_eq!(sync.drive.unwrap().counts.documents, 1);
    assert_eq!(world.google.workspace.problems(), [""; 0]);
}
