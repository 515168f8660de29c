use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use shared::connectors::Error;
use wiremock::{MockServer, ResponseTemplate};

use super::{
    super::fake::{answer, calls, ok, query, server},
    input, run,
};
use crate::contract::{check_github, github_example};

const PATH: &str = "/repos/octocat/hello/contents/docs/read%20me.md";

/// The example of a file with another content, in lines as GitHub sends it.
fn file(content: &[u8]) -> Value {
    let mut file = github_example("file");
    let text = BASE64_STANDARD.encode(content);
    let (first, rest) = text.split_at(text.len() / 2);
    file["content"] = json!(format!("{first}\n{rest}\n"));
    check_github("Contents", &file).unwrap();
    file
}

fn path() -> Value {
    json!({ "path": "docs/read me.md" })
}

fn with(mut fields: Value, name: &str, value: Value) -> Value {
    fields[name] = value;
    fields
}

fn change() -> Value {
    let change = with(path(), "content", json!("Grüße"));
    input(with(change, "message", json!("Greet")))
}

#[tokio::test]
async fn a_text_file_is_read() {
    let server = MockServer::start().await;
    let there = file("Grüße\n".as_bytes());
    answer(&server, "GET", PATH, ok(&there)).await;
    let fields = input(with(path(), "ref", json!("v1")));
    let found = run(&server, "github.files.get", fields).await.unwrap();
    assert_eq!(found["content"], "Grüße\n");
    assert_eq!(found["sha"], there["sha"]);
    let sent = &server.received_requests().await.unwrap()[0];
    check_github("GetContentsQuery", &query(sent)).unwrap();
    assert_eq!(query(sent), json!({ "ref": "v1" }));
    run(&server, "github.files.get", input(path()))
        .await
        .unwrap();
    let sent = &server.received_requests().await.unwrap()[1];
    assert_eq!(query(sent), json!({}));
}

#[tokio::test]
async fn what_is_no_text_file_is_not_read() {
    let mut large = file(b"");
    large["encoding"] = json!("none");
    large["content"] = json!("");
    check_github("Contents", &large).unwrap();
    let rows = [
        (github_example("directory"), "directory"),
        (github_example("symlink"), "link"),
        (github_example("submodule"), "submodule"),
        (file(&[0xff, 0xfe]), "no text"),
        (large, "1 MB"),
    ];
    for (body, expected) in rows {
        check_github("Contents", &body).unwrap();
        let server = server(ok(&body)).await;
        let error = run(&server, "github.files.get", input(path()))
            .await
            .unwrap_err();
        let Error::Input { field, message } = error else {
            panic!("{error:?}");
        };
        assert_eq!(field, "path");
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn a_path_leads_nowhere_but_into_the_repository() {
    let server = server(ok(&file(b"x"))).await;
    for wrong in [
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "../x",
        "a/../../x",
        "a/./b",
    ] {
        let error = run(&server, "github.files.get", input(json!({ "path": wrong }))).await;
        let error = error.unwrap_err();
        assert!(
            matches!(&error, Error::Input { field, .. } if field == "path"),
            "{wrong}"
        );
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
    let odd = input(json!({ "path": "a?b#c/%2e%2e/é" }));
    run(&server, "github.files.get", odd).await.unwrap();
    let expected = "GET /repos/octocat/hello/contents/a%3Fb%23c/%252e%252e/%C3%A9";
    assert_eq!(calls(&server).await, [expected]);
}

#[tokio::test]
async fn a_new_file_is_committed() {
    let server = MockServer::start().await;
    let created = github_example("created");
    check_github("PutContents", &created).unwrap();
    answer(&server, "GET", PATH, ResponseTemplate::new(404)).await;
    answer(
        &server,
        "PUT",
        PATH,
        ResponseTemplate::new(201).set_body_json(&created),
    )
    .await;
    let found = run(&server, "github.files.put", change()).await.unwrap();
    assert_eq!(found["committed"], true);
    assert_eq!(found["sha"], created["content"]["sha"]);
    assert_eq!(found["commit"], created["commit"]["sha"]);
    let sent = &server.received_requests().await.unwrap()[1];
    let body: Value = sent.body_json().unwrap();
    check_github("PutContentsRequest", &body).unwrap();
    assert_eq!(
        body,
        json!({ "message": "Greet", "content": "R3LDvMOfZQ==" })
    );
}

#[tokio::test]
async fn a_file_that_is_there_is_replaced_by_its_version_on_the_branch() {
    let server = MockServer::start().await;
    let updated = github_example("updated");
    check_github("PutContents", &updated).unwrap();
    let there = file(b"Hello");
    answer(&server, "GET", PATH, ok(&there)).await;
    answer(&server, "PUT", PATH, ok(&updated)).await;
    let change = with(change(), "branch", json!("next"));
    let found = run(&server, "github.files.put", change).await.unwrap();
    assert_eq!(found["committed"], true);
    let sent = server.received_requests().await.unwrap();
    assert_eq!(query(&sent[0]), json!({ "ref": "next" }));
    let body: Value = sent[1].body_json().unwrap();
    check_github("PutContentsRequest", &body).unwrap();
    assert_eq!(
        (&body["sha"], &body["branch"]),
        (&there["sha"], &json!("next"))
    );
}

#[tokio::test]
async fn the_same_content_makes_no_commit() {
    let there = file("Grüße".as_bytes());
    let server = server(ok(&there)).await;
    let found = run(&server, "github.files.put", change()).await.unwrap();
    let expected = json!({ "path": "docs/read me.md", "sha": there["sha"], "committed": false });
    assert_eq!(found, expected);
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_change_that_comes_between_is_refused() {
    let server = MockServer::start().await;
    answer(&server, "GET", PATH, ok(&file(b"Hello"))).await;
    answer(&server, "PUT", PATH, ResponseTemplate::new(409)).await;
    let error = run(&server, "github.files.put", change())
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Rejected { status: 409, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_commit_that_nobody_confirms_may_have_been_made() {
    let server = MockServer::start().await;
    answer(&server, "GET", PATH, ResponseTemplate::new(404)).await;
    answer(&server, "PUT", PATH, ResponseTemplate::new(502)).await;
    let error = run(&server, "github.files.put", change())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Unknown(_)), "{error:?}");
}

#[tokio::test]
async fn what_is_too_large_or_no_file_is_not_committed() {
    let large = with(change(), "content", json!("a".repeat(1024 * 1024 + 1)));
    let server = server(ok(&github_example("directory"))).await;
    let error = run(&server, "github.files.put", large).await.unwrap_err();
    assert!(
        matches!(&error, Error::Input { field, .. } if field == "content"),
        "{error:?}"
    );
    let error = run(&server, "github.files.put", change())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Input { field, .. } if field == "path"),
        "{error:?}"
    );
    assert_eq!(calls(&server).await, [format!("GET {PATH}")]);
}
