//! Gmail v1 (<https://developers.google.com/workspace/gmail/api/reference/rest>).

mod compose;
mod content;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Session, Unfinished, read, segment, write};
use crate::{connectors::Error, ids::fingerprint};

use compose::Mail;
use content::{Body, Message};

const MESSAGES: &str = "/gmail/v1/users/me/messages";

const DEFAULT_LIMIT: usize = 20;

/// Pages above this many are not asked for: they may be empty, and have no end.
const MAX_PAGES: usize = 30;

/// The largest page that Gmail gives.
const MAX_PAGE: usize = 500;

/// The right side of our `Message-ID` headers: nobody's domain (RFC 2606), so nobody else's ids.
const MESSAGE_ID_DOMAIN: &str = "infinity-x.invalid";

#[derive(Deserialize)]
pub(super) struct Search {
    query: String,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chosen {
    message_id: String,
}

/// A page of messages; `messages` is absent when there are none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    messages: Vec<Found>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    id: String,
    thread_id: Option<String>,
}

/// Messages, page by page up to the limit. An empty page may have one behind it.
pub(super) async fn search(session: &Session<'_>, search: Search) -> Result<Value, Error> {
    let limit = search.limit.unwrap_or(DEFAULT_LIMIT);
    let mut found = Vec::new();
    let mut page_token: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let wanted = (limit - found.len()).min(MAX_PAGE);
        let request = session
            .get(&session.config.gmail, MESSAGES)
            .query(&[("q", &search.query)])
            .query(&[("maxResults", wanted)])
            .query(&page_token.map(|token| [("pageToken", token)]));
        let page: Page = read(request).await?;
        found.extend(page.messages.iter().map(to_json));
        found.truncate(limit);
        page_token = page.next_page_token;
        if page_token.is_none() || found.len() == limit {
            break;
        }
    }
    Ok(json!({ "messages": found, "hasMore": page_token.is_some() }))
}

/// One message with its text.
pub(super) async fn get(session: &Session<'_>, chosen: Chosen) -> Result<Value, Error> {
    let path = format!("{MESSAGES}/{}", segment("messageId", &chosen.message_id)?);
    let request = session.get(&session.config.gmail, &path);
    let message: Message = read(request.query(&[("format", "full")])).await?;
    let text = match message.text() {
        Some(part) => match &part.body.attachment_id {
            // Long texts are kept as attachments are.
            Some(id) if part.body.data.is_none() => {
                let path = format!("{path}/attachments/{}", segment("messageId", id)?);
                let body: Body = read(session.get(&session.config.gmail, &path)).await?;
                part.decode(&body)?
            }
            _ => part.decode(&part.body)?,
        },
        None => String::new(),
    };
    Ok(message.to_json(&text))
}

/// Sends a message, unless the key has sent one: Gmail knows no keys, but finds a message by the
/// `Message-ID` header, which is the key's. One in the bin was sent as well.
pub(super) async fn send(
    session: &Session<'_>,
    mail: Mail,
    key: &str,
    now: jiff::Timestamp,
) -> Result<Value, Error> {
    mail.check()?;
    let hash = fingerprint(&["google.gmail.send", key]);
    let message_id = format!("{hash}@{MESSAGE_ID_DOMAIN}");
    let sent = match find_sent(session, &message_id).await? {
        Some(found) => found,
        None => {
            let raw = URL_SAFE_NO_PAD.encode(mail.write(&message_id, now)?);
            let mut body = json!({ "raw": raw });
            if let Some(thread_id) = &mail.thread_id {
                body["threadId"] = json!(thread_id);
            }
            let request = session.post(&session.config.gmail, &format!("{MESSAGES}/send"));
            write(request.json(&body)).await?
        }
    };
    let mut sent = to_json(&sent);
    sent["rfc822MessageId"] = json!(format!("<{message_id}>"));
    Ok(sent)
}

/// The message with this `Message-ID` header. An empty page may have the one with it behind it.
async fn find_sent(session: &Session<'_>, message_id: &str) -> Result<Option<Found>, Error> {
    let query = format!("rfc822msgid:{message_id}");
    let mut page_token: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let request = session
            .get(&session.config.gmail, MESSAGES)
            .query(&[
                ("q", query.as_str()),
                ("includeSpamTrash", "true"),
                ("maxResults", "1"),
            ])
            .query(&page_token.map(|token| [("pageToken", token)]));
        let page: Page = read(request).await?;
        page_token = page.next_page_token;
        let found = page.messages.into_iter().next();
        if found.is_some() || page_token.is_none() {
            return Ok(found);
        }
    }
    Err(Unfinished.into())
}

fn to_json(found: &Found) -> Value {
    json!({ "messageId": found.id, "threadId": found.thread_id })
}
