//! The requests of the sync against those that Google's own Python client builds for the same call
//! (`contracts/google/requests.json`).

use serde_json::Value;
use shared::{
    testing::WorkspaceCall,
    vault::{DriveFile, MAX_MAIL_BYTES, Workspace},
};
use url::Url;

use super::support::World;

/// Compares the last call with the golden one, but for parameters that are `ours` alone, or have a
/// value that is ours.
fn compare(world: &World, golden: &str, ours: &[&str]) {
    let calls = world.workspace.calls();
    let WorkspaceCall { method, call, .. } = calls.last().unwrap();
    let document: Value =
        serde_json::from_str(include_str!("../../contracts/google/requests.json")).unwrap();
    let mut vectors = document["vectors"].as_array().unwrap().iter();
    let vector = vectors.find(|vector| vector["method"] == golden).unwrap();
    let url: Url = vector["url"].as_str().unwrap().parse().unwrap();
    assert_eq!(method.as_str(), golden.split('#').next().unwrap());
    assert_eq!(vector["http"], call.verb.as_str());
    assert_eq!(url.path(), call.path);
    let known = |mut pairs: Vec<(String, String)>| {
        let is_default = |pair: &(String, String)| pair.0 == "alt" && pair.1 == "json";
        pairs.retain(|pair| !is_default(pair) && !ours.contains(&pair.0.as_str()));
        pairs.sort();
        pairs
    };
    let theirs = url.query_pairs().into_owned().collect();
    assert_eq!(known(call.query.clone()), known(theirs), "{golden}");
    assert_eq!(call.body, vector["body"]);
}

fn file() -> DriveFile {
    DriveFile {
        id: "1AbC".to_owned(),
        name: String::new(),
        mime_type: String::new(),
        modified_at: None,
        revision: String::new(),
        size: None,
        is_trashed: false,
        link: None,
    }
}

#[tokio::test]
async fn looking_at_a_mailbox_is_googles_own() {
    let world = World::new().await;
    world.vault.mailbox(&world.account).await.unwrap();
    compare(&world, "gmail.users.getProfile", &[]);
}

#[tokio::test]
async fn listing_mails_is_googles_own() {
    let world = World::new().await;
    world.vault.list_mail(&world.account, None).await.unwrap();
    compare(&world, "gmail.users.messages.list", &["q", "maxResults"]);
}

#[tokio::test]
async fn listing_changes_of_mail_is_googles_own() {
    let world = World::new().await;
    world.mail_changes("4711", Some("4711")).await;
    let ours = ["historyTypes", "pageToken"];
    compare(&world, "gmail.users.history.list", &ours);
    let calls = world.workspace.calls();
    let query = &calls.last().unwrap().call.query;
    let sent = |name| {
        let values = query.iter().filter(move |(other, _)| other == name);
        values.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    let kinds = [
        "messageAdded",
        "messageDeleted",
        "labelAdded",
        "labelRemoved",
    ];
    assert_eq!(sent("historyTypes"), kinds);
    assert_eq!(sent("pageToken"), ["4711"]);
}

#[tokio::test]
async fn reading_a_mail_is_googles_own() {
    let world = World::new().await;
    let mail = world
        .vault
        .find_mail(&world.account, "18c0ffee", MAX_MAIL_BYTES)
        .await;
    assert_eq!(mail.unwrap(), None);
    compare(&world, "gmail.users.messages.get#raw", &[]);
}

#[tokio::test]
async fn asking_for_a_position_is_googles_own() {
    let world = World::new().await;
    world.vault.drive_position(&world.account).await.unwrap();
    compare(&world, "drive.changes.getStartPageToken", &[]);
}

#[tokio::test]
async fn listing_changes_of_files_is_googles_own() {
    let world = World::new().await;
    let changes = world.vault.list_file_changes(&world.account, "8181");
    changes.await.unwrap();
    let ours = ["fields", "supportsAllDrives", "includeItemsFromAllDrives"];
    compare(&world, "drive.changes.list", &ours);
}

#[tokio::test]
async fn exporting_a_file_is_googles_own() {
    let world = World::new().await;
    world
        .content(&file(), Some("text/plain"), 10)
        .await
        .unwrap();
    compare(&world, "drive.files.export", &[]);
}

#[tokio::test]
async fn reading_a_file_is_googles_own() {
    let world = World::new().await;
    world.content(&file(), None, 10).await.unwrap();
    compare(&world, "drive.files.get#media", &[]);
}
