//! A mail as Gmail keeps it.

use base64::{
    Engine,
    engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD},
};
use mail_builder::MessageBuilder;
use serde_json::{Value, json};

use super::account::Seen;

/// A mail that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMail {
    /// Its `Message-ID`, with the angle brackets.
    pub message_id: String,
    /// The whole message.
    pub raw: String,
}

#[derive(Clone)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) thread_id: String,
    pub(super) labels: Vec<String>,
    /// Milliseconds.
    pub(super) received_at: i64,
    pub(super) raw: Vec<u8>,
    /// What people read in it.
    pub(super) seen: Seen,
}

impl Message {
    pub(super) fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|other| other == label)
    }

    /// Whether it is shown outside of spam and bin.
    pub(super) fn is_shown(&self) -> bool {
        !self.has("SPAM") && !self.has("TRASH")
    }

    pub(super) fn message_id(&self) -> Option<String> {
        self.header("message-id")
    }

    /// As lists have it.
    pub(super) fn to_id(&self) -> Value {
        json!({ "id": self.id, "threadId": self.thread_id })
    }

    /// As records of history have it.
    pub(super) fn to_touched(&self) -> Value {
        let mut message = self.to_id();
        message["labelIds"] = json!(self.labels);
        message
    }

    /// As `users.messages.get` has it.
    pub(super) fn to_json(&self, format: &str, history_id: u64) -> Value {
        let mut message = self.to_touched();
        message["historyId"] = json!(history_id.to_string());
        message["internalDate"] = json!(self.received_at.to_string());
        message["sizeEstimate"] = json!(self.raw.len());
        let headers: Vec<Value> = self
            .headers()
            .into_iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        match format {
            "raw" => message["raw"] = json!(URL_SAFE.encode(&self.raw)),
            "metadata" => message["payload"] = json!({ "headers": headers }),
            "full" => {
                let text = &self.seen.text;
                message["payload"] = json!({
                    "mimeType": "text/plain",
                    "headers": headers,
                    "body": { "size": text.len(), "data": URL_SAFE.encode(text) },
                });
            }
            _ => {}
        }
        message
    }

    fn header(&self, name: &str) -> Option<String> {
        let mut headers = self.headers().into_iter();
        let found = headers.find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    fn headers(&self) -> Vec<(String, String)> {
        headers(&self.raw)
    }
}

/// A message of plain text.
pub(super) fn compose(number: u64, from: &str, subject: &str, text: &str, millis: i64) -> Vec<u8> {
    let (name, address) = match from.split_once('<') {
        Some((name, address)) => (name.trim(), address.trim_end_matches('>')),
        None => ("", from),
    };
    MessageBuilder::new()
        .from((name, address))
        .to("ada@example.com")
        .subject(subject)
        .date(millis / 1_000)
        .message_id(format!("{number}@mail.example.com"))
        .text_body(text)
        .write_to_vec()
        .unwrap()
}

/// The message in the body of `users.messages.send`.
pub(super) fn sent(body: &Value) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(body["raw"].as_str()?).ok()
}

/// What is read in a message of nothing but one text.
pub(super) fn seen(raw: &[u8]) -> Seen {
    let title = headers(raw).into_iter();
    let mut title = title.filter(|(name, _)| name.eq_ignore_ascii_case("subject"));
    let title = title.next().map(|(_, value)| value);
    let text = String::from_utf8_lossy(raw);
    let text = text.split_once("\r\n\r\n").map(|(_, text)| text);
    Seen {
        title: title.unwrap_or_default(),
        text: text.unwrap_or_default().to_owned(),
    }
}

/// The headers, those that are folded as one line (RFC 5322 section 2.2.3).
fn headers(raw: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(raw);
    let head = text.split_once("\r\n\r\n").map_or(&*text, |(head, _)| head);
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let headers = lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    headers.collect()
}
