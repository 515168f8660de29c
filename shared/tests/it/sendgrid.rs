//! The SendGrid adapter against a server on a local port.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    config::Env,
    email::{Address, Email, Error, Mailer, SendGrid, SendGridConfig},
    http::client,
    retry::Transient,
};
use tokio::net::TcpListener;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use crate::contract::check_sendgrid;

fn config(base_url: &str) -> SendGridConfig {
    let env = Env::from_pairs([
        ("SENDGRID_API_KEY", "SG.test"),
        ("SENDGRID_BASE_URL", base_url),
        ("EMAIL_FROM", "hello@infinity-x.example"),
    ]);
    SendGridConfig::load(&env).unwrap()
}

fn mailer(base_url: &str) -> SendGrid {
    SendGrid::new(config(base_url), client().unwrap())
}

fn email() -> Email {
    let to = Address::parse("ada@example.com").unwrap();
    Email::new(to, "Hello", "Hello.", "<p>Hello.</p>", "key-1").unwrap()
}

async fn server(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let mock = Mock::given(matchers::any()).respond_with(response);
    mock.mount(&server).await;
    server
}

async fn send_against(response: ResponseTemplate) -> (Result<(), Error>, usize) {
    let server = server(response).await;
    let result = mailer(&server.uri()).send(&email()).await;
    (result, server.received_requests().await.unwrap().len())
}

#[tokio::test]
async fn the_request_fits_the_published_schema() {
    let server = server(ResponseTemplate::new(202)).await;
    mailer(&server.uri()).send(&email()).await.unwrap();
    let sent = &server.received_requests().await.unwrap()[0];
    assert_eq!(
        (sent.method.as_str(), sent.url.path()),
        ("POST", "/v3/mail/send")
    );
    assert_eq!(sent.headers["authorization"], "Bearer SG.test");
    let body: Value = sent.body_json().unwrap();
    check_sendgrid("MailSendRequest", &body).unwrap();
    let expected = json!({
        "personalizations": [{
            "to": [{ "email": "ada@example.com" }],
            "custom_args": { "idempotency_key": "key-1" },
        }],
        "from": { "email": "hello@infinity-x.example" },
        "subject": "Hello",
        "content": [
            { "type": "text/plain", "value": "Hello." },
            { "type": "text/html", "value": "<p>Hello.</p>" },
        ],
    });
    assert_eq!(body, expected);
}

#[test]
fn the_schema_refuses_an_invented_field() {
    let body = json!({ "personalizations": [], "from": { "email": "a@b.example" }, "body": "x" });
    check_sendgrid("MailSendRequest", &body).unwrap_err();
}

#[tokio::test]
async fn refusals_are_permanent_and_tried_once() {
    for status in [400, 401, 403, 404, 405, 413] {
        let body = json!({ "errors": [{ "message": "m", "field": null, "help": {} }] });
        check_sendgrid("ErrorResponse", &body).unwrap();
        let (result, requests) =
            send_against(ResponseTemplate::new(status).set_body_json(body)).await;
        let error = result.unwrap_err();
        assert!(
            matches!(error, Error::Rejected { status: found } if found == status),
            "{error:?}"
        );
        assert_eq!((requests, error.is_transient()), (1, false));
    }
}

#[tokio::test]
async fn failures_of_the_provider_are_transient_and_tried_once() {
    for status in [500, 502, 503, 504] {
        let (result, requests) = send_against(ResponseTemplate::new(status)).await;
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        assert_eq!((requests, error.is_transient()), (1, true));
    }
}

#[tokio::test]
async fn the_rate_limit_tells_when_to_come_back() {
    let reset = ResponseTemplate::new(429)
        .insert_header("date", "Mon, 23 Nov 2026 22:00:00 GMT")
        .insert_header("x-ratelimit-reset", "1795471230");
    let error = send_against(reset).await.0.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
    let asked = ResponseTemplate::new(429).insert_header("retry-after", "7");
    let error = send_against(asked).await.0.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    let silent = send_against(ResponseTemplate::new(429))
        .await
        .0
        .unwrap_err();
    assert_eq!((silent.is_transient(), silent.retry_after()), (true, None));
}

#[tokio::test]
async fn silence_after_the_mail_was_handed_in_is_an_unknown_outcome() {
    let server = server(ResponseTemplate::new(202).set_delay(Duration::from_secs(60))).await;
    let mut config = config(&server.uri());
    config.timeout = Duration::from_millis(50);
    let mailer = SendGrid::new(config, client().unwrap());
    let error = mailer.send(&email()).await.unwrap_err();
    assert!(matches!(error, Error::Unknown(_)), "{error:?}");
    assert!(!error.is_transient(), "a repeat could deliver it twice");
}

#[tokio::test]
async fn a_server_that_is_not_there_has_taken_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = mailer(&base_url).send(&email()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
}

#[test]
fn a_sender_that_is_no_address_is_refused_at_start() {
    let env = Env::from_pairs([
        ("SENDGRID_API_KEY", "SG.test"),
        ("EMAIL_FROM", "a\r\nBcc: b@c.example"),
    ]);
    let error = SendGridConfig::load(&env).unwrap_err();
    assert!(error.to_string().contains("EMAIL_FROM"), "{error}");
}
