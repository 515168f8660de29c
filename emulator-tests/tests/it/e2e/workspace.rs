//! A connected Google account: its first sync, mail that comes in, what is deleted, and its end.

use std::{collections::HashMap, time::Duration};

use anyhow::Result;
use emulator_tests::{
    Harness, HarnessOptions,
    client::{Client, http_client, send},
    mail::{Desk, QUESTION, subscribe},
};
use reqwest::{Method, redirect::Policy};
use serde_json::{Value, json};
use shared::{
    config::ServiceConfig,
    store::{
        document_db::{DocumentDb, Query},
        firestore::Firestore,
    },
};
use url::Url;

use super::PATIENCE;

async fn start() -> Harness {
    let options = HarnessOptions {
        duplicate_messages: 0.3,
        duplicate_tasks: 0.3,
        ..HarnessOptions::default()
    };
    Harness::start(options).await.unwrap()
}

/// What comes of something that is not to hang.
async fn in_time<T>(future: impl Future<Output = Result<T>>) -> T {
    let done = tokio::time::timeout(PATIENCE, future).await;
    done.expect("it takes too long").unwrap()
}

async fn open(harness: &Harness) -> Desk {
    in_time(Desk::open(harness, &mut |_| ())).await
}

/// The titles of what a search finds, best first.
async fn found(client: &Client, query: &str) -> Vec<String> {
    let body = json!({ "query": query });
    let found = client.post("/knowledge/search", &body).await.unwrap();
    let hits = found["hits"].as_array().unwrap();
    let titles = hits.iter().map(|hit| hit["citation"]["title"].as_str());
    titles.map(|title| title.unwrap().to_owned()).collect()
}

/// Searches until what is found is as it is to be.
async fn until(client: &Client, query: &str, is_so: impl Fn(&[String]) -> bool) {
    let look = async {
        let mut interval = tokio::time::interval(Duration::from_millis(100));
        loop {
            interval.tick().await;
            if is_so(&found(client, query).await) {
                return;
            }
        }
    };
    let seen = tokio::time::timeout(PATIENCE, look).await;
    seen.unwrap_or_else(|_| panic!("`{query}` never finds what it is to find"));
}

fn has(titles: &[String], title: &str) -> bool {
    titles.iter().any(|found| found == title)
}

/// The names of all documents below the organization that syncs have written.
async fn kept(harness: &Harness, client: &Client) -> Vec<String> {
    let me = client.get("/me").await.unwrap();
    let org_id = me["organizationId"].as_str().unwrap();
    let config = ServiceConfig::load(harness.env()).unwrap();
    let db = Firestore::new(&config);
    let mut names = Vec::new();
    for collection in ["knowledge", "knowledge_documents"] {
        let path = format!("organizations/{org_id}/{collection}");
        let documents = db.query(&Query::new(path, 1_000)).await.unwrap();
        names.extend(documents.iter().map(|document| document.path.to_string()));
    }
    names
}

#[tokio::test]
async fn a_mail_is_answered_from_what_was_synced_until_the_account_is_disconnected() {
    let harness = start().await;
    let desk = open(&harness).await;
    let client = desk.client();
    assert!(has(
        &found(client, "days of holiday").await,
        "Company handbook"
    ));
    assert_eq!(found(client, "\"LTT-2041\"").await, ["Order LTT-2041"]);

    let mail_id = desk.deliver(QUESTION).await.unwrap();
    let execution = in_time(desk.follow(&mut |_| ())).await;
    let output = &execution["output"];
    assert_eq!(output["to"], QUESTION.from, "{output}");
    let answer = output["answer"].as_str().unwrap();
    assert!(answer.contains("three to five working days"), "{output}");
    let citation = &output["citations"][0];
    let number = citation["number"].as_i64().unwrap();
    assert!(answer.ends_with(&format!("[{number}]")), "{output}");
    assert_eq!(citation["title"], "Company handbook", "{output}");
    assert_eq!(citation["source"], "drive", "{output}");
    assert!(
        citation["date"].is_string() && citation["link"].is_string(),
        "{output}"
    );

    until(client, "Vienna", |titles| has(titles, QUESTION.subject)).await;
    harness.google().unwrap().account().delete_mail(&mail_id);
    until(client, "Vienna", |titles| !has(titles, QUESTION.subject)).await;
    let path = "/executions?triggerType=onEmailReceived";
    let runs = client.get(path).await.unwrap();
    assert_eq!(
        runs["items"].as_array().unwrap().len(),
        1,
        "one mail is one run"
    );

    assert!(!kept(&harness, client).await.is_empty());
    let path = format!("/integrations/{}", desk.integration_id());
    let ended = send(client.request(Method::DELETE, &path)).await.unwrap();
    assert_eq!(ended.require_success().unwrap(), json!({ "revoked": true }));
    assert_eq!(kept(&harness, client).await, Vec::<String>::new());
    assert_eq!(harness.google().unwrap().problems(), Vec::<String>::new());
    harness.stop().await;
}

#[tokio::test]
async fn files_are_found_as_they_are_now() {
    let harness = start().await;
    let desk = open(&harness).await;
    let client = desk.client();
    let account = harness.google().unwrap().account();
    let id = account.create_file("Menu", "text/plain", "Scones with clotted cream");
    until(client, "clotted", |titles| has(titles, "Menu")).await;
    account.edit_file(&id, "Shortbread with lemon curd");
    until(client, "shortbread", |titles| has(titles, "Menu")).await;
    account.rename_file(&id, "Menu for Sundays");
    until(client, "shortbread", |titles| {
        has(titles, "Menu for Sundays")
    })
    .await;
    assert!(found(client, "\"clotted\"").await.is_empty());
    account.trash_file(&id);
    until(client, "\"shortbread\"", <[String]>::is_empty).await;
    harness.stop().await;
}

#[tokio::test]
async fn who_denies_the_consent_has_connected_nothing() {
    let harness = start().await;
    let client = Client::sign_up(harness.endpoints()).await.unwrap();
    subscribe(&harness, &client).await.unwrap();
    let asked = client.post("/integrations/google/auth", &json!({})).await;
    let page = asked.unwrap()["authorizationUrl"]
        .as_str()
        .unwrap()
        .to_owned();
    let shown = http_client().unwrap().get(&page).send().await.unwrap();
    let shown = shown.text().await.unwrap();
    for scope in ["gmail.readonly", "drive.file", ">Allow<", ">Deny<"] {
        assert!(shown.contains(scope), "{scope}: {shown}");
    }
    let browser = reqwest::Client::builder().no_proxy();
    let browser = browser.redirect(Policy::none()).build().unwrap();
    let form = [("decision", "deny")];
    let denied = browser.post(&page).form(&form).send().await.unwrap();
    let back = Url::parse(denied.headers()["location"].to_str().unwrap()).unwrap();
    let brought: HashMap<_, _> = back.query_pairs().into_owned().collect();
    let path = "/integrations/google/callback";
    let request = client.request(Method::POST, path).json(&brought);
    let refused = send(request).await.unwrap();
    assert_eq!(refused.body["error"]["details"]["reason"], "access_denied");
    let listed = client.get("/integrations").await.unwrap();
    assert_eq!(listed["items"], json!([]));
    harness.stop().await;
}

#[tokio::test]
async fn a_page_that_google_would_not_show_is_refused() {
    let harness = start().await;
    let google = harness.endpoints().google_url.clone().unwrap();
    let url = format!(
        "{}/api/v1/integrations/google/callback",
        harness.endpoints().api_url
    );
    let good = [
        ("client_id", "client-1"),
        ("redirect_uri", url.as_str()),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("state", "s"),
        ("code_challenge", "c"),
        ("code_challenge_method", "S256"),
    ];
    let http = http_client().unwrap();
    let ask = async |query: &[(&str, &str)]| {
        let page = Url::parse_with_params(&format!("{google}/o/oauth2/v2/auth"), query).unwrap();
        http.get(page).send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(&good).await, 200);
    for (name, value) in [
        ("client_id", "other"),
        ("redirect_uri", "https://example.com/"),
        ("response_type", "token"),
        ("scope", "openid <script>"),
        ("code_challenge_method", "plain"),
    ] {
        let bad = good.map(|(other, good)| (other, if other == name { value } else { good }));
        assert_eq!(ask(&bad).await, 400, "{name}");
    }
    harness.stop().await;
}

#[tokio::test]
async fn the_account_is_changed_by_local_routes() {
    let harness = start().await;
    let google = harness.endpoints().google_url.clone().unwrap();
    let http = http_client().unwrap();
    let call = async |method: Method, path: &str, body: Option<Value>| {
        let request = http.request(method, format!("{google}/_local/{path}"));
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        send(request).await.unwrap()
    };
    let mail = json!({ "from": "Eve <eve@example.org>", "subject": "Tea", "text": "Hello" });
    let made = call(Method::POST, "mails", Some(mail)).await;
    let mail_id = made.require_success().unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let file = json!({ "name": "Note", "text": "One" });
    let made = call(Method::POST, "files", Some(file)).await;
    let file_id = made.require_success().unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let file_path = format!("files/{file_id}");
    let edit = json!({ "name": "Notes", "text": "Two" });
    assert_eq!(
        call(Method::PATCH, &file_path, Some(edit)).await.status,
        204
    );
    let files = call(Method::GET, "files", None).await.body;
    let expected = json!({ "id": file_id, "title": "Notes", "text": "Two" });
    assert!(
        files["items"].as_array().unwrap().contains(&expected),
        "{files}"
    );
    for path in [file_path, format!("mails/{mail_id}")] {
        assert_eq!(call(Method::DELETE, &path, None).await.status, 204);
        assert_eq!(call(Method::DELETE, &path, None).await.status, 404);
    }
    harness.stop().await;
}
