//! Connected accounts: consent, keys, what members see of them, and their end.

mod callback;
mod consent;
mod crashes;
mod keys;
mod removal;

use std::collections::HashMap;

use http::header::{CACHE_CONTROL, LOCATION};
use serde_json::json;
use shared::{
    connectors::Account,
    ids::{IntegrationId, OrgId},
    models::{Integration, Role},
    testing::{FakeGoogle, UserConsent},
};
use url::Url;

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

/// The browser comes back; it has no token. Tells where it goes.
async fn come_back(app: &TestApp, query: &str) -> String {
    let path = format!("/api/v1{CALLBACK}?{query}");
    let request = http::Request::builder().uri(path);
    let answer = app
        .send(request.body(axum::body::Body::empty()).unwrap())
        .await;
    assert_eq!((answer.status.as_u16(), answer.bytes.len()), (303, 0));
    assert_eq!(answer.headers[CACHE_CONTROL], "no-store");
    location(&answer)
}

fn location(answer: &Answer) -> String {
    answer.headers[LOCATION].to_str().unwrap().to_owned()
}

fn page(query: &str) -> String {
    format!("{ORIGIN}/integrations?{query}")
}

/// Connects Google for a user of `o2`.
async fn connect_google(app: &TestApp, google: &FakeGoogle, token: &str) {
    let asked = begin(app, token).await;
    agree(google, "code-1", &asked);
    let next = come_back(app, &format!("code=code-1&state={}", asked["state"])).await;
    assert_eq!(next, page("status=connected"));
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
