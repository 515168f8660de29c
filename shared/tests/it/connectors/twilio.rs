//! Twilio's calls, against its published description.

use serde_json::{Value, json};
use shared::connectors::Error;
use wiremock::{MockServer, ResponseTemplate};

use super::{
    fake::{form, query, server},
    vendors::{connect, perform, twilio_account},
};
use crate::contract::check_twilio;

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const KEY: &str = "SK0123456789abcdef0123456789abcdef";
const SERVICE: &str = "MG0123456789abcdef0123456789abcdef";

async fn send(server: &MockServer, input: Value) -> Result<Value, Error> {
    let credentials = twilio_account(KEY);
    perform(
        &connect(&server.uri()),
        &credentials,
        "twilio.sms.send",
        &input,
    )
    .await
}

fn queued() -> ResponseTemplate {
    let message = json!({
        "sid": "SM0123456789abcdef0123456789abcdef",
        "account_sid": ACCOUNT,
        "api_version": "2010-04-01",
        "body": "Hello",
        "date_created": "Mon, 23 Nov 2026 22:00:00 +0000",
        "date_sent": null,
        "direction": "outbound-api",
        "error_code": null,
        "from": "+4930654321",
        "messaging_service_sid": null,
        "num_media": "0",
        "num_segments": "1",
        "price": null,
        "status": "queued",
        "to": "+4930123456",
    });
    check_twilio("Message", &message).unwrap();
    ResponseTemplate::new(201).set_body_json(message)
}

#[tokio::test]
async fn a_message_is_sent_from_a_number_or_a_service() {
    for (from, field) in [("+4930654321", "From"), (SERVICE, "MessagingServiceSid")] {
        let server = server(queued()).await;
        let input = json!({ "to": "+4930123456", "from": from, "body": "Hello" });
        let found = send(&server, input).await.unwrap();
        assert_eq!(found["sid"], "SM0123456789abcdef0123456789abcdef");
        assert_eq!(found["status"], "queued");
        let sent = &server.received_requests().await.unwrap()[0];
        let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json");
        assert_eq!(
            (sent.method.as_str(), sent.url.path()),
            ("POST", path.as_str())
        );
        // `SK…:canary…` in base64.
        let basic = sent.headers["authorization"].to_str().unwrap();
        assert!(
            basic.starts_with("Basic U0swMTIzNDU2Nzg5YWJjZGVm"),
            "{basic}"
        );
        let form = Value::Object(form(sent));
        check_twilio("CreateMessageRequest", &form).unwrap();
        assert_eq!(
            form,
            json!({ "To": "+4930123456", field: from, "Body": "Hello" })
        );
    }
}

#[tokio::test]
async fn an_account_is_asked_for_and_a_key_asks_for_a_message() {
    let prefix = format!("/2010-04-01/Accounts/{ACCOUNT}");
    let body = json!({ "sid": ACCOUNT, "status": "active", "messages": [] });
    let rows = [
        (ACCOUNT, format!("{prefix}.json")),
        (KEY, format!("{prefix}/Messages.json")),
    ];
    for (key_sid, path) in rows {
        let server = server(ResponseTemplate::new(200).set_body_json(&body)).await;
        let connectors = connect(&server.uri());
        let twilio = connectors
            .get(shared::models::IntegrationService::Twilio)
            .unwrap();
        let account = twilio.check(&twilio_account(key_sid)).await.unwrap();
        assert_eq!(account.label, "AC…cdef");
        assert_eq!(account.id.as_deref(), Some(ACCOUNT));
        let sent = &server.received_requests().await.unwrap()[0];
        assert_eq!(
            (sent.method.as_str(), sent.url.path()),
            ("GET", path.as_str())
        );
        if key_sid == KEY {
            check_twilio("ListMessagesQuery", &query(sent)).unwrap();
        }
    }
}

#[tokio::test]
async fn an_account_that_is_not_active_is_not_connected() {
    let body = json!({ "sid": ACCOUNT, "status": "suspended" });
    let server = server(ResponseTemplate::new(200).set_body_json(body)).await;
    let connectors = connect(&server.uri());
    let twilio = connectors
        .get(shared::models::IntegrationService::Twilio)
        .unwrap();
    let error = twilio.check(&twilio_account(ACCOUNT)).await.unwrap_err();
    assert!(matches!(error, Error::Forbidden { .. }), "{error:?}");
}

#[tokio::test]
async fn an_account_that_is_no_id_gets_into_no_path() {
    let server = server(queued()).await;
    let shared::connectors::Credentials::Twilio(account) = twilio_account(KEY) else {
        panic!("an account");
    };
    for sid in ["AC1", "AC0123456789abcdef0123456789abcde/", "../../x", KEY] {
        let account = shared::connectors::TwilioAccount {
            account_sid: sid.to_owned(),
            ..account.clone()
        };
        let credentials = shared::connectors::Credentials::Twilio(account);
        let input = json!({ "to": "+4930123456", "from": SERVICE, "body": "Hello" });
        let connectors = connect(&server.uri());
        let result = perform(&connectors, &credentials, "twilio.sms.send", &input).await;
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Unauthorized), "{sid}: {error:?}");
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_tried() {
    let server = server(queued()).await;
    let input = |to: &str, from: &str, body: &str| json!({ "to": to, "from": from, "body": body });
    let number = "+4930123456";
    let mut rows = vec![
        (input(number, "Ada", "b"), "from"),
        (input(number, "MG1", "b"), "from"),
        (input(number, number, &"a".repeat(1_601)), "body"),
    ];
    for to in [
        "4930123456",
        "+0930123456",
        "+49 30 123456",
        "+49",
        "+1234567890123456",
        "+49x0123456",
    ] {
        rows.push((input(to, number, "b"), "to"));
    }
    for (input, wrong) in rows {
        let error = send(&server, input.clone()).await.unwrap_err();
        assert!(
            matches!(&error, Error::Input { field, .. } if field == wrong),
            "{input}"
        );
    }
    let longest = input(number, number, &"ü".repeat(1_600));
    send(&server, longest).await.unwrap();
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_told_by_twilios_number_for_it() {
    let body = json!({
        "code": 21211,
        "message": "The 'To' number +4930123456 is not a valid phone number.",
        "more_info": "https://www.twilio.com/docs/errors/21211",
        "status": 400,
    });
    let server = server(ResponseTemplate::new(400).set_body_json(body)).await;
    let input = json!({ "to": "+4930123456", "from": SERVICE, "body": "Hello" });
    let error = send(&server, input).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the service refused the request with status 400 (21211)"
    );
}

#[tokio::test]
async fn a_message_that_says_little_is_enough() {
    let answer = json!({ "sid": "SM1", "status": "unheard_of", "added": 1 });
    let server = server(ResponseTemplate::new(201).set_body_json(answer)).await;
    let input = json!({ "to": "+4930123456", "from": SERVICE, "body": "Hello" });
    assert_eq!(send(&server, input).await.unwrap()["status"], "unheard_of");
}
