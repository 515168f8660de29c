//! One mailbox and its history
//! (<https://developers.google.com/workspace/gmail/api/guides/sync>).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    account::Seen,
    message::{self, Message, SentMail},
    server::{Answer, Refusal},
    weather::Sky,
};
use crate::testing::discovery::Call;

/// What begins a search for the message with a certain `Message-ID` header.
const BY_MESSAGE_ID: &str = "rfc822msgid:";

/// Marks the token of a page behind an empty one.
const AFTER_EMPTY: char = '~';

/// 2026-12-03T12:00:00Z, in milliseconds: a watch lasts a week.
const WATCH_ENDS_AT: &str = "1796299200000";

pub(super) struct Mailbox {
    /// Oldest first.
    messages: Vec<Message>,
    delivered: u64,
    history: Vec<Record>,
    history_id: u64,
    /// Positions before this one are forgotten.
    oldest: u64,
    pub(super) topic: Option<String>,
}

struct Record {
    id: u64,
    /// As `messagesAdded`.
    kind: &'static str,
    message: Value,
    labels: Vec<String>,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self {
            messages: Vec::new(),
            delivered: 0,
            history: Vec::new(),
            history_id: 1_000,
            oldest: 1_000,
            topic: None,
        }
    }
}

/// What happens in it.
impl Mailbox {
    pub(super) fn next_number(&self) -> u64 {
        self.delivered + 1
    }

    pub(super) fn add(&mut self, raw: Vec<u8>, seen: Seen, labels: &[&str], millis: i64) -> String {
        self.delivered += 1;
        let number = self.delivered;
        self.messages.push(Message {
            id: format!("m{number}"),
            thread_id: format!("t{number}"),
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
            received_at: millis,
            raw,
            seen,
        });
        let id = format!("m{number}");
        self.record("messagesAdded", &id, &[]);
        id
    }

    pub(super) fn label(&mut self, id: &str, added: &[&str], removed: &[&str]) {
        let message = self.message_mut(id);
        let is_there = |message: &Message, label: &&&str| message.has(label);
        let removed: Vec<&str> = removed
            .iter()
            .filter(|label| is_there(message, label))
            .copied()
            .collect();
        let added: Vec<&str> = added
            .iter()
            .filter(|label| !is_there(message, label))
            .copied()
            .collect();
        message
            .labels
            .retain(|label| !removed.contains(&label.as_str()));
        message
            .labels
            .extend(added.iter().map(|&label| label.to_owned()));
        if !added.is_empty() {
            self.record("labelsAdded", id, &added);
        }
        if !removed.is_empty() {
            self.record("labelsRemoved", id, &removed);
        }
    }

    pub(super) fn delete(&mut self, id: &str) {
        self.message_mut(id);
        self.record("messagesDeleted", id, &[]);
        self.messages.retain(|message| message.id != id);
    }

    pub(super) fn expire_history(&mut self) {
        self.history.clear();
        self.oldest = self.history_id;
    }

    /// Ids grow, and leave gaps.
    fn record(&mut self, kind: &'static str, id: &str, labels: &[&str]) {
        self.history_id += 1 + self.history_id % 3;
        let record = Record {
            id: self.history_id,
            kind,
            message: self.message_mut(id).to_touched(),
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
        };
        self.history.push(record);
    }

    fn message_mut(&mut self, id: &str) -> &mut Message {
        let mut messages = self.messages.iter_mut();
        messages.find(|message| message.id == id).unwrap()
    }
}

/// What is seen of it.
impl Mailbox {
    pub(super) fn history_id(&self) -> u64 {
        self.history_id
    }

    pub(super) fn shown(&self) -> BTreeMap<String, Seen> {
        let shown = self.messages.iter().filter(|message| message.is_shown());
        let shown = shown.map(|message| (message.id.clone(), message.seen.clone()));
        shown.collect()
    }

    pub(super) fn sent(&self) -> Vec<SentMail> {
        let sent = self.messages.iter().filter(|message| message.has("SENT"));
        let sent = sent.map(|message| SentMail {
            message_id: message.message_id().unwrap_or_default(),
            raw: String::from_utf8_lossy(&message.raw).into_owned(),
        });
        sent.collect()
    }
}

/// The API.
impl Mailbox {
    pub(super) fn profile(&self) -> Answer {
        Answer::Json(json!({
            "emailAddress": "ada@example.com",
            "historyId": self.history_id.to_string(),
            "messagesTotal": self.messages.len(),
        }))
    }

    pub(super) fn watch(&mut self, call: &Call) -> Result<Answer, Refusal> {
        let topic = call.body["topicName"].as_str();
        let topic = topic.filter(|topic| topic.starts_with("projects/"));
        let topic = topic.ok_or(Refusal(400, "invalidArgument"))?;
        self.topic = Some(topic.to_owned());
        Ok(Answer::Json(json!({
            "historyId": self.history_id.to_string(),
            "expiration": WATCH_ENDS_AT,
        })))
    }

    /// Newest first. A search finds the message with a `Message-ID`, or the inbox.
    pub(super) fn list(&self, call: &Call, sky: &mut Sky) -> Answer {
        let token = call.parameter("pageToken");
        let before: Option<usize> = token.map(|token| {
            let token = token.trim_end_matches(AFTER_EMPTY);
            token.parse().unwrap()
        });
        let with_bin = call.parameter("includeSpamTrash") == Some("true");
        let query = call.parameter("q");
        let is_listed = |message: &&Message| match query {
            Some(query) => match query.strip_prefix(BY_MESSAGE_ID) {
                Some(id) => message.message_id() == Some(format!("<{id}>")),
                None => message.has("INBOX"),
            },
            None => with_bin || message.is_shown(),
        };
        let older = &self.messages[..before.unwrap_or(usize::MAX).min(self.messages.len())];
        let places = older.iter().enumerate().rev();
        let mut found = places.filter(|(_, message)| is_listed(message)).peekable();
        let asked = call.parameter("maxResults").map(str::parse::<usize>);
        let most = sky.page(asked.map_or(100, Result::unwrap));
        if found.peek().is_some() && is_hollow(token, sky) {
            let token = format!("{}{AFTER_EMPTY}", older.len());
            return Answer::Json(json!({ "nextPageToken": token, "resultSizeEstimate": 0 }));
        }
        let page: Vec<_> = found.by_ref().take(most).collect();
        let mut answer = json!({ "resultSizeEstimate": page.len() });
        if !page.is_empty() {
            let messages = page.iter().map(|(_, message)| message.to_id());
            answer["messages"] = messages.collect();
        }
        if let (Some((last, _)), true) = (page.last(), found.peek().is_some()) {
            answer["nextPageToken"] = json!(last.to_string());
        }
        Answer::Json(answer)
    }

    pub(super) fn get(&self, call: &Call) -> Result<Answer, Refusal> {
        let id = call.parameter("id");
        let mut messages = self.messages.iter();
        let message = messages.find(|message| Some(message.id.as_str()) == id);
        let message = message.ok_or(Refusal(404, "notFound"))?;
        let format = call.parameter("format").unwrap_or("full");
        Ok(Answer::Json(message.to_json(format, self.history_id)))
    }

    pub(super) fn send(&mut self, call: &Call, millis: i64) -> Result<Answer, Refusal> {
        let raw = message::sent(&call.body).ok_or(Refusal(400, "invalidArgument"))?;
        let seen = message::seen(&raw);
        let id = self.add(raw, seen, &["SENT"], millis);
        let message = self.message_mut(&id);
        if let Some(thread_id) = call.body["threadId"].as_str() {
            thread_id.clone_into(&mut message.thread_id);
        }
        Ok(Answer::Json(message.to_touched()))
    }

    pub(super) fn list_history(&self, call: &Call, sky: &mut Sky) -> Result<Answer, Refusal> {
        let number = |name| call.parameter(name).map(str::to_owned);
        let start = number("startHistoryId").ok_or(Refusal(400, "invalidArgument"))?;
        let start: u64 = start.parse().map_err(|_| Refusal(400, "invalidArgument"))?;
        if start < self.oldest {
            return Err(Refusal(404, "notFound"));
        }
        let token = call.parameter("pageToken");
        let after = token.map_or(start, |token| {
            token.trim_end_matches(AFTER_EMPTY).parse().unwrap()
        });
        let kinds: Vec<&str> = call
            .query
            .iter()
            .filter(|(name, _)| name == "historyTypes")
            .map(|(_, kind)| kind.as_str())
            .collect();
        let is_asked = |record: &&Record| {
            record.id > after && (kinds.is_empty() || kinds.contains(&record.asked_as()))
        };
        let mut found = self.history.iter().filter(is_asked).peekable();
        let mut answer = json!({ "historyId": self.history_id.to_string() });
        if found.peek().is_some() && is_hollow(token, sky) {
            answer["nextPageToken"] = json!(format!("{after}{AFTER_EMPTY}"));
            return Ok(Answer::Json(answer));
        }
        let asked = call.parameter("maxResults").map(str::parse::<usize>);
        let most = sky.page(asked.map_or(100, Result::unwrap));
        let page: Vec<&Record> = found.by_ref().take(most).collect();
        if let (Some(last), true) = (page.last(), found.peek().is_some()) {
            answer["nextPageToken"] = json!(last.id.to_string());
        }
        let mut records = Vec::new();
        for record in page {
            let copies = 1 + usize::from(sky.is_duplicate());
            records.extend(std::iter::repeat_n(record.to_json(), copies));
        }
        if !records.is_empty() {
            answer["history"] = json!(records);
        }
        Ok(Answer::Json(answer))
    }
}

impl Record {
    /// Its name in `historyTypes`.
    fn asked_as(&self) -> &'static str {
        match self.kind {
            "messagesAdded" => "messageAdded",
            "messagesDeleted" => "messageDeleted",
            "labelsAdded" => "labelAdded",
            _ => "labelRemoved",
        }
    }

    fn to_json(&self) -> Value {
        let mut touched = json!({ "message": self.message });
        if !self.labels.is_empty() {
            touched["labelIds"] = json!(self.labels);
        }
        let id = |name: &str| self.message[name].clone();
        let mut record = json!({
            "id": self.id.to_string(),
            "messages": [{ "id": id("id"), "threadId": id("threadId") }],
        });
        record[self.kind] = json!([touched]);
        record
    }
}

/// Whether a page is empty although there is more: never twice in a row.
pub(super) fn is_hollow(token: Option<&str>, sky: &mut Sky) -> bool {
    let is_behind_one = token.is_some_and(|token| token.ends_with(AFTER_EMPTY));
    !is_behind_one && sky.is_empty_page()
}
