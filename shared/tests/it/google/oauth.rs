//! Google's OAuth against a server on a local port
//! (<https://developers.google.com/identity/protocols/oauth2/web-server>).

use std::{collections::BTreeMap, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use shared::{
    config::Env,
    connectors::google::oauth::{
        Consent, Error, GoogleOAuth, GoogleOAuthConfig, GrantEnd, Granted, code_challenge,
    },
    http::client,
    retry::Transient,
    testing::FixedClock,
};
use tokio::net::TcpListener;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

const CANARY: &str = "1//canary-refresh";

fn oauth(url: &str) -> GoogleOAuth {
    let env = Env::from_pairs([
        ("GOOGLE_OAUTH_CLIENT_ID", "id&x=1"),
        ("GOOGLE_OAUTH_CLIENT_SECRET", "canary-secret"),
        (
            "GOOGLE_OAUTH_REDIRECT_URL",
            "https://app.example/callback?next=1",
        ),
        ("GOOGLE_OAUTH_EMULATOR_URL", url),
    ]);
    let config = GoogleOAuthConfig::load(&env).unwrap();
    let clock = FixedClock::at("2026-11-26T12:00:00Z");
    GoogleOAuth::new(config, client().unwrap(), clock.shared())
}

struct Google {
    server: MockServer,
    oauth: GoogleOAuth,
}

impl Google {
    async fn answering(response: ResponseTemplate) -> Self {
        let server = MockServer::start().await;
        let mock = Mock::given(matchers::any()).respond_with(response);
        mock.mount(&server).await;
        let oauth = oauth(&server.uri());
        Self { server, oauth }
    }

    async fn answering_json(status: u16, body: Value) -> Self {
        Self::answering(ResponseTemplate::new(status).set_body_json(body)).await
    }

    /// Path and form of the only request.
    async fn received(&self) -> (String, BTreeMap<String, String>) {
        let requests = self.server.received_requests().await.unwrap();
        assert_eq!(requests.len(), 1);
        let request = &requests[0];
        assert_eq!(request.method.as_str(), "POST");
        let media_type = "application/x-www-form-urlencoded";
        assert_eq!(request.headers["content-type"], media_type);
        let form = url::form_urlencoded::parse(&request.body).into_owned();
        (request.url.path().to_owned(), form.collect())
    }

    async fn exchange(&self) -> Granted {
        let (code, verifier) = (secret("4/code"), secret("verifier"));
        self.oauth.exchange(&code, &verifier).await.unwrap()
    }

    async fn refresh(&self) -> Result<String, Error> {
        let refreshed = self.oauth.refresh(&CANARY.into()).await?;
        Ok(refreshed.access_token.expose_secret().to_owned())
    }
}

fn form(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn secret(text: &str) -> SecretString {
    text.into()
}

#[test]
fn the_consent_url_asks_for_offline_access_and_keeps_the_redirect() {
    let scopes = ["openid".to_owned(), "email".to_owned()];
    let url = oauth("http://google.test").consent_url(&Consent {
        scopes: &scopes,
        state: "state-1",
        code_challenge: &code_challenge("verifier"),
        is_new: true,
    });
    assert_eq!(url.path(), "/o/oauth2/v2/auth");
    let parameters: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    let expected = form(&[
        ("client_id", "id&x=1"),
        ("redirect_uri", "https://app.example/callback?next=1"),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("state", "state-1"),
        ("access_type", "offline"),
        ("prompt", "consent"),
        ("include_granted_scopes", "true"),
        ("code_challenge", &code_challenge("verifier")),
        ("code_challenge_method", "S256"),
    ]);
    assert_eq!(parameters, expected);
    assert!(!url.as_str().contains("verifier"));
}

#[tokio::test]
async fn a_code_is_exchanged_for_tokens_and_the_granted_scopes() {
    let google = Google::answering_json(
        200,
        json!({
            "access_token": "ya29.a", "expires_in": 3599, "token_type": "Bearer",
            "refresh_token": CANARY, "id_token": "x.y.z",
            "scope": "openid https://www.googleapis.com/auth/gmail.send",
        }),
    )
    .await;
    let granted = google.exchange().await;
    assert_eq!(granted.access_token.expose_secret(), "ya29.a");
    assert_eq!(granted.expires_at.to_string(), "2026-11-26T12:59:59Z");
    assert_eq!(granted.refresh_token.unwrap().expose_secret(), CANARY);
    let scopes = ["openid", "https://www.googleapis.com/auth/gmail.send"];
    assert_eq!(granted.scopes, scopes);
    let (path, sent) = google.received().await;
    let expected = form(&[
        ("grant_type", "authorization_code"),
        ("code", "4/code"),
        ("code_verifier", "verifier"),
        ("client_id", "id&x=1"),
        ("client_secret", "canary-secret"),
        ("redirect_uri", "https://app.example/callback?next=1"),
    ]);
    assert_eq!((path.as_str(), sent), ("/token", expected));
}

#[tokio::test]
async fn an_exchange_may_bring_no_refresh_token() {
    let body = json!({ "access_token": "ya29.a", "token_type": "bearer", "later": 1 });
    let google = Google::answering_json(200, body).await;
    let granted = google.exchange().await;
    assert!(granted.refresh_token.is_none());
    assert!(granted.scopes.is_empty());
    assert_eq!(granted.expires_at.to_string(), "2026-11-26T12:10:00Z");
}

#[tokio::test]
async fn a_refresh_keeps_the_old_refresh_token_unless_a_new_one_comes() {
    let mut body = json!({ "access_token": "ya29.b", "expires_in": 60, "token_type": "Bearer" });
    let google = Google::answering_json(200, body.clone()).await;
    let refreshed = google.oauth.refresh(&secret(CANARY)).await.unwrap();
    assert!(refreshed.refresh_token.is_none() && refreshed.scopes.is_none());
    assert_eq!(refreshed.expires_at.to_string(), "2026-11-26T12:01:00Z");
    let (path, sent) = google.received().await;
    let expected = form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", CANARY),
        ("client_id", "id&x=1"),
        ("client_secret", "canary-secret"),
    ]);
    assert_eq!((path.as_str(), sent), ("/token", expected));

    body["refresh_token"] = json!("1//new");
    body["scope"] = json!("openid");
    let google = Google::answering_json(200, body).await;
    let refreshed = google.oauth.refresh(&secret(CANARY)).await.unwrap();
    assert_eq!(refreshed.refresh_token.unwrap().expose_secret(), "1//new");
    assert_eq!(refreshed.scopes.unwrap(), ["openid"]);
}

#[tokio::test]
async fn the_end_of_a_grant_is_told_with_what_google_lets_know() {
    let rows = [
        (
            json!({ "error_description": "Token has been expired or revoked." }),
            GrantEnd::ExpiredOrRevoked,
        ),
        (
            json!({ "error_description": "Bad Request" }),
            GrantEnd::Unknown,
        ),
        (json!({}), GrantEnd::Unknown),
        (
            json!({ "error_subtype": "invalid_rapt" }),
            GrantEnd::SignInRequired,
        ),
        (
            json!({ "error_description": "reauth related error (invalid_rapt)" }),
            GrantEnd::SignInRequired,
        ),
        (
            json!({ "error_description": "Account has been deleted" }),
            GrantEnd::AccountGone,
        ),
    ];
    for (mut body, expected) in rows {
        body["error"] = json!("invalid_grant");
        let google = Google::answering_json(400, body).await;
        let error = google.refresh().await.unwrap_err();
        assert!(
            matches!(error, Error::InvalidGrant(end) if end == expected),
            "{error}"
        );
        assert!(!error.is_transient());
        assert_eq!(google.received().await.0, "/token");
    }
}

#[tokio::test]
async fn other_refusals_are_final() {
    let invalid_client = json!({ "error": "invalid_client", "error_description": CANARY });
    let google = Google::answering_json(401, invalid_client).await;
    let error = google.refresh().await.unwrap_err();
    assert!(matches!(error, Error::InvalidClient), "{error}");
    let google = Google::answering_json(400, json!({ "error": "redirect_uri_mismatch" })).await;
    let error = google.refresh().await.unwrap_err();
    assert!(
        matches!(&error, Error::Rejected { code } if code == "redirect_uri_mismatch"),
        "{error}"
    );
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_google_that_is_down_is_asked_again_later() {
    for status in [500, 502, 503, 504] {
        let google =
            Google::answering(ResponseTemplate::new(status).set_body_string("<html>")).await;
        let error = google.refresh().await.unwrap_err();
        assert!(
            matches!(error, Error::Unavailable(_)) && error.is_transient(),
            "{error}"
        );
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = oauth(&url).refresh(&secret(CANARY)).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn the_rate_limit_tells_when_to_come_back() {
    let response = ResponseTemplate::new(429).insert_header("retry-after", "7");
    let error = Google::answering(response)
        .await
        .refresh()
        .await
        .unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    let error = Google::answering(ResponseTemplate::new(429))
        .await
        .refresh()
        .await
        .unwrap_err();
    assert_eq!((error.is_transient(), error.retry_after()), (true, None));
}

#[tokio::test]
async fn no_error_repeats_what_was_sent_or_answered() {
    let answers = [
        (200, json!({ "access_token": CANARY })),
        (200, json!([CANARY])),
        (400, json!({ "error": CANARY })),
        (
            400,
            json!({ "error": "invalid_grant", "error_description": CANARY }),
        ),
        (
            401,
            json!({ "error": "invalid_client", "error_description": CANARY }),
        ),
        (404, json!(CANARY)),
        (500, json!(CANARY)),
    ];
    for (status, body) in answers {
        let google = Google::answering_json(status, body).await;
        let error = google.refresh().await.unwrap_err();
        let shown = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[tokio::test]
async fn a_token_is_revoked_once_and_for_all() {
    let google = Google::answering(ResponseTemplate::new(200)).await;
    google.oauth.revoke(&secret(CANARY)).await.unwrap();
    let (path, sent) = google.received().await;
    assert_eq!(
        (path.as_str(), sent),
        ("/revoke", form(&[("token", CANARY)]))
    );

    let google = Google::answering_json(400, json!({ "error": "invalid_token" })).await;
    google.oauth.revoke(&secret(CANARY)).await.unwrap();

    let google = Google::answering_json(400, json!({ "error": "invalid_request" })).await;
    let error = google.oauth.revoke(&secret(CANARY)).await.unwrap_err();
    assert!(matches!(error, Error::Rejected { .. }), "{error}");

    let google = Google::answering(ResponseTemplate::new(503)).await;
    let error = google.oauth.revoke(&secret(CANARY)).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}
