use std::fs;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::emulators::client;

const RULES: &str = "rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /open/{id} { allow read: if true; }
  }
}";

fn options(data_dir: Option<&Path>) -> FirestoreOptions {
    FirestoreOptions {
        port: 0,
        project_id: "demo".to_owned(),
        rules_source: RULES.to_owned(),
        data_dir: data_dir.map(Path::to_owned),
    }
}

async fn start(data_dir: &Path) -> EmbeddedFirestore {
    EmbeddedFirestore::start(options(Some(data_dir)))
        .await
        .expect("start")
}

async fn start_error(options: FirestoreOptions) -> String {
    match EmbeddedFirestore::start(options).await {
        Ok(_) => panic!("it started"),
        Err(error) => format!("{error:#}"),
    }
}

async fn call(
    firestore: &EmbeddedFirestore,
    method: Method,
    path: &str,
    body: Option<Value>,
    owner: bool,
) -> (StatusCode, Value) {
    let url = format!("http://{}/{path}", firestore.host());
    let mut request = client().request(method, url);
    if owner {
        request = request.bearer_auth("owner");
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.expect("an answer");
    let status = response.status();
    (status, response.json().await.unwrap_or_default())
}

fn document(path: &str) -> String {
    format!("v1/projects/demo/databases/(default)/documents/{path}")
}

async fn put(firestore: &EmbeddedFirestore, path: &str, text: &str) {
    let body = json!({ "fields": { "text": { "stringValue": text } } });
    let (status, answer) = call(firestore, Method::PATCH, &document(path), Some(body), true).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

async fn get(firestore: &EmbeddedFirestore, path: &str) -> (StatusCode, Value) {
    call(firestore, Method::GET, &document(path), None, true).await
}

async fn text(firestore: &EmbeddedFirestore, path: &str) -> Option<String> {
    let (_, answer) = get(firestore, path).await;
    answer["fields"]["text"]["stringValue"]
        .as_str()
        .map(str::to_owned)
}

fn journal(directory: &Path) -> PathBuf {
    directory.join("firestore.journal")
}

#[tokio::test]
async fn documents_and_their_times_survive_restarts() {
    let directory = tempfile::tempdir().expect("directory");
    let firestore = start(directory.path()).await;
    put(&firestore, "open/a", "one").await;
    put(&firestore, "open/a", "two").await;
    put(&firestore, "open/a/deep/b", "below").await;
    let before = get(&firestore, "open/a").await;
    assert_ne!(before.1["createTime"], before.1["updateTime"]);
    firestore.shutdown().await;

    for _ in 0..2 {
        let firestore = start(directory.path()).await;
        assert_eq!(get(&firestore, "open/a").await, before);
        assert_eq!(
            text(&firestore, "open/a/deep/b").await.as_deref(),
            Some("below")
        );
        firestore.shutdown().await;
    }
}

#[tokio::test]
async fn a_read_at_a_time_before_the_restart_is_refused() {
    let directory = tempfile::tempdir().expect("directory");
    let firestore = start(directory.path()).await;
    put(&firestore, "open/a", "one").await;
    let (_, before) = get(&firestore, "open/a").await;
    let time = before["updateTime"].as_str().expect("a time");
    let at_that_time = format!("open/a?readTime={time}");
    assert_eq!(get(&firestore, &at_that_time).await.0, StatusCode::OK);
    firestore.shutdown().await;

    let firestore = start(directory.path()).await;
    let (status, answer) = get(&firestore, &at_that_time).await;
    assert!(status.is_client_error(), "{answer}");
}

#[tokio::test]
async fn deletes_and_clears_survive_a_restart() {
    let directory = tempfile::tempdir().expect("directory");
    let firestore = start(directory.path()).await;
    put(&firestore, "open/a", "cleared").await;
    let all = "emulator/v1/projects/demo/databases/(default)/documents";
    let (status, _) = call(&firestore, Method::DELETE, all, None, true).await;
    assert_eq!(status, StatusCode::OK);
    put(&firestore, "open/b", "deleted").await;
    put(&firestore, "open/c", "kept").await;
    call(&firestore, Method::DELETE, &document("open/b"), None, true).await;
    firestore.shutdown().await;

    let firestore = start(directory.path()).await;
    assert_eq!(get(&firestore, "open/a").await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&firestore, "open/b").await.0, StatusCode::NOT_FOUND);
    assert_eq!(text(&firestore, "open/c").await.as_deref(), Some("kept"));
}

#[tokio::test]
async fn acknowledged_writes_are_on_disk_while_the_server_still_runs() {
    let directory = tempfile::tempdir().expect("directory");
    let firestore = start(directory.path()).await;
    put(&firestore, "open/a", "acknowledged").await;

    let as_after_a_kill = tempfile::tempdir().expect("directory");
    fs::copy(journal(directory.path()), journal(as_after_a_kill.path())).expect("copy");
    let survivor = start(as_after_a_kill.path()).await;
    assert_eq!(
        text(&survivor, "open/a").await.as_deref(),
        Some("acknowledged")
    );
}

#[tokio::test]
async fn a_dropped_server_frees_its_directory() {
    let directory = tempfile::tempdir().expect("directory");
    let firestore = start(directory.path()).await;
    put(&firestore, "open/a", "kept").await;
    drop(firestore);
    let firestore = start(directory.path()).await;
    assert_eq!(text(&firestore, "open/a").await.as_deref(), Some("kept"));
}

#[tokio::test]
async fn a_directory_in_use_is_refused() {
    let directory = tempfile::tempdir().expect("directory");
    let _firestore = start(directory.path()).await;
    let error = start_error(options(Some(directory.path()))).await;
    assert!(error.contains("another process uses"), "{error}");
}

#[tokio::test]
async fn a_record_cut_off_at_any_byte_loses_only_itself() {
    let directory = tempfile::tempdir().expect("directory");
    let firestore = start(directory.path()).await;
    put(&firestore, "open/a", "whole").await;
    let whole = fs::read(journal(directory.path())).expect("read").len();
    put(&firestore, "open/b", "cut").await;
    let bytes = fs::read(journal(directory.path())).expect("read");
    firestore.shutdown().await;

    for cut in [whole + 1, whole + 7, whole + 20, bytes.len() - 1] {
        fs::write(journal(directory.path()), &bytes[..cut]).expect("write");
        let firestore = start(directory.path()).await;
        assert_eq!(text(&firestore, "open/a").await.as_deref(), Some("whole"));
        assert_eq!(get(&firestore, "open/b").await.0, StatusCode::NOT_FOUND);
        put(&firestore, "open/c", "after").await;
        firestore.shutdown().await;
        let firestore = start(directory.path()).await;
        assert_eq!(text(&firestore, "open/c").await.as_deref(), Some("after"));
        firestore.shutdown().await;
    }
}

#[tokio::test]
async fn damage_before_the_last_record_is_an_error_that_names_the_place() {
    let directory = tempfile::tempdir().expect("directory");
    let firestore = start(directory.path()).await;
    put(&firestore, "open/a", "damaged").await;
    put(&firestore, "open/b", "last").await;
    firestore.shutdown().await;
    let sound = fs::read(journal(directory.path())).expect("read");

    for (byte, reason) in [
        (3, "not a firestore journal"),
        (8, "damaged at byte 8: a record's length"),
        (60, "damaged at byte 8: a record's checksum"),
    ] {
        let mut bytes = sound.clone();
        bytes[byte] ^= 1;
        fs::write(journal(directory.path()), &bytes).expect("write");
        let error = start_error(options(Some(directory.path()))).await;
        assert!(error.contains(reason), "{error}");
        assert_eq!(fs::read(journal(directory.path())).expect("read"), bytes);
    }
}

#[tokio::test]
async fn a_restart_drops_what_was_overwritten() {
    let directory = tempfile::tempdir().expect("directory");
    let firestore = start(directory.path()).await;
    for round in 0..50 {
        put(&firestore, "open/a", &format!("version {round}")).await;
    }
    firestore.shutdown().await;
    let grown = fs::read(journal(directory.path())).expect("read").len();
    start(directory.path()).await.shutdown().await;
    let compact = fs::read(journal(directory.path())).expect("read").len();
    assert!(compact < grown / 10, "{compact} of {grown} bytes");
}

#[tokio::test]
async fn rules_decide_for_everybody_but_the_owner() {
    let firestore = EmbeddedFirestore::start(options(None))
        .await
        .expect("start");
    put(&firestore, "open/a", "public").await;
    put(&firestore, "closed/a", "private").await;
    let (open, closed) = (document("open/a"), document("closed/a"));
    let read = |path| call(&firestore, Method::GET, path, None, false);
    assert_eq!(read(&open).await.0, StatusCode::OK);
    assert_eq!(read(&closed).await.0, StatusCode::FORBIDDEN);
    assert_eq!(get(&firestore, "closed/a").await.0, StatusCode::OK);
}

#[tokio::test]
async fn another_project_is_refused() {
    let firestore = EmbeddedFirestore::start(options(None))
        .await
        .expect("start");
    let path = "v1/projects/other/databases/(default)/documents/open/a";
    let (status, _) = call(&firestore, Method::GET, path, None, true).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn broken_rules_are_listed_by_line_and_column() {
    let rules_source = RULES.replace("if true", "if tru +");
    let error = start_error(FirestoreOptions {
        rules_source,
        ..options(None)
    })
    .await;
    assert!(error.contains("\nfirestore.rules:4:"), "{error}");
}

#[tokio::test]
async fn a_warning_about_the_rules_is_an_error_too() {
    let rules_source = RULES.replace("rules_version = '2';", "");
    let error = start_error(FirestoreOptions {
        rules_source,
        ..options(None)
    })
    .await;
    assert!(error.contains("\nfirestore.rules:"), "{error}");
}
