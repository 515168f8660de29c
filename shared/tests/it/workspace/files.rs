use shared::{
    testing::Weather,
    vault::{FileChange, NextFiles, Since, Workspace},
};

use super::support::{World, known};

const TEXT: &str = "text/plain";
const LIMIT: usize = 1_000;

fn ids(changes: &[FileChange]) -> Vec<(&str, bool)> {
    let changes = changes.iter();
    let ids = changes.map(|change| (change.id.as_str(), change.file.is_some()));
    ids.collect()
}

fn in_small_pages() -> Weather {
    Weather {
        max_page: Some(1),
        empty_pages_per_mille: 1_000,
        ..Weather::default()
    }
}

#[tokio::test]
async fn files_are_listed_without_the_bin_page_by_page() {
    let world = World::new().await;
    for name in ["a", "b", "c", "d", "e"] {
        world.user.create_file(name, TEXT, name);
    }
    world.user.trash_file("f1");
    world.user.unshare_file("f3");
    world.user.delete_file("f4");
    world.workspace.set_weather(in_small_pages());
    let files = world.files().await;
    let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["b", "e"]);
    assert_eq!(
        world.workspace.count("drive.files.list"),
        4,
        "an empty one before each other"
    );
    world.assert_no_problems();
}

#[tokio::test]
async fn a_file_is_described() {
    let world = World::new().await;
    let id = world.user.create_file("a.txt", TEXT, "four");
    let file = world.file(&id).await;
    assert_eq!(
        (file.name.as_str(), file.mime_type.as_str()),
        ("a.txt", TEXT)
    );
    assert_eq!((file.size, file.is_trashed), (Some(4), false));
    assert_eq!(file.link.as_deref(), Some("https://drive.example.com/f1"));
    assert_eq!(
        file.modified_at.unwrap().to_string(),
        "2026-11-26T12:00:01Z"
    );
    let document = world.user.create_document("Minutes", "text");
    assert_eq!(world.file(&document).await.size, None);
}

#[tokio::test]
async fn a_revision_changes_whenever_the_content_does() {
    let world = World::new().await;
    let text = world.user.create_file("a.txt", TEXT, "one");
    let document = world.user.create_document("Minutes", "one");
    for id in [text.as_str(), document.as_str()] {
        let before = world.file(id).await.revision;
        assert_eq!(world.file(id).await.revision, before);
        world.user.edit_file(id, "two");
        assert_ne!(world.file(id).await.revision, before, "{id}");
    }
    let before = world.file(&text).await.revision;
    world.user.rename_file(&text, "b.txt");
    world.user.move_file(&text, "folder-1");
    let file = world.file(&text).await;
    assert_eq!((file.name.as_str(), file.revision), ("b.txt", before));
    world.assert_no_problems();
}

#[tokio::test]
async fn changes_name_each_file_once_as_it_is_now() {
    let world = World::new().await;
    for name in ["a", "b", "c", "d"] {
        world.user.create_file(name, TEXT, name);
    }
    let position = world.vault.drive_position(&world.account).await.unwrap();
    assert_eq!(
        world.file_changes(&position).await,
        (vec![], position.clone())
    );
    world.user.edit_file("f1", "aa");
    world.user.trash_file("f2");
    world.user.unshare_file("f3");
    world.user.delete_file("f4");
    world.user.rename_file("f1", "A");
    world.workspace.set_weather(in_small_pages());
    let (changes, next) = world.file_changes(&position).await;
    let expected = [("f2", true), ("f3", false), ("f4", false), ("f1", true)];
    assert_eq!(ids(&changes), expected);
    let [trashed, .., renamed] = changes.as_slice() else {
        panic!("{changes:?}");
    };
    assert!(trashed.file.as_ref().unwrap().is_trashed);
    assert_eq!(renamed.file.as_ref().unwrap().name, "A");
    world.user.restore_file("f2");
    world.user.reshare_file("f3");
    let (changes, _) = world.file_changes(&next).await;
    assert_eq!(ids(&changes), [("f2", true), ("f3", true)]);
    world.assert_no_problems();
}

#[tokio::test]
async fn only_the_last_page_of_changes_has_a_position() {
    let world = World::new().await;
    let position = world.vault.drive_position(&world.account).await.unwrap();
    world.user.create_file("a", TEXT, "a");
    world.user.create_file("b", TEXT, "b");
    world.workspace.set_weather(Weather {
        max_page: Some(1),
        ..Weather::default()
    });
    let page = world.vault.list_file_changes(&world.account, &position);
    let NextFiles::Page(next) = known(page.await.unwrap()).next else {
        panic!("there are two pages");
    };
    let page = world.vault.list_file_changes(&world.account, &next);
    let last = known(page.await.unwrap()).next;
    let position = world.vault.drive_position(&world.account).await.unwrap();
    assert_eq!(last, NextFiles::Position(position));
}

#[tokio::test]
async fn a_position_that_drive_does_not_take_is_expired() {
    let world = World::new().await;
    for position in ["999", "none"] {
        let changes = world.vault.list_file_changes(&world.account, position);
        assert_eq!(changes.await.unwrap(), Since::Expired);
    }
    world.assert_no_problems();
}

#[tokio::test]
async fn content_is_read_as_it_is_or_exported() {
    let world = World::new().await;
    let file = world.user.create_file("a.bin", "application/pdf", [0, 255]);
    let file = world.file(&file).await;
    let content = world.content(&file, None, LIMIT).await.unwrap();
    assert_eq!(content, Some(vec![0, 255]));
    let document = world.user.create_document("Minutes", "Grüße");
    let document = world.file(&document).await;
    let content = world.content(&document, Some(TEXT), LIMIT).await.unwrap();
    assert_eq!(content, Some("Grüße".into()));
    world.assert_no_problems();
}

#[tokio::test]
async fn what_cannot_be_read_is_none() {
    let world = World::new().await;
    let document = world.user.create_document("Minutes", "text");
    let text = world.user.create_file("a.txt", TEXT, "text");
    let document = world.file(&document).await;
    let text = world.file(&text).await;
    assert_eq!(world.content(&document, None, LIMIT).await.unwrap(), None);
    assert_eq!(world.content(&text, Some(TEXT), LIMIT).await.unwrap(), None);
    world.user.unshare_file(&text.id);
    world.user.delete_file(&document.id);
    assert_eq!(world.content(&text, None, LIMIT).await.unwrap(), None);
    let export = world.content(&document, Some(TEXT), LIMIT).await.unwrap();
    assert_eq!(export, None);
    world.assert_no_problems();
}

#[tokio::test]
async fn content_above_the_limit_is_none() {
    let world = World::new().await;
    let file = world.user.create_file("a.txt", TEXT, [b'x'; LIMIT]);
    let document = world.user.create_document("Minutes", &"x".repeat(LIMIT));
    let read = async |id: &str, as_type, limit| {
        let file = world.file(id).await;
        let content = world.content(&file, as_type, limit).await.unwrap();
        content.map(|content| content.len())
    };
    assert_eq!(read(&file, None, LIMIT).await, Some(LIMIT));
    assert_eq!(read(&document, Some(TEXT), LIMIT).await, Some(LIMIT));
    assert_eq!(read(&document, Some(TEXT), LIMIT - 1).await, None);
    assert_eq!(world.workspace.count("drive.files.get"), 1);
    assert_eq!(read(&file, None, LIMIT - 1).await, None);
    assert_eq!(
        world.workspace.count("drive.files.get"),
        1,
        "it is not asked for"
    );
    world.user.hide_size(&file);
    assert_eq!(read(&file, None, LIMIT - 1).await, None);
    assert_eq!(world.workspace.count("drive.files.get"), 2);
    world.assert_no_problems();
}

#[tokio::test]
async fn an_export_that_google_finds_too_large_is_none() {
    let world = World::new().await;
    let text = "x".repeat(10 * 1024 * 1024 + 1);
    let document = world.user.create_document("Minutes", &text);
    let document = world.file(&document).await;
    let export = world.content(&document, Some(TEXT), usize::MAX).await;
    assert_eq!(export.unwrap(), None);
    world.assert_no_problems();
}
