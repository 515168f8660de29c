//! The page that asks, as `https://accounts.google.com/o/oauth2/v2/auth` does.

use std::fmt::Write as _;

use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use shared::{
    connectors::Account,
    ids::random_token,
    testing::{GOOGLE_CLIENT, UserConsent},
};
use url::{Url, form_urlencoded};

use super::{ACCOUNT_ID, ACCOUNT_LABEL, LocalGoogleState, Shared};

/// Where it is.
pub(super) const PATH: &str = "/o/oauth2/v2/auth";

/// What can be asked for, how Google writes it once it is granted, and what it is in words.
/// Whatever else is asked for is refused, so that the page shows nothing but this.
const SCOPES: [(&str, &str, &str); 8] = [
    ("openid", "openid", "Know who you are"),
    (
        "email",
        "https://www.googleapis.com/auth/userinfo.email",
        "See your address",
    ),
    (
        "https://www.googleapis.com/auth/gmail.readonly",
        "https://www.googleapis.com/auth/gmail.readonly",
        "Read your mail",
    ),
    (
        "https://www.googleapis.com/auth/gmail.send",
        "https://www.googleapis.com/auth/gmail.send",
        "Send mail for you",
    ),
    (
        "https://www.googleapis.com/auth/calendar",
        "https://www.googleapis.com/auth/calendar",
        "See and change your appointments",
    ),
    (
        "https://www.googleapis.com/auth/drive.file",
        "https://www.googleapis.com/auth/drive.file",
        "See and make the files that you pick",
    ),
    (
        "https://www.googleapis.com/auth/drive.readonly",
        "https://www.googleapis.com/auth/drive.readonly",
        "See all of your files",
    ),
    (
        "https://www.googleapis.com/auth/spreadsheets",
        "https://www.googleapis.com/auth/spreadsheets",
        "See and change your spreadsheets",
    ),
];

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width\"><title>Local Google</title>\
    <style>body{font:16px/1.5 sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem}\
    label{display:block}code{color:#666;font-size:.8em}button{font:inherit;margin:1rem .5rem 0 0}\
    </style><h1>Infinity X wants access to your Google account</h1>\
    <p>This is Google's stand-in on your machine. The account is <b>ada@example.com</b>.</p>";

/// What the product asks (<https://developers.google.com/identity/protocols/oauth2/web-server>).
#[derive(Deserialize)]
pub(super) struct Asked {
    client_id: String,
    redirect_uri: String,
    response_type: String,
    scope: String,
    state: String,
    code_challenge: String,
    code_challenge_method: String,
}

pub(super) async fn ask(State(state): Shared, Query(asked): Query<Asked>) -> Response {
    let scopes = match state.scopes(&asked) {
        Ok(scopes) => scopes,
        Err(refused) => return refused.into_response(),
    };
    let mut page = format!("{HEAD}<form method=\"post\">");
    for (asked, _, words) in scopes {
        let _ = write!(
            page,
            "<label><input type=\"checkbox\" name=\"scope\" value=\"{asked}\" checked> {words} \
             <code>{asked}</code></label>"
        );
    }
    page.push_str(
        "<button name=\"decision\" value=\"allow\">Allow</button>\
         <button name=\"decision\" value=\"deny\">Deny</button></form>",
    );
    Html(page).into_response()
}

pub(super) async fn decide(
    State(state): Shared,
    Query(asked): Query<Asked>,
    form: String,
) -> Response {
    let (scopes, mut back) = match (state.scopes(&asked), Url::parse(&asked.redirect_uri)) {
        (Ok(scopes), Ok(back)) => (scopes, back),
        (Err(refused), _) => return refused.into_response(),
        (_, Err(error)) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    // A pair for each scope that is ticked, and the button.
    let decided: Vec<_> = form_urlencoded::parse(form.as_bytes()).collect();
    let has = |name: &str, value: &str| decided.iter().any(|(n, v)| n == name && v == value);
    let ticked = scopes.into_iter().filter(|(asked, ..)| has("scope", asked));
    let granted: Vec<&str> = ticked.map(|(_, granted, _)| granted).collect();
    let mut query = back.query_pairs_mut();
    query.append_pair("state", &asked.state);
    match has("decision", "allow") {
        true => query.append_pair("code", &state.consent(asked.code_challenge, &granted)),
        false => query.append_pair("error", "access_denied"),
    };
    drop(query);
    Redirect::to(back.as_str()).into_response()
}

type Known = (&'static str, &'static str, &'static str);

impl LocalGoogleState {
    /// The scopes that are asked for, if Google would ask.
    fn scopes(&self, asked: &Asked) -> Result<Vec<Known>, (StatusCode, &'static str)> {
        let refuse = |message| Err((StatusCode::BAD_REQUEST, message));
        if asked.client_id != GOOGLE_CLIENT[0].1 {
            return refuse("invalid_client");
        }
        if asked.redirect_uri != self.redirect_url {
            return refuse("redirect_uri_mismatch");
        }
        if asked.response_type != "code" || asked.code_challenge_method != "S256" {
            return refuse("invalid_request");
        }
        let find = |scope| SCOPES.into_iter().find(|(asked, ..)| *asked == scope);
        let scopes: Option<Vec<Known>> = asked.scope.split_whitespace().map(find).collect();
        scopes.ok_or((StatusCode::BAD_REQUEST, "invalid_scope"))
    }

    /// A code that is good once.
    fn consent(&self, code_challenge: String, granted: &[&str]) -> String {
        let code = random_token();
        let account = Account {
            id: Some(ACCOUNT_ID.to_owned()),
            label: ACCOUNT_LABEL.to_owned(),
            scopes: granted.iter().map(|scope| (*scope).to_owned()).collect(),
        };
        let consent = UserConsent {
            account,
            code_challenge,
            scopes: granted.join(" "),
            refresh_token: Some(random_token()),
        };
        self.oauth.consent(&code, consent);
        code
    }
}
