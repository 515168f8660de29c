//! GitHub's calls, against its published description.

mod app;
mod files;

use std::time::Duration;

use serde_json::{Value, json};
use shared::{connectors::Error, retry::Transient};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use super::{
    fake::{answer, ok, query, server},
    vendors::{connect, key, perform},
};
use crate::contract::{check_github, github_example};

async fn run(server: &MockServer, action: &str, input: Value) -> Result<Value, Error> {
    perform(&connect(&server.uri()), &key("ghp_"), action, &input).await
}

/// An issue of GitHub's example with another number.
fn issue(number: u64) -> Value {
    let mut issue = github_example("issue");
    issue["number"] = json!(number);
    issue.as_object_mut().unwrap().remove("pull_request");
    check_github("Issue", &issue).unwrap();
    issue
}

/// The example of a list, which has a pull request in it.
fn pull_request() -> Value {
    let mut issues = github_example("issues");
    check_github("IssueList", &issues).unwrap();
    let pull_request = issues[0].take();
    assert!(pull_request["pull_request"].is_object());
    pull_request
}

fn numbers(found: &Value) -> Vec<u64> {
    let issues = found["issues"].as_array().unwrap().iter();
    issues
        .map(|issue| issue["number"].as_u64().unwrap())
        .collect()
}

/// Two pages, the first of which links to the second.
async fn two_pages(first: Value, second: Value) -> MockServer {
    let server = MockServer::start().await;
    let next = format!("{}/repositories/1/issues?page=2", server.uri());
    let link = format!("<{next}>; rel=\"next\", <{next}>; rel=\"last\"");
    answer(
        &server,
        "GET",
        "/repos/octocat/hello/issues",
        ok(&first).insert_header("link", link),
    )
    .await;
    answer(&server, "GET", "/repositories/1/issues", ok(&second)).await;
    server
}

fn input(fields: Value) -> Value {
    let mut input = json!({ "owner": "octocat", "repo": "hello" });
    for (name, value) in fields.as_object().unwrap() {
        input[name] = value.clone();
    }
    input
}

#[tokio::test]
async fn a_token_is_told_with_its_user_and_scopes() {
    let user = github_example("user");
    let answer = ok(&user).insert_header("x-oauth-scopes", "repo, user:email");
    let server = server(answer).await;
    let connectors = connect(&server.uri());
    let github = connectors
        .get(shared::models::IntegrationService::Github)
        .unwrap();
    let account = github.check(&key("ghp_")).await.unwrap();
    assert_eq!(account.label, user["login"]);
    assert_eq!(account.id, Some(user["id"].to_string()));
    assert_eq!(account.scopes, ["repo", "user:email"]);
    let sent = &server.received_requests().await.unwrap()[0];
    assert_eq!((sent.method.as_str(), sent.url.path()), ("GET", "/user"));
    assert_eq!(sent.headers["accept"], "application/vnd.github+json");
    assert_eq!(sent.headers["x-github-api-version"], "2022-11-28");
    assert!(
        sent.headers["authorization"]
            .to_str()
            .unwrap()
            .starts_with("Bearer ghp_")
    );
}

#[tokio::test]
async fn issues_are_listed_over_pages_without_pull_requests() {
    let server = two_pages(json!([issue(9), pull_request()]), json!([issue(7)])).await;
    let list = input(json!({ "state": "all", "labels": ["bug", "good first issue"] }));
    let found = run(&server, "github.issues.list", list).await.unwrap();
    assert_eq!(numbers(&found), [9, 7]);
    assert_eq!(found["hasMore"], false);
    let example = github_example("issue");
    assert_eq!(found["issues"][0]["author"], example["user"]["login"]);
    assert_eq!(found["issues"][0]["url"], example["html_url"]);
    assert_eq!(
        found["issues"][0]["labels"],
        json!([example["labels"][0]["name"]])
    );
    let sent = server.received_requests().await.unwrap();
    let asked = query(&sent[0]);
    check_github("ListIssuesQuery", &asked).unwrap();
    let expected = json!({ "state": "all", "labels": "bug,good first issue", "per_page": "100" });
    assert_eq!(asked, expected);
    assert!(sent[1].headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_list_ends_at_its_limit_and_says_that_there_is_more() {
    let server = two_pages(json!([issue(9), issue(8)]), json!([issue(7), issue(6)])).await;
    for (limit, expected, has_more, calls) in [
        (1, vec![9], true, 1),
        (2, vec![9, 8], true, 1),
        (3, vec![9, 8, 7], true, 2),
        (4, vec![9, 8, 7, 6], false, 2),
    ] {
        server.reset().await;
        let again = two_pages(json!([issue(9), issue(8)]), json!([issue(7), issue(6)])).await;
        let list = input(json!({ "limit": limit }));
        let found = run(&again, "github.issues.list", list).await.unwrap();
        assert_eq!(numbers(&found), expected);
        assert_eq!(found["hasMore"], has_more, "{limit}");
        assert_eq!(again.received_requests().await.unwrap().len(), calls);
    }
}

#[tokio::test]
async fn a_repository_of_pull_requests_alone_is_not_read_for_ever() {
    let server = MockServer::start().await;
    let next = format!(
        "<{}/repos/octocat/hello/issues>; rel=\"next\"",
        server.uri()
    );
    let page = ok(&json!([pull_request()])).insert_header("link", next);
    Mock::given(matchers::any())
        .respond_with(page)
        .mount(&server)
        .await;
    let found = run(&server, "github.issues.list", input(json!({})))
        .await
        .unwrap();
    assert_eq!(found, json!({ "issues": [], "hasMore": true }));
    assert_eq!(server.received_requests().await.unwrap().len(), 30);
}

#[tokio::test]
async fn a_link_elsewhere_is_not_followed() {
    let elsewhere = server(ok(&json!([]))).await;
    let link = format!("<{}/repositories/1/issues>; rel=\"next\"", elsewhere.uri());
    let server = server(ok(&json!([issue(9)])).insert_header("link", link)).await;
    let error = run(&server, "github.issues.list", input(json!({})))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Malformed), "{error:?}");
    assert_eq!(elsewhere.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn an_issue_is_opened_with_what_was_told() {
    let server = server(ResponseTemplate::new(201).set_body_json(issue(1347))).await;
    let full =
        json!({ "title": "Found", "body": "A bug", "labels": ["bug"], "assignees": ["ada"] });
    for fields in [full, json!({ "title": "Found" })] {
        let found = run(&server, "github.issues.create", input(fields.clone()))
            .await
            .unwrap();
        assert_eq!(found["number"], 1347);
        let sent = server.received_requests().await.unwrap();
        let sent = sent.last().unwrap();
        assert_eq!(
            (sent.method.as_str(), sent.url.path()),
            ("POST", "/repos/octocat/hello/issues")
        );
        let body: Value = sent.body_json().unwrap();
        check_github("CreateIssueRequest", &body).unwrap();
        assert_eq!(body, fields);
    }
}

#[tokio::test]
async fn a_comment_is_made() {
    let comment = github_example("comment");
    check_github("Comment", &comment).unwrap();
    let server = server(ResponseTemplate::new(201).set_body_json(&comment)).await;
    let fields = input(json!({ "number": 7, "body": "Me too" }));
    let found = run(&server, "github.comments.create", fields)
        .await
        .unwrap();
    assert_eq!(
        found,
        json!({ "id": comment["id"], "url": comment["html_url"] })
    );
    let sent = &server.received_requests().await.unwrap()[0];
    assert_eq!(sent.url.path(), "/repos/octocat/hello/issues/7/comments");
    let body: Value = sent.body_json().unwrap();
    check_github("CreateCommentRequest", &body).unwrap();
    assert_eq!(body, json!({ "body": "Me too" }));
}

#[tokio::test]
async fn what_is_no_name_gets_into_no_path() {
    let server = server(ok(&json!([]))).await;
    for name in [".", "..", "a/b", "a?b", "a b", "a%2fb", "é"] {
        for field in ["owner", "repo"] {
            let wrong = input(json!({ field: name }));
            let error = run(&server, "github.issues.list", wrong).await.unwrap_err();
            assert!(
                matches!(&error, Error::Input { field: found, .. } if found == field),
                "{name}"
            );
        }
    }
    let labels = input(json!({ "labels": ["bug", "a,b"] }));
    let error = run(&server, "github.issues.list", labels)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Input { field, .. } if field == "labels[1]"),
        "{error:?}"
    );
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn limits_are_told_from_what_is_forbidden() {
    let date = "Mon, 23 Nov 2026 22:00:00 GMT";
    let forbidden = |message: &str| {
        let body = json!({ "message": message, "documentation_url": "https://docs.github.com" });
        check_github("basic-error", &body).unwrap();
        ResponseTemplate::new(403)
            .set_body_json(body)
            .insert_header("date", date)
    };
    let reset = |remaining: &str| {
        forbidden("API rate exceeded")
            .insert_header("x-ratelimit-remaining", remaining)
            .insert_header("x-ratelimit-reset", "1795471230")
    };
    let rows = [
        (reset("0"), Some(30)),
        (reset("0").insert_header("retry-after", "7"), Some(7)),
        (forbidden("wait").insert_header("retry-after", "7"), Some(7)),
        (
            forbidden("You have exceeded a secondary rate limit."),
            Some(60),
        ),
        (reset("12"), None),
        (forbidden("Resource not accessible by integration"), None),
    ];
    for (answer, seconds) in rows {
        let server = server(answer).await;
        let error = run(&server, "github.issues.list", input(json!({})))
            .await
            .unwrap_err();
        match seconds {
            Some(seconds) => {
                assert!(matches!(error, Error::RateLimited { .. }), "{error:?}");
                assert_eq!(error.retry_after(), Some(Duration::from_secs(seconds)));
            }
            None => assert!(matches!(error, Error::Forbidden { .. }), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_refusal_names_the_field_and_shows_no_message() {
    let body = json!({
        "message": "Validation Failed",
        "documentation_url": "https://docs.github.com",
        "errors": [
            { "resource": "Issue", "field": "assignees", "code": "invalid", "message": "no such user" },
        ],
    });
    check_github("validation-error", &body).unwrap();
    let rows = [
        (body, " (assignees.invalid)"),
        (
            json!({ "message": "Validation Failed", "errors": ["text"] }),
            "",
        ),
        (json!({ "message": "Validation Failed" }), ""),
    ];
    for (body, reason) in rows {
        let server = server(ResponseTemplate::new(422).set_body_json(body)).await;
        let fields = input(json!({ "title": "Found" }));
        let error = run(&server, "github.issues.create", fields)
            .await
            .unwrap_err();
        let expected = format!("the service refused the request with status 422{reason}");
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn what_github_adds_or_leaves_out_disturbs_nobody() {
    let bare = json!({
        "number": 1, "title": "t", "state": "unheard_of", "html_url": "u",
        "user": null, "labels": ["bug", { "name": null }, {}], "added_in_2027": [1],
    });
    let server = server(ok(&json!([bare]))).await;
    let found = run(&server, "github.issues.list", input(json!({})))
        .await
        .unwrap();
    assert_eq!(found["issues"][0]["state"], "unheard_of");
    assert_eq!(found["issues"][0]["labels"], json!(["bug"]));
}
