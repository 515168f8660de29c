//! Answers that go on in further ones.

use wiremock::matchers::{path, query_param, query_param_is_missing};

use super::*;

fn answer(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// Three pages behind `Link` headers.
fn linked() -> Vec<Mock> {
    let page = |number: u32, next: Option<&str>| {
        let response = answer(json!({ "rows": [number] }));
        let response = match next {
            Some(next) => response.insert_header("Link", next),
            None => response.insert_header("Link", "</>; rel=\"first\""),
        };
        Mock::given(path(format!("/{number}"))).respond_with(response)
    };
    vec![
        page(1, Some("</2?a=b>; rel=\"next\", </3>; rel=\"last\"")),
        page(2, Some("<http://demo.localhost/3>; rel=next")),
        page(3, None),
    ]
}

fn by_link(more: Value) -> Value {
    let mut pagination = json!({ "type": "link_header", "items": "response.body.rows" });
    for (name, value) in more.as_object().unwrap() {
        pagination[name] = value.clone();
    }
    json!({ "url": url("/1"), "query": { "size": 1 }, "pagination": pagination })
}

#[tokio::test]
async fn links_are_followed_to_the_end() {
    let web = Web::new(linked()).await;
    let execution = web.run(by_link(json!({}))).await;
    let output = output(&execution);
    assert_eq!(output["items"], json!([1, 2, 3]));
    assert_eq!(
        (&output["pages"], &output["complete"]),
        (&json!(3), &json!(true))
    );
    let requests = web.requests().await;
    let urls: Vec<_> = requests.iter().map(|it| it.url.query()).collect();
    // A link is the whole address; the node's own query is for the first page.
    assert_eq!(urls, [Some("size=1"), Some("a=b"), None]);
}

#[tokio::test]
async fn every_page_has_a_key_of_its_own_in_every_attempt() {
    let web = Web::new(linked()).await;
    web.run(by_link(json!({}))).await;
    let keys = web.keys().await;
    let base = keys[0].strip_suffix("-1").unwrap();
    assert_eq!(keys[1..], [format!("{base}-2"), format!("{base}-3")]);
    let again = Web::new(linked()).await;
    again.run(by_link(json!({}))).await;
    assert_eq!(again.keys().await, keys);
}

#[tokio::test]
async fn pages_end_at_their_limit() {
    let web = Web::new(linked()).await;
    let execution = web.run(by_link(json!({ "maxPages": 2 }))).await;
    let output = output(&execution);
    assert_eq!(output["items"], json!([1, 2]));
    assert_eq!(
        (&output["pages"], &output["complete"]),
        (&json!(2), &json!(false))
    );
    assert_eq!(web.requests().await.len(), 2);
}

#[tokio::test]
async fn without_items_each_body_is_one() {
    let web = Web::new(linked()).await;
    let data = json!({ "url": url("/2"), "pagination": { "type": "link_header" } });
    let execution = web.run(data).await;
    let expected = json!([{ "rows": [2] }, { "rows": [3] }]);
    assert_eq!(output(&execution)["items"], expected);
}

#[tokio::test]
async fn credentials_do_not_follow_a_link_to_another_origin() {
    for link in [
        "<http://other.localhost/>; rel=next",
        "<//other.localhost/>; rel=next",
    ] {
        let web = Web::answering(answer(json!([])).insert_header("Link", link)).await;
        let data = json!({
            "auth": { "type": "bearer", "token": "t" },
            "pagination": { "type": "link_header" },
        });
        let execution = web.run(data).await;
        assert_eq!(
            failure(&execution),
            ("failed_precondition", "the next page is at another origin")
        );
        assert_eq!(web.requests().await.len(), 1);
    }
}

#[tokio::test]
async fn a_cursor_leads_to_the_next_page() {
    let page = |cursor: Option<&str>, body: Value| {
        let mock = Mock::given(path("/"));
        let mock = match cursor {
            Some(cursor) => mock.and(query_param("after", cursor)),
            None => mock.and(query_param_is_missing("after")),
        };
        mock.and(query_param("size", "2"))
            .respond_with(answer(body))
    };
    for end in [
        json!({ "rows": [4] }),
        json!({ "rows": [4], "meta": { "next": "" } }),
    ] {
        let web = Web::new([
            page(None, json!({ "rows": [1, 2], "meta": { "next": "a&b" } })),
            page(Some("a&b"), json!({ "rows": [3], "meta": { "next": 17 } })),
            page(Some("17"), end),
        ])
        .await;
        let pagination = json!({
            "type": "cursor",
            "next": "${response.body.meta.next}",
            "parameter": "after",
            "items": "${response.body.rows}",
        });
        let data = json!({ "query": { "size": 2 }, "pagination": pagination });
        let execution = web.run(data).await;
        assert_eq!(output(&execution)["items"], json!([1, 2, 3, 4]));
    }
}

#[tokio::test]
async fn a_cursor_may_be_a_url() {
    let web = Web::new([
        Mock::given(path("/")).respond_with(answer(json!({ "next": "/more?page=2" }))),
        Mock::given(path("/more")).respond_with(answer(json!({ "next": null }))),
    ])
    .await;
    let pagination = json!({ "type": "cursor", "next": "response.body.next" });
    let execution = web.run(json!({ "pagination": pagination })).await;
    assert_eq!(output(&execution)["pages"], 2);
}

#[tokio::test]
async fn numbered_pages_end_with_an_empty_one() {
    let page = |number: &str, body: Value| {
        Mock::given(query_param("page", number)).respond_with(answer(body))
    };
    let web = Web::new([
        page("0", json!(["a", "b"])),
        page("1", json!(["c"])),
        page("2", json!([])),
    ])
    .await;
    let pagination =
        json!({ "type": "page", "parameter": "page", "start": 0, "items": "response.body" });
    let execution = web.run(json!({ "pagination": pagination })).await;
    let output = output(&execution);
    assert_eq!(output["items"], json!(["a", "b", "c"]));
    assert_eq!(
        (&output["pages"], &output["complete"]),
        (&json!(3), &json!(true))
    );
}

#[tokio::test]
async fn a_page_that_fails_or_is_no_list_fails_the_node() {
    let mut mocks = linked();
    mocks[2] = Mock::given(path("/3")).respond_with(text(403, "no"));
    let execution = Web::new(mocks).await.run(by_link(json!({}))).await;
    assert_eq!(failure(&execution).1, "the server answered 403 Forbidden");
    let web = Web::new(linked()).await;
    let execution = web
        .run(by_link(json!({ "items": "response.status" })))
        .await;
    assert_eq!(failure(&execution).1, "`pagination.items` is not a list");
}
