use serde_json::json;
use shared::connectors::{Connector, Credentials, Error, Revocation};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use super::fake::{Google, REFRESH_TOKEN, credentials, failure, reply, unchecked, workspace};

const USER_INFO: &str = "oauth2.userinfo.get";

#[tokio::test]
async fn tokens_are_checked_by_whose_they_are() {
    let user = json!({ "id": "117", "email": "ada@example.com", "verified_email": true });
    let google = Google::answering([reply(USER_INFO, user)]).await;
    let account = google.workspace().check(&credentials()).await.unwrap();
    assert_eq!(account.id.as_deref(), Some("117"));
    assert_eq!(account.label, "a…@example.com");
    google.assert_no_problems();
}

#[tokio::test]
async fn a_user_without_an_address_has_a_label() {
    let google = Google::answering([reply(USER_INFO, json!({}))]).await;
    let account = google.workspace().check(&credentials()).await.unwrap();
    assert_eq!(
        (account.id, account.label.as_str()),
        (None, "Google account")
    );
}

#[tokio::test]
async fn a_dead_token_is_told() {
    let google = Google::answering([unchecked(USER_INFO, failure(401, "authError"))]).await;
    let error = google.workspace().check(&credentials()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized), "{error}");
}

#[tokio::test]
async fn revoking_ends_the_refresh_token() {
    let server = MockServer::start().await;
    let revoked = ResponseTemplate::new(400).set_body_json(json!({ "error": "invalid_token" }));
    let mock = Mock::given(matchers::path("/revoke")).respond_with(revoked);
    mock.mount(&server).await;
    let workspace = workspace(&server.uri());
    let revoked = workspace.revoke(&credentials()).await.unwrap();
    assert_eq!(revoked, Revocation::Ended);
    let body = server.received_requests().await.unwrap()[0].body.clone();
    let form: Vec<_> = url::form_urlencoded::parse(&body).into_owned().collect();
    assert_eq!(form, [("token".to_owned(), REFRESH_TOKEN.to_owned())]);
}

#[tokio::test]
async fn credentials_of_another_service_are_refused_unsent() {
    let google = Google::answering([]).await;
    let key = Credentials::Key("canary".into());
    let error = google.workspace().check(&key).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized), "{error}");
    assert!(google.calls().is_empty());
}
