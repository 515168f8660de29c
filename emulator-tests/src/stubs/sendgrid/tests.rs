use reqwest::StatusCode;
use serde_json::{Value, json};

use super::*;
use crate::emulators::client;

async fn start() -> SendGrid {
    SendGrid::start(SendGridOptions::default())
        .await
        .expect("start")
}

fn mail() -> Value {
    json!({
        "personalizations": [{
            "to": [{ "email": "ada@example.com", "name": "Ada" }],
            "custom_args": { "outbox": "1" },
        }],
        "from": { "email": "hello@example.com" },
        "subject": "Welcome",
        "content": [
            { "type": "text/plain", "value": "Hello" },
            { "type": "text/html", "value": "<p>Hello</p>" },
        ],
    })
}

async fn send(sendgrid: &SendGrid, body: &Value) -> (StatusCode, Value) {
    let request = client().post(format!("{}/v3/mail/send", sendgrid.url()));
    let response = request.bearer_auth("SG.key").json(body).send().await;
    let response = response.expect("an answer");
    let status = response.status();
    (status, response.json().await.unwrap_or_default())
}

#[tokio::test]
async fn an_accepted_mail_can_be_read() {
    let sendgrid = start().await;
    let request = client().post(format!("{}/v3/mail/send", sendgrid.url()));
    let response = request.bearer_auth("SG.key").json(&mail()).send().await;
    let response = response.expect("an answer");
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let id = response.headers()["x-message-id"]
        .to_str()
        .expect("text")
        .to_owned();
    assert_eq!(response.bytes().await.expect("a body").len(), 0);
    let expected = json!([{
        "id": id,
        "from": "hello@example.com",
        "to": ["ada@example.com"],
        "subject": "Welcome",
        "text": "Hello",
        "html": "<p>Hello</p>",
        "custom_args": { "outbox": "1" },
    }]);
    let url = sendgrid.messages_url();
    let listed: Value = client()
        .get(&url)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(listed, expected);
    client().delete(&url).send().await.expect("an answer");
    assert_eq!(sendgrid.messages(), []);
}

#[tokio::test]
async fn each_personalization_is_a_mail_of_its_own() {
    let sendgrid = start().await;
    let mut body = mail();
    body["personalizations"] = json!([
        { "to": [{ "email": "a@example.com" }], "subject": "For a" },
        { "to": [{ "email": "b@example.com" }], "cc": [{ "email": "c@example.com" }] },
    ]);
    assert_eq!(send(&sendgrid, &body).await.0, StatusCode::ACCEPTED);
    let messages = sendgrid.messages();
    let subjects: Vec<&str> = messages.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(subjects, ["For a", "Welcome"]);
    assert_eq!(messages[1].to, ["b@example.com", "c@example.com"]);
}

#[tokio::test]
async fn waiting_ends_with_the_mail_that_was_waited_for() {
    let sendgrid = start().await;
    let sending = async {
        send(&sendgrid, &mail()).await;
        send(&sendgrid, &mail()).await;
    };
    let (messages, ()) = tokio::join!(sendgrid.wait_for(2), sending);
    assert_eq!(messages.len(), 2);
}

#[tokio::test]
async fn a_mail_without_a_key_is_refused() {
    let sendgrid = start().await;
    let request = client().post(format!("{}/v3/mail/send", sendgrid.url()));
    let response = request.json(&mail()).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let body: Value = response.json().await.expect("JSON");
    assert!(body["errors"][0]["message"].is_string());
    assert_eq!(sendgrid.messages(), []);
}

#[tokio::test]
async fn a_mail_outside_the_contract_is_refused_with_its_field() {
    let sendgrid = start().await;
    let schema = contract::sendgrid("ErrorResponse").expect("a schema");
    let html_first = json!([
        { "type": "text/html", "value": "<p>Hello</p>" },
        { "type": "text/plain", "value": "Hello" },
    ]);
    for (pointer, value, field) in [
        ("/personalizations", json!([]), "personalizations"),
        ("/personalizations/0/to", json!([]), "personalizations.0.to"),
        (
            "/personalizations/0/to/0/email",
            json!("ada"),
            "personalizations.0.to.0.email",
        ),
        (
            "/personalizations/0/custom_args",
            json!("x"),
            "personalizations.0.custom_args",
        ),
        ("/from", json!({ "name": "x" }), "from"),
        ("/subject", json!(""), "subject"),
        ("/subject", Value::Null, "subject"),
        ("/content", json!([]), "content"),
        ("/content", html_first, "content"),
        ("/content/0/value", json!(""), "content.0.value"),
        ("", json!({ "sender": "x" }), ""),
    ] {
        let mut body = mail();
        *body.pointer_mut(pointer).expect("a place") = value;
        let (status, mut answer) = send(&sendgrid, &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{pointer}");
        assert_eq!(answer["errors"][0]["field"], field, "{answer}");
        for error in answer["errors"].as_array_mut().expect("errors") {
            // The published schema says object, the service answers null.
            error.as_object_mut().expect("an error").remove("help");
        }
        assert!(schema.is_valid(&answer), "{answer}");
    }
    assert_eq!(sendgrid.messages(), []);
}

#[tokio::test]
async fn a_field_that_is_not_in_the_contract_is_refused() {
    let sendgrid = start().await;
    let mut body = mail();
    body["recipient"] = json!("ada@example.com");
    assert_eq!(send(&sendgrid, &body).await.0, StatusCode::BAD_REQUEST);
    let mut body = mail();
    body.as_object_mut().expect("a mail").remove("subject");
    let (status, answer) = send(&sendgrid, &body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(answer["errors"][0]["field"], "subject");
}

#[tokio::test]
async fn each_mail_is_handed_over_once_though_others_are_deleted() {
    let (sendgrid, body) = (start().await, mail());
    send(&sendgrid, &body).await;
    send(&sendgrid, &body).await;
    let first = sendgrid.wait_after("").await;
    assert_eq!(first.len(), 2);
    let delete = client().delete(sendgrid.messages_url()).send().await;
    delete.expect("an answer");
    let (next, _) = tokio::join!(sendgrid.wait_after(&first[1].id), send(&sendgrid, &body));
    assert_eq!(next, sendgrid.messages());
    let (last, _) = tokio::join!(sendgrid.wait_after(&next[0].id), send(&sendgrid, &body));
    assert_eq!(last, sendgrid.messages()[1..]);
}
