use base64::{
    Engine,
    engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

/// What begins a search for the message with a certain `Message-ID` header.
const BY_MESSAGE_ID: &str = "rfc822msgid:";

/// One user's mails.
#[derive(Default)]
pub(super) struct Mailbox {
    mails: Vec<Mail>,
}

/// A mail that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMail {
    /// Its `Message-ID`, with the angle brackets.
    pub message_id: String,
    /// The whole message.
    pub raw: String,
}

struct Mail {
    id: String,
    thread_id: String,
    message_id: String,
    content: Content,
}

enum Content {
    Received {
        from: String,
        subject: String,
        text: String,
    },
    Sent {
        raw: String,
    },
}

impl Mailbox {
    pub(super) fn deliver(&mut self, from: &str, subject: &str, text: &str) {
        let number = self.mails.len() + 1;
        self.mails.push(Mail {
            id: format!("m{number}"),
            thread_id: format!("t{number}"),
            message_id: format!("<{number}@mail.example.com>"),
            content: Content::Received {
                from: from.to_owned(),
                subject: subject.to_owned(),
                text: text.to_owned(),
            },
        });
    }

    pub(super) fn sent(&self) -> Vec<SentMail> {
        let sent = self.mails.iter().filter_map(|mail| match &mail.content {
            Content::Sent { raw } => Some(SentMail {
                message_id: mail.message_id.clone(),
                raw: raw.clone(),
            }),
            Content::Received { .. } => None,
        });
        sent.collect()
    }

    /// Every received mail, or the one that the search names by its `Message-ID`.
    pub(super) fn find(&self, query: &str) -> Value {
        let is_found = |mail: &&Mail| match query.strip_prefix(BY_MESSAGE_ID) {
            Some(id) => mail.message_id == format!("<{id}>"),
            None => matches!(mail.content, Content::Received { .. }),
        };
        let found = self.mails.iter().filter(is_found);
        let messages: Vec<Value> = found.map(Mail::to_json).collect();
        json!({ "resultSizeEstimate": messages.len(), "messages": messages })
    }

    pub(super) fn get(&self, id: &str) -> Option<Value> {
        let mail = self.mails.iter().find(|mail| mail.id == id)?;
        let Content::Received {
            from,
            subject,
            text,
        } = &mail.content
        else {
            return None;
        };
        let header = |name: &str, value: &str| json!({ "name": name, "value": value });
        let mut message = mail.to_json();
        message["payload"] = json!({
            "mimeType": "text/plain",
            "headers": [
                header("From", from),
                header("Subject", subject),
                header("Message-ID", &mail.message_id),
            ],
            "body": { "size": text.len(), "data": URL_SAFE.encode(text) },
        });
        Some(message)
    }

    /// Keeps the message and its `Message-ID`.
    pub(super) fn send(&mut self, body: &Value) -> Option<Value> {
        let raw = URL_SAFE_NO_PAD.decode(body["raw"].as_str()?).ok()?;
        let raw = String::from_utf8(raw).ok()?;
        let mut lines = raw.lines();
        let message_id = lines.find_map(|line| line.strip_prefix("Message-ID: "))?;
        let number = self.mails.len() + 1;
        let thread_id = body["threadId"].as_str();
        let mail = Mail {
            id: format!("m{number}"),
            thread_id: thread_id.map_or_else(|| format!("t{number}"), str::to_owned),
            message_id: message_id.to_owned(),
            content: Content::Sent { raw: raw.clone() },
        };
        let sent = mail.to_json();
        self.mails.push(mail);
        Some(sent)
    }
}

impl Mail {
    fn to_json(&self) -> Value {
        json!({ "id": self.id, "threadId": self.thread_id })
    }
}
