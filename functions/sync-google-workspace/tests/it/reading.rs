use std::{
    cell::Cell,
    io::{Cursor, Write as _},
    sync::Arc,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::join;
use serde_json::json;
use sync_google_workspace::Settings;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::{
    app::{Options, TestApp},
    world::World,
};

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

/// A small file of very many paragraphs, of which one says something.
fn slow_document() -> Vec<u8> {
    let empty = "<w:p/>".repeat(400_000);
    let said = "<w:p><w:r><w:t>Build the engine.</w:t></w:r></w:p>";
    let body = format!("<w:document><w:body>{empty}{said}</w:body></w:document>");
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    zip.start_file("word/document.xml", options).unwrap();
    zip.write_all(body.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

/// The same in a mail.
fn slow_mail() -> String {
    let file = STANDARD.encode(slow_document());
    let lines = file.as_bytes().chunks(76).map(String::from_utf8_lossy);
    let lines = lines.collect::<Vec<_>>().join("\r\n");
    format!(
        "From: Grace <grace@example.com>\r\nSubject: Order 7\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSee.\r\n\
         --b\r\nContent-Type: {DOCX}; name=a.docx\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=a.docx\r\n\r\n{lines}\r\n--b--\r\n"
    )
}

/// Requests that are answered from when Google is asked for something until it is in the index.
async fn answered_after(world: &World, method: &str) -> usize {
    let is_syncing = Cell::new(true);
    let sync = async {
        world.sync_well().await;
        is_syncing.set(false);
    };
    let others = async {
        let mut answered = 0;
        while is_syncing.get() {
            assert_eq!(world.app.post("{").await.0, 400);
            tokio::task::yield_now().await;
            answered += usize::from(world.google.workspace.count(method) > 0);
        }
        answered
    };
    join!(sync, others).1
}

#[tokio::test]
async fn other_requests_are_answered_while_a_file_or_a_mail_is_read() {
    let table = [
        ("drive.files.get", true),
        ("gmail.users.messages.get", false),
    ];
    for (method, is_file) in table {
        let world = World::new().await;
        match is_file {
            true => world.user.create_file("Slow", DOCX, slow_document()),
            false => world.user.deliver_raw(slow_mail()),
        };
        let answered = answered_after(&world, method).await;
        eprintln!("{method}: {answered} other requests");
        assert_eq!(world.chunks().len(), 1);
        assert!(answered > 500, "{method}: {answered}");
    }
}

#[tokio::test]
async fn what_takes_too_long_is_known_without_a_text_until_it_changes() {
    let settings = Settings {
        read_timeout: Duration::from_millis(1),
        ..Settings::default()
    };
    let options = Options {
        settings,
        ..Options::default()
    };
    let mut world = World::with(options).await;
    world
        .add_workflow("all", json!({ "type": "onEmailReceived" }))
        .await;
    world.sync_well().await;
    let file = world.user.create_file("Slow", DOCX, slow_document());
    let mail = world.user.deliver_raw(slow_mail());
    world.sync_well().await;
    assert_eq!((world.documents().len(), world.chunks().len()), (2, 0));
    world.app = TestApp::on(
        world.app.db.clone(),
        world.app.clock.clone(),
        Arc::new(world.vault.clone()),
        Options::default(),
    );
    world.user.rename_file(&file, "Still slow");
    world.user.label_mail(&mail, &["STARRED"], &[]);
    world.sync_well().await;
    assert_eq!((world.documents().len(), world.chunks().len()), (2, 2));
}
