//! Mail by the customer's SendGrid, against its published description.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{connectors::Error, retry::Transient};
use wiremock::{MockServer, ResponseTemplate};

use super::{
    fake::{ok, server},
    vendors::{connect, key, perform},
};
use crate::contract::check_sendgrid;

async fn send(server: &MockServer, input: Value) -> Result<Value, Error> {
    perform(
        &connect(&server.uri()),
        &key("SG."),
        "sendgrid.mail.send",
        &input,
    )
    .await
}

fn mail() -> Value {
    json!({
        "from": "us@example.com",
        "to": ["ada@example.com", "bob@example.com"],
        "subject": "Hello",
        "text": "Hello.",
        "html": "<p>Hello.</p>",
    })
}

#[tokio::test]
async fn each_recipient_gets_a_mail_of_their_own_that_carries_the_key() {
    let accepted = ResponseTemplate::new(202).insert_header("x-message-id", "id-1");
    let server = server(accepted).await;
    let found = send(&server, mail()).await.unwrap();
    assert_eq!(found, json!({ "messageId": "id-1", "recipients": 2 }));
    let sent = &server.received_requests().await.unwrap()[0];
    assert_eq!(
        (sent.method.as_str(), sent.url.path()),
        ("POST", "/v3/mail/send")
    );
    let body: Value = sent.body_json().unwrap();
    check_sendgrid("MailSendRequest", &body).unwrap();
    let to_one = |address: &str| json!({ "to": [{ "email": address }], "custom_args": { "idempotency_key": "key-1" } });
    let expected = json!({
        "personalizations": [to_one("ada@example.com"), to_one("bob@example.com")],
        "from": { "email": "us@example.com" },
        "subject": "Hello",
        "content": [
            { "type": "text/plain", "value": "Hello." },
            { "type": "text/html", "value": "<p>Hello.</p>" },
        ],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_mail_needs_neither_html_nor_an_id_in_the_answer() {
    let server = server(ResponseTemplate::new(202)).await;
    let mut input = mail();
    input["html"] = Value::Null;
    let found = send(&server, input).await.unwrap();
    assert_eq!(found["messageId"], Value::Null);
    let sent = &server.received_requests().await.unwrap()[0];
    let body: Value = sent.body_json().unwrap();
    assert_eq!(body["content"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn no_field_begins_a_second_header() {
    let server = server(ResponseTemplate::new(202)).await;
    let rows = [
        ("subject", json!("Hello\r\nBcc: eve@example.com"), "subject"),
        ("subject", json!("Hello\nBcc: eve@example.com"), "subject"),
        ("subject", json!("Hello\u{0}"), "subject"),
        ("subject", json!("a".repeat(999)), "subject"),
        (
            "from",
            json!("us@example.com\r\nBcc: eve@example.com"),
            "from",
        ),
        ("from", json!("us"), "from"),
        (
            "to",
            json!(["ada@example.com", "eve@example.com, x@example.com"]),
            "to[1]",
        ),
        ("to", json!(["Ada <ada@example.com>"]), "to[0]"),
        ("to", json!(["@example.com"]), "to[0]"),
        ("to", json!(["a@b@example.com"]), "to[0]"),
        ("to", json!(["ada@"]), "to[0]"),
        ("to", json!(["ada@example.com."]), "to[0]"),
        (
            "to",
            json!([format!("{}@example.com", "a".repeat(250))]),
            "to[0]",
        ),
        ("to", json!([]), "to"),
        ("to", json!(vec!["ada@example.com"; 1_001]), "to"),
    ];
    for (name, value, wrong) in rows {
        let mut input = mail();
        input[name] = value;
        let error = send(&server, input).await.unwrap_err();
        assert!(
            matches!(&error, Error::Input { field, .. } if field == wrong),
            "{error:?}"
        );
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
    let mut most = mail();
    most["to"] = json!(vec!["ada@example.com"; 1_000]);
    send(&server, most).await.unwrap();
}

#[tokio::test]
async fn a_key_that_may_not_send_is_not_connected() {
    let rows = [
        (json!({ "scopes": ["alerts.read", "mail.send"] }), true),
        (json!({ "scopes": ["alerts.read"] }), false),
    ];
    for (body, is_enough) in rows {
        let server = server(ok(&body)).await;
        let connectors = connect(&server.uri());
        let sendgrid = connectors
            .get(shared::models::IntegrationService::Sendgrid)
            .unwrap();
        match sendgrid.check(&key("SG.")).await {
            Ok(account) => {
                assert!(is_enough);
                assert_eq!(account.label, "SG.…6789");
                assert_eq!(account.scopes, ["alerts.read", "mail.send"]);
            }
            Err(error) => {
                assert!(!is_enough);
                assert!(matches!(error, Error::Forbidden { .. }), "{error:?}");
            }
        }
        let sent = &server.received_requests().await.unwrap()[0];
        assert_eq!(
            (sent.method.as_str(), sent.url.path()),
            ("GET", "/v3/scopes")
        );
    }
}

#[tokio::test]
async fn a_refusal_names_the_field_and_shows_no_message() {
    let body = json!({ "errors": [
        { "message": "The from address us@example.com is not verified", "field": "from.email", "help": {} },
    ] });
    check_sendgrid("ErrorResponse", &body).unwrap();
    let server = server(ResponseTemplate::new(400).set_body_json(body)).await;
    let error = send(&server, mail()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the service refused the request with status 400 (from.email)"
    );
}

#[tokio::test]
async fn the_limit_is_told_by_the_time_of_its_end_as_well() {
    let answer = ResponseTemplate::new(429)
        .insert_header("date", "Mon, 23 Nov 2026 22:00:00 GMT")
        .insert_header("x-ratelimit-reset", "1795471230");
    let server = server(answer).await;
    let error = send(&server, mail()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
}
