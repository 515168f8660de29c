use shared::models::{KnowledgeKind, user_principal};

use sync_google_workspace::text::MAX_TEXT_CHARS;

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

#[tokio::test]
async fn what_is_attached_is_kept_up_to_the_length_of_a_text() {
    let world = World::new().await;
    let file = |name: &str, letter: &str| {
        let lines = format!("{}\r\n", letter.repeat(69)).repeat(10_000);
        format!(
            "--b\r\nContent-Type: text/csv\r\n\
             Content-Disposition: attachment; filename={name}\r\n\r\n{lines}\r\n"
        )
    };
    let files = ["a", "b", "c"].map(|letter| file(&format!("{letter}.csv"), letter));
    let mail = world.user.deliver_raw(format!(
        "From: {FROM}\r\nSubject: Lists\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSee.\r\n{}--b--\r\n",
        files.concat()
    ));
    world.sync_well().await;
    let document = &world.documents()[&mail];
    assert_eq!(document.bytes, MAX_TEXT_CHARS as i64);
    let has = |text: &str| world.chunks().iter().any(|chunk| chunk.text.contains(text));
    assert!(has("a.csv") && has("aaaa") && has("See."));
    assert!(!has("c.csv"), "there is no room for any of it");
}
