//! The fake itself: what the documents do not allow, it refuses.

use serde_json::json;
use shared::{http::client, testing::discovery::Discovery};

use super::fake::{ACCESS_TOKEN, Google, reply};

#[tokio::test]
async fn a_request_that_is_not_of_the_contract_is_a_problem() {
    let messages = "/gmail/v1/users/me/messages";
    let google = Google::answering([]).await;
    let client = client().unwrap();
    let get = |path: &str| client.get(format!("{}{path}", google.url()));
    let post = |path: &str, body| client.post(format!("{}{path}", google.url())).json(&body);
    let send = format!("{messages}/send");
    let rows = [
        (get("/gmail/v1/users/me/mails"), "no method"),
        (get(&format!("{messages}?limit=1")), "unknown parameter"),
        (get(&format!("{messages}?maxResults=x")), "cannot be"),
        (get(&format!("{messages}?q=a&q=b")), "2 times"),
        (get(&format!("{messages}/m?format=loud")), "cannot be"),
        (get("/drive/v3/files?pageSize=1001"), "cannot be"),
        (
            get("/drive/v3/files?fields=files(id,size2)"),
            "has no `size2`",
        ),
        (
            get("/drive/v3/files?fields=nextPageToken,id"),
            "has no `id`",
        ),
        (post(&send, json!({})), "raw"),
        (post(&send, json!({ "raw": "ä" })), "raw"),
        (post(&send, json!({ "raw": "", "to": 1 })), "'to'"),
        (
            post("/calendar/v3/freeBusy", json!({ "timeMin": "now" })),
            "timeMin",
        ),
    ];
    for (number, (request, expected)) in rows.into_iter().enumerate() {
        request.bearer_auth(ACCESS_TOKEN).send().await.unwrap();
        let problems = google.problems();
        assert_eq!(problems.len(), number + 1, "{expected}");
        assert!(
            problems[number].contains(expected),
            "{expected}: {}",
            problems[number]
        );
    }
    assert!(google.calls().is_empty());
}

#[tokio::test]
async fn a_call_without_the_token_is_a_problem() {
    let google = Google::answering([]).await;
    let request = client()
        .unwrap()
        .get(format!("{}/oauth2/v2/userinfo", google.url()));
    assert_eq!(request.send().await.unwrap().status(), 401);
    assert_eq!(google.problems().len(), 1);
}

#[test]
#[should_panic(expected = "never answers so")]
fn an_answer_that_google_never_gives_cannot_be_scripted() {
    reply(
        "drive.files.list",
        json!({ "files": [{ "title": "of version 2" }] }),
    );
}

#[test]
fn a_colon_of_a_value_is_no_verb() {
    let discovery = Discovery::load();
    let id = |verb, path| {
        discovery
            .route(verb, path)
            .map(|route| route.method.id().to_owned())
    };
    let append = "/v4/spreadsheets/s/values/A1%3AC1:append";
    assert_eq!(
        id("POST", append).as_deref(),
        Some("sheets.spreadsheets.values.append")
    );
    assert_eq!(id("GET", append), None);
    assert_eq!(
        id("GET", "/v4/spreadsheets/s/values/A1%3Aappend").as_deref(),
        Some("sheets.spreadsheets.values.get")
    );
}
