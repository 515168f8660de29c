use http::{
    Method,
    header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH},
};

use crate::app::{TestApp, empty, request};

#[tokio::test]
async fn every_kind_of_node_is_told_with_the_schema_of_its_settings() {
    let app = TestApp::new().await;
    let answer = app.get("viewer", "/nodes").await;
    let nodes = answer.body["nodes"].as_array().unwrap();
    for kind in ["trigger", "llm", "approval", "output", "google.gmail.send"] {
        let node = nodes.iter().find(|node| node["kind"] == kind).unwrap();
        assert!(node["data"]["properties"].is_object(), "{node}");
    }
    assert_eq!(answer.headers[CACHE_CONTROL], "private, max-age=300");
}

#[tokio::test]
async fn the_catalogue_is_not_sent_again_to_who_has_it() {
    let app = TestApp::new().await;
    let first = app.get("viewer", "/nodes").await;
    let again = request(Method::GET, "/nodes", "user").header(IF_NONE_MATCH, &first.headers[ETAG]);
    let again = app.send(empty(again)).await;
    assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));
    assert_eq!(again.headers[ETAG], first.headers[ETAG]);
    assert_eq!(again.headers[CACHE_CONTROL], "private, max-age=300");
}
