//! Connected accounts: consent, keys, what members see of them, and their end.

mod callback;
mod consent;
mod crashes;
mod keys;
mod removal;

use std::collections::HashMap;

use http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use serde_json::json;
use shared::{
    connectors::Account,
    ids::{IntegrationId, OrgId},
    models::{Integration, Role},
    testing::{FakeGoogle, UserConsent},
};
use url::{Url, form_urlencoded};

use crate::app::{Answer, ORIGIN, TestApp};

const AUTH: &str = "/integrations/google/auth";
const CALLBACK: &str = "/integrations/google/callback";

/// What Google grants when nothing is unticked, as it writes it.
const ALL: &str = "openid https://www.googleapis.com/auth/userinfo.email \
    https://www.googleapis.com/auth/gmail.readonly https://www.googleapis.com/auth/gmail.send \
    https://www.googleapis.com/auth/calendar https://www.googleapis.com/auth/drive.file \
    https://www.googleapis.com/auth/spreadsheets";

fn google_account() -> Account {
    Account {
        id: Some("sub-1".to_owned()),
        label: "a…@example.com".to_owned(),
        scopes: Vec::new(),
    }
}

/// Parameters of the address where the user is asked.
fn parameters(url: &str) -> HashMap<String, String> {
    let url = Url::parse(url).unwrap();
    assert_eq!(url.path(), "/o/oauth2/v2/auth");
    url.query_pairs().into_owned().collect()
}

/// Begins a consent and tells the parameters that the user's browser takes to Google.
async fn begin(app: &TestApp, token: &str) -> HashMap<String, String> {
    let answer = app.post(token, AUTH, &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    parameters(answer.body["authorizationUrl"].as_str().unwrap())
}

/// Has the user agree, which makes `code` good.
fn agree(google: &FakeGoogle, code: &str, asked: &HashMap<String, String>) {
    agree_to(google, code, asked, ALL, Some("refresh-1"));
}

fn agree_to(
    google: &FakeGoogle,
    code: &str,
    asked: &HashMap<String, String>,
    scopes: &str,
    refresh_token: Option<&str>,
) {
    let consent = UserConsent {
        account: google_account(),
        code_challenge: asked["code_challenge"].clone(),
        scopes: scopes.to_owned(),
        refresh_token: refresh_token.map(str::to_owned),
    };
    google.consent(code, consent);
}

/// The browser comes back; it has no token. Tells what the page finds in its address.
async fn come_back(app: &TestApp, query: &str) -> HashMap<String, String> {
    let path = format!("/api/v1{CALLBACK}?{query}");
    let request = http::Request::builder().uri(path);
    let answer = app
        .send(request.body(axum::body::Body::empty()).unwrap())
        .await;
    assert_eq!((answer.status.as_u16(), answer.bytes.len()), (303, 0));
    assert_eq!(answer.headers[CACHE_CONTROL], "no-store");
    assert_eq!(answer.headers[REFERRER_POLICY], "no-referrer");
    let next = answer.headers[LOCATION].to_str().unwrap();
    let page = format!("{ORIGIN}/integrations/google#");
    let fragment = next.strip_prefix(&page).unwrap();
    form_urlencoded::parse(fragment.as_bytes())
        .into_owned()
        .collect()
}

/// The browser comes back, and the page of the user who is signed in there finishes.
async fn finish(app: &TestApp, token: &str, query: &str) -> Answer {
    let brought = come_back(app, query).await;
    app.post(token, CALLBACK, &json!(brought)).await
}

/// The same with the state that was asked with.
async fn finish_with(
    app: &TestApp,
    token: &str,
    code: &str,
    asked: &HashMap<String, String>,
) -> Answer {
    let query = format!("code={code}&state={}", asked["state"]);
    finish(app, token, &query).await
}

/// What has come of it: a status, a reason, or the code of an error without one.
fn outcome(answer: &Answer) -> &str {
    if answer.status == 200 {
        return answer.body["status"].as_str().unwrap();
    }
    let (_, code) = answer.refusal();
    let reason = &answer.body["error"]["details"]["reason"];
    reason.as_str().unwrap_or(code)
}

/// Connects Google for a user of `o2`.
async fn connect_google(app: &TestApp, google: &FakeGoogle, token: &str) {
    let asked = begin(app, token).await;
    agree(google, "code-1", &asked);
    let answer = finish_with(app, token, "code-1", &asked).await;
    let id = only(app).id;
    let expected = json!({ "status": "connected", "integrationId": id, "missing": [] });
    assert_eq!((answer.status.as_u16(), answer.body), (200, expected));
}

/// The integrations of all organizations.
fn integrations(app: &TestApp) -> Vec<Integration> {
    let documents = app.db.documents("integrations/");
    documents
        .iter()
        .map(|document| shared::store::decode(document).unwrap())
        .collect()
}

fn only(app: &TestApp) -> Integration {
    let mut integrations = integrations(app);
    assert_eq!(integrations.len(), 1);
    integrations.remove(0)
}

fn org_id(id: &str) -> OrgId {
    OrgId::parse(id).unwrap()
}

async fn add_colleague(app: &TestApp) {
    app.add_user("colleague", "o2", Role::User).await;
}

fn path(id: &IntegrationId) -> String {
    format!("/integrations/{id}")
}
