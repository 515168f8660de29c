//! Buckets: a directory and Cloud Storage behave alike.

use bytes::Bytes;
use google_cloud_auth::credentials::anonymous;
use serde_json::json;
use shared::storage::{Bucket, CloudStorage, Created, Directory, Error};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

#[tokio::test]
async fn an_object_is_written_once_and_read_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = Directory::new(directory.path().join("bucket"));
    assert_eq!(bucket.read("a/b.jsonl").await.unwrap(), None);
    let first = Bytes::from_static(b"first\n");
    let created = bucket.create("a/b.jsonl", first.clone()).await.unwrap();
    assert_eq!(created, Created::New);
    let second = bucket
        .create("a/b.jsonl", Bytes::from_static(b"second"))
        .await;
    assert_eq!(second.unwrap(), Created::Existed);
    assert_eq!(bucket.read("a/b.jsonl").await.unwrap(), Some(first));
}

async fn cloud(mock: impl Fn() -> Mock) -> (MockServer, CloudStorage) {
    let server = MockServer::start().await;
    mock().mount(&server).await;
    let credentials = anonymous::Builder::new().build();
    let bucket = CloudStorage::new("anchors").at(server.uri(), credentials);
    (server, bucket)
}

#[tokio::test]
async fn cloud_storage_is_asked_to_replace_nothing() {
    let object = json!({
        "kind": "storage#object", "name": "a/b.jsonl", "bucket": "anchors", "generation": "1",
        "size": "5", "crc32c": "NT3Yvg==",
    });
    let (server, bucket) = cloud(|| {
        let answer = ResponseTemplate::new(200).set_body_json(object.clone());
        Mock::given(matchers::method("POST"))
            .and(matchers::path("/upload/storage/v1/b/anchors/o"))
            .respond_with(answer)
    })
    .await;
    bucket
        .create("a/b.jsonl", Bytes::from_static(b"first"))
        .await
        .ok();
    let request = &server.received_requests().await.unwrap()[0];
    let query: std::collections::HashMap<_, _> = request.url.query_pairs().collect();
    assert_eq!(query["ifGenerationMatch"], "0");
    assert_eq!(query["name"], "a/b.jsonl");
    let body = String::from_utf8_lossy(&request.body);
    assert!(body.contains("first"), "{body}");
}

#[tokio::test]
async fn an_object_that_cloud_storage_has_stays_as_it_is() {
    let (_server, bucket) =
        cloud(|| Mock::given(matchers::any()).respond_with(ResponseTemplate::new(412))).await;
    let created = bucket
        .create("a/b.jsonl", Bytes::from_static(b"second"))
        .await;
    assert_eq!(created.unwrap(), Created::Existed);
}

#[tokio::test]
async fn an_object_that_cloud_storage_has_not_is_none() {
    let (_server, bucket) =
        cloud(|| Mock::given(matchers::any()).respond_with(ResponseTemplate::new(404))).await;
    assert_eq!(bucket.read("a/b.jsonl").await.unwrap(), None);
}

#[tokio::test]
async fn a_bucket_that_is_not_ours_is_refused() {
    let (_server, bucket) =
        cloud(|| Mock::given(matchers::any()).respond_with(ResponseTemplate::new(403))).await;
    let result = bucket.create("a/b.jsonl", Bytes::from_static(b"x")).await;
    assert!(matches!(result, Err(Error::Refused(_))), "{result:?}");
}
