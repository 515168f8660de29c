use std::{
    cell::Cell,
    io::{Cursor, Write as _},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::join;
use shared::{models::KnowledgeKind, store::integrations::set_sync_state, vault::MAX_MAIL_BYTES};
use sync_google_workspace::Settings;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::{
    app::Options,
    contents::{Contents, restart},
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

/// A process that gives up after a millisecond.
fn hasty(readers: usize) -> Options {
    let settings = Settings {
        readers,
        read_timeout: Duration::from_millis(1),
        wait_timeout: Duration::from_millis(1),
        ..Settings::default()
    };
    Options {
        settings,
        ..Options::default()
    }
}

async fn cause(world: &World, kind: KnowledgeKind) -> Option<String> {
    world.state(kind).await.error_cause
}

#[tokio::test]
async fn what_takes_too_long_is_read_again_when_all_is_looked_at() {
    let mut world = World::looked_at_once().await;
    let contents = Contents::of(&world);
    restart(&mut world, &contents, hasty(2));
    world.user.create_file("Slow", DOCX, slow_document());
    world.user.deliver_raw(slow_mail());
    assert_eq!(world.sync().await, 204);
    assert_eq!((world.documents().len(), world.chunks().len()), (2, 0));
    assert_eq!(world.triggers(), []);
    for kind in [KnowledgeKind::Gmail, KnowledgeKind::Drive] {
        assert_eq!(cause(&world, kind).await.as_deref(), Some("passed_over"));
        assert_eq!(world.state(kind).await.counts.skipped, 1);
    }
    restart(&mut world, &contents, Options::default());
    world.advance(6 * 3_600);
    for _ in 0..2 {
        world.sync_well().await;
        assert_eq!((world.documents().len(), world.chunks().len()), (2, 2));
        assert_eq!(world.triggers().len(), 1);
    }
}

#[tokio::test]
async fn what_takes_too_long_twice_is_given_up_until_it_changes() {
    let mut world = World::looked_at_once().await;
    let contents = Contents::of(&world);
    let file = world.user.create_file("Slow", DOCX, slow_document());
    let mail = world.user.deliver_raw(slow_mail());
    // A reader that is busy with the last one has none for the next.
    for _ in 0..2 {
        restart(&mut world, &contents, hasty(4));
        assert_eq!(world.sync().await, 204);
        world.advance(6 * 3_600);
    }
    let documents = world.documents();
    assert_eq!((documents.len(), documents[&file].chunks), (2, 0));
    let triggers = world.triggers();
    assert_eq!(triggers.len(), 1);
    assert_eq!(triggers[0].payload.0["messageId"], mail.as_str());
    restart(&mut world, &contents, Options::default());
    let fetched = contents.fetched();
    world.user.expire_history();
    world.sync_well().await;
    assert_eq!((contents.fetched(), world.triggers().len()), (fetched, 1));
    world.user.edit_file(&file, "Build.");
    world.sync_well().await;
    assert_eq!(world.triggers().len(), 1);
}

#[tokio::test]
async fn a_text_that_is_known_stays_when_its_mail_is_not_read_in_time_once_more() {
    let mut world = World::looked_at_once().await;
    let contents = Contents::of(&world);
    let kind = KnowledgeKind::Gmail;
    let cursor = world.state(kind).await.cursor;
    world.user.deliver_raw(slow_mail());
    world.sync_well().await;
    let chunks = world.chunks();
    // As after a worker that has died before the last commit of its page.
    let found = world
        .app
        .store
        .find_sync_state(&world.org_id, &world.id, kind);
    let mut found = found.await.unwrap().unwrap();
    found.value.cursor = cursor;
    let write = set_sync_state(&world.id, kind, &found.value, Some(found.version)).unwrap();
    world.app.store.commit(vec![write]).await.unwrap();
    restart(&mut world, &contents, hasty(2));
    world.sync_well().await;
    assert_eq!((world.chunks(), world.triggers().len()), (chunks, 1));
}

#[tokio::test]
async fn where_no_reader_is_free_the_attempt_ends_and_another_one_follows_later() {
    let mut world = World::looked_at_once().await;
    let contents = Contents::of(&world);
    restart(&mut world, &contents, hasty(1));
    for _ in 0..2 {
        world.user.create_file("Slow", DOCX, slow_document());
    }
    assert_eq!(world.sync().await, 204);
    assert_eq!(
        cause(&world, KnowledgeKind::Drive).await.as_deref(),
        Some("busy")
    );
    let state = world.state(KnowledgeKind::Drive).await;
    assert_eq!(state.failures, 1);
    assert!(state.retry_at > Some(world.app.clock_now()));
    assert_eq!(world.app.topic.take().len(), 0, "nothing goes on at once");
    restart(&mut world, &contents, Options::default());
    world.advance(3_700);
    assert_eq!(world.sync().await, 204);
    assert_eq!(world.chunks().len(), 2);
}

#[tokio::test]
async fn a_text_that_takes_too_long_to_be_cut_costs_itself_alone() {
    let mut world = World::looked_at_once().await;
    let contents = Contents::of(&world);
    let settings = Settings {
        read_timeout: Duration::from_millis(150),
        ..Settings::default()
    };
    let options = Options {
        settings,
        ..Options::default()
    };
    restart(&mut world, &contents, options);
    let long = "The engine is late, and nobody knows why. ".repeat(22_000);
    world.user.create_file("Long", "text/plain", long);
    world.user.create_file("Short", "text/plain", "Build.");
    assert_eq!(world.sync().await, 204);
    assert_eq!(
        cause(&world, KnowledgeKind::Drive).await.as_deref(),
        Some("passed_over")
    );
    assert_eq!((world.documents().len(), world.chunks().len()), (2, 1));
    restart(&mut world, &contents, Options::default());
    world.advance(6 * 3_600);
    world.sync_well().await;
    assert!(world.chunks().len() > 100);
}

#[tokio::test]
async fn contents_are_fetched_as_there_is_room_for_them() {
    let mut world = World::looked_at_once().await;
    let contents = Contents::of(&world);
    let options = |content_bytes: usize| Options {
        settings: Settings {
            content_bytes,
            ..Settings::default()
        },
        ..Options::default()
    };
    for number in 0..8 {
        let text = format!("Build engine {number}. {}", " ".repeat(100_000));
        world.user.create_file("Plan", "text/plain", text);
    }
    restart(&mut world, &contents, options(2 * 3 * 101_000));
    world.sync_well().await;
    assert_eq!((world.documents().len(), contents.most()), (8, 2));

    let contents = Contents::of(&world);
    for number in 0..8 {
        let text = format!("Engine {number} is late. {}", " ".repeat(1_200_000));
        world
            .user
            .deliver("Grace <grace@example.com>", "Order", &text);
    }
    restart(
        &mut world,
        &contents,
        options(2 * 5 * MAX_MAIL_BYTES + 4_096),
    );
    world.sync_well().await;
    assert_eq!((world.documents().len(), contents.most()), (16, 2));
    assert_eq!(contents.fetched(), 8);
}

#[tokio::test]
async fn a_pdf_that_takes_too_much_memory_is_known_without_a_text() {
    let world = World::new().await;
    let file = |lists: usize| {
        let list = format!("[{}]", "<<>>".repeat(10_000));
        let list = format!("\n6 0 obj\n{list}\nendobj\n");
        PDF.replacen("\ntrailer", &format!("{}\ntrailer", list.repeat(lists)), 1)
    };
    world.user.create_file("Small", "application/pdf", file(1));
    world
        .user
        .create_file("Large", "application/pdf", file(120));
    world.sync_well().await;
    assert_eq!(world.documents().len(), 2);
    let texts: Vec<_> = world.chunks().into_iter().map(|chunk| chunk.text).collect();
    assert_eq!(texts, ["Build the engine."]);
}

/// A PDF whose table of objects has to be found first.
const PDF: &str = "%PDF-1.4
1 0 obj
<< /Type /Catalog /Pages 2 0 R >>
endobj
2 0 obj
<< /Type /Pages /Kids [3 0 R] /Count 1 >>
endobj
3 0 obj
<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>
endobj
4 0 obj
<< /Length 42 >>
stream
BT /F1 12 Tf (Build the engine.) Tj ET    
endstream
endobj
5 0 obj
<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>
endobj
trailer
<< /Size 7 /Root 1 0 R >>
startxref
0
%%EOF
";
