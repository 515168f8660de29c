//! Identity Toolkit's adapter against a server on a local port.

use serde_json::{Value, json};
use shared::{
    http::client,
    identity::{Accounts, Error, IdentityToolkit},
    ids::Uid,
};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

use crate::contract::check_identity_toolkit;

const ACCOUNTS: &str = "/identitytoolkit.googleapis.com/v1/projects/demo/accounts";

struct Toolkit {
    server: MockServer,
    accounts: IdentityToolkit,
}

impl Toolkit {
    async fn answering(response: ResponseTemplate) -> Self {
        let server = MockServer::start().await;
        let mock = Mock::given(matchers::any()).respond_with(response);
        mock.mount(&server).await;
        let host = server.address().to_string();
        let accounts = IdentityToolkit::new(client().unwrap(), "demo", Some(&host));
        Self { server, accounts }
    }

    async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap()
    }
}

fn uid() -> Uid {
    Uid::parse("u1").unwrap()
}

fn error(message: &str) -> Value {
    json!({ "error": { "code": 400, "message": message } })
}

#[tokio::test]
async fn sessions_are_ended_as_the_contract_says() {
    let toolkit = Toolkit::answering(ResponseTemplate::new(200).set_body_json(json!({}))).await;
    let valid_since = "2026-11-23T12:00:00.9Z".parse().unwrap();
    toolkit
        .accounts
        .revoke_sessions(&uid(), valid_since)
        .await
        .unwrap();
    let request = &toolkit.requests().await[0];
    assert_eq!(request.method.as_str(), "POST");
    assert_eq!(request.url.path(), format!("{ACCOUNTS}:update"));
    assert_eq!(request.headers["authorization"], "Bearer owner");
    let body: Value = request.body_json().unwrap();
    check_identity_toolkit("GoogleCloudIdentitytoolkitV1SetAccountInfoRequest", &body).unwrap();
    assert_eq!(body, json!({ "localId": "u1", "validSince": "1795435200" }));
}

#[tokio::test]
async fn accounts_are_deleted_as_the_contract_says() {
    let toolkit = Toolkit::answering(ResponseTemplate::new(200).set_body_json(json!({}))).await;
    toolkit.accounts.delete(&uid()).await.unwrap();
    let request = &toolkit.requests().await[0];
    assert_eq!(request.url.path(), format!("{ACCOUNTS}:delete"));
    let body: Value = request.body_json().unwrap();
    check_identity_toolkit("GoogleCloudIdentitytoolkitV1DeleteAccountRequest", &body).unwrap();
    assert_eq!(body, json!({ "localId": "u1" }));
}

#[tokio::test]
async fn an_account_that_is_gone_stays_gone() {
    let gone = ResponseTemplate::new(400).set_body_json(error("USER_NOT_FOUND"));
    let toolkit = Toolkit::answering(gone).await;
    toolkit.accounts.delete(&uid()).await.unwrap();
}

#[tokio::test]
async fn a_refusal_is_final() {
    let refusal = ResponseTemplate::new(403).set_body_json(error("PERMISSION_DENIED"));
    let toolkit = Toolkit::answering(refusal).await;
    let result = toolkit.accounts.delete(&uid()).await;
    assert!(
        matches!(result, Err(Error::Refused { status: 403 })),
        "{result:?}"
    );
    assert_eq!(toolkit.requests().await.len(), 1);
}

#[tokio::test]
async fn an_overloaded_toolkit_is_asked_again() {
    for status in [429, 500, 503] {
        let toolkit = Toolkit::answering(ResponseTemplate::new(status)).await;
        let result = toolkit.accounts.delete(&uid()).await;
        assert!(matches!(result, Err(Error::Unavailable(_))), "{result:?}");
        assert_eq!(toolkit.requests().await.len(), 4, "{status}");
    }
}
