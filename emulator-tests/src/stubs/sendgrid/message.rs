//! What arrives in a mailbox.

use serde::Serialize;
use serde_json::Value;

/// One mail: SendGrid sends one per personalization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The same for all mails of one request.
    pub id: String,
    /// The sender's address.
    pub from: String,
    /// The recipients' addresses, copies included.
    pub to: Vec<String>,
    /// The personalization's subject, or the request's.
    pub subject: String,
    /// The `text/plain` content.
    pub text: Option<String>,
    /// The `text/html` content.
    pub html: Option<String>,
    /// What the sender attached for itself.
    pub custom_args: Value,
}

/// The mails of a valid request.
pub(super) fn split(body: &Value) -> Vec<Message> {
    let id: [u8; 16] = rand::random();
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let personalizations = body["personalizations"].as_array().into_iter().flatten();
    personalizations
        .map(|personalization| message(&id, body, personalization))
        .collect()
}

fn message(id: &str, body: &Value, personalization: &Value) -> Message {
    let or_common = |name: &str| match &personalization[name] {
        Value::Null => &body[name],
        own => own,
    };
    let content = |kind: &str| {
        let mut contents = body["content"].as_array().into_iter().flatten();
        let content = contents.find(|content| content["type"] == kind);
        content.map(|content| text(&content["value"]))
    };
    let recipients = ["to", "cc", "bcc"].iter().flat_map(|name| {
        let list = personalization[*name].as_array().into_iter().flatten();
        list.map(|recipient| text(&recipient["email"]))
    });
    Message {
        id: id.to_owned(),
        from: text(&or_common("from")["email"]),
        to: recipients.collect(),
        subject: text(or_common("subject")),
        text: content("text/plain"),
        html: content("text/html"),
        custom_args: or_common("custom_args").clone(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
