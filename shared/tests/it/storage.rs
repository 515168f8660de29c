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

#[tokio::test]
async fn a_deleted_object_is_gone_and_its_name_is_free() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = Directory::new(directory.path());
    let name = "executions/o1/e1/fetch#0/body";
    for content in [&b"first"[..], b"second"] {
        bucket.delete(name).await.unwrap();
        assert_eq!(bucket.read(name).await.unwrap(), None);
        let created = bucket.create(name, Bytes::from_static(content)).await;
        assert_eq!(created.unwrap(), Created::New);
    }
    bucket
        .delete("executions/o1/e1/other#0/body")
        .await
        .unwrap();
    let content = bucket.read(name).await.unwrap();
    assert_eq!(content, Some(Bytes::from_static(b"second")));
}

#[tokio::test]
async fn an_object_that_cannot_be_deleted_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = Directory::new(directory.path());
    let name = "a/b";
    bucket.create(name, Bytes::new()).await.unwrap();
    let result = bucket.delete("a").await;
    assert!(matches!(result, Err(Error::Refused(_))), "{result:?}");
}

/// An answer of gRPC that ends with its headers.
fn grpc(status: &str) -> Mock {
    let answer = ResponseTemplate::new(200)
        .insert_header("grpc-status", status)
        // An empty message.
        .set_body_raw([0; 5], "application/grpc");
    Mock::given(matchers::path("/google.storage.v2.Storage/DeleteObject")).respond_with(answer)
}

#[tokio::test]
async fn cloud_storage_is_asked_to_delete_an_object_by_its_name() {
    let name = "executions/o1/e1/fetch#0/body";
    let (server, bucket) = cloud(|| grpc("0")).await;
    bucket.delete(name).await.unwrap();
    let request = &server.received_requests().await.unwrap()[0];
    let body = String::from_utf8_lossy(&request.body);
    assert!(
        body.contains("projects/_/buckets/anchors") && body.contains(name),
        "{body}"
    );
}

#[tokio::test]
async fn an_object_that_cloud_storage_has_not_is_deleted() {
    let (_server, bucket) = cloud(|| grpc("5")).await;
    bucket.delete("a/b").await.unwrap();
}

#[tokio::test]
async fn cloud_storage_may_refuse_to_delete() {
    let (_server, bucket) = cloud(|| grpc("7")).await;
    let result = bucket.delete("a/b").await;
    assert!(matches!(result, Err(Error::Refused(_))), "{result:?}");
}

#[tokio::test]
async fn the_name_of_an_object_is_sent_whole() {
    let name = "executions/o1/e1/fetch#0/body";
    let (server, bucket) =
        cloud(|| Mock::given(matchers::any()).respond_with(ResponseTemplate::new(404))).await;
    assert_eq!(bucket.read(name).await.unwrap(), None);
    let request = &server.received_requests().await.unwrap()[0];
    let path = request.url.path().to_owned();
    assert!(
        path.ends_with("/executions%2Fo1%2Fe1%2Ffetch%230%2Fbody"),
        "{path}"
    );
}
