//! Mailboxes (<https://developers.google.com/workspace/gmail/api/guides/sync>).

use std::{borrow::Cow, collections::HashMap};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    super::call::{Session, read, read_up_to, segment, write},
    Api, MailChanges, MailPage, MailTouch, MailWatch, Mailbox, RawMail, Reading, Since, found,
};
use crate::{connectors::Error, models::Timestamp};

const USER: &str = "/gmail/v1/users/me";

/// All there are: labels say what is spam and what is in the bin.
const HISTORY_TYPES: [&str; 4] = [
    "messageAdded",
    "messageDeleted",
    "labelAdded",
    "labelRemoved",
];

/// Records of a page of history: each may be a mail to fetch, and a page is what is kept at once.
const HISTORY_PAGE: usize = 100;

/// The largest page of mails that Gmail gives.
const MAIL_PAGE: usize = 500;

/// Larger mails are not read: what can be sent has 35 MB at most (`users.messages.send`).
pub const MAX_MAIL_BYTES: usize = 36_000_000;

/// Headers of a mail at most.
const MAX_HEADER_BYTES: usize = 1 << 20;

/// Gmail pads, other writers of the format do not.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `users.getProfile`.
pub(crate) struct Profile;

/// `users.messages.list`.
pub(crate) struct Mails<'a> {
    pub(crate) page: Option<&'a str>,
}

/// `users.history.list`.
pub(crate) struct MailChangesSince<'a> {
    pub(crate) since: &'a str,
    pub(crate) page: Option<&'a str>,
}

/// `users.messages.get`.
pub(crate) struct OneMail<'a> {
    pub(crate) id: &'a str,
    pub(crate) max_bytes: usize,
}

/// `users.watch`.
pub(crate) struct Watch<'a> {
    pub(crate) topic: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileAnswer {
    email_address: String,
    history_id: String,
}

/// `messages` is absent when there are none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListAnswer {
    #[serde(default)]
    messages: Vec<MessageId>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct MessageId {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HistoryAnswer {
    #[serde(default)]
    history: Vec<Record>,
    history_id: String,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Record {
    id: String,
    messages_added: Vec<Touched>,
    messages_deleted: Vec<Touched>,
    labels_added: Vec<Touched>,
    labels_removed: Vec<Touched>,
}

#[derive(Deserialize)]
struct Touched {
    message: MessageId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    id: String,
    thread_id: String,
    #[serde(default)]
    label_ids: Vec<String>,
    /// Milliseconds.
    internal_date: String,
    #[serde(borrow)]
    raw: Option<Cow<'a, str>>,
    #[serde(default)]
    payload: Payload,
}

#[derive(Default, Deserialize)]
struct Payload {
    #[serde(default)]
    headers: Vec<Header>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WatchAnswer {
    history_id: String,
    /// Milliseconds.
    expiration: String,
}

impl Reading for Profile {
    type Answer = Mailbox;
    const API: Api = Api::Gmail;
    const UNITS: u32 = 1;

    async fn read(&self, session: &Session<'_>) -> Result<Mailbox, Error> {
        let path = format!("{USER}/profile");
        let answer: ProfileAnswer = read(session.get(&session.config.gmail, &path)).await?;
        Ok(Mailbox {
            address: answer.email_address.into(),
            history_id: answer.history_id,
        })
    }
}

impl Reading for Mails<'_> {
    type Answer = MailPage;
    const API: Api = Api::Gmail;
    const UNITS: u32 = 5;

    async fn read(&self, session: &Session<'_>) -> Result<MailPage, Error> {
        let request = session
            .get(&session.config.gmail, &format!("{USER}/messages"))
            .query(&[("maxResults", MAIL_PAGE)])
            .query(&[("includeSpamTrash", false)])
            .query(&self.page.map(|token| [("pageToken", token)]));
        let answer: ListAnswer = read(request).await?;
        let ids = answer.messages.into_iter().map(|message| message.id);
        Ok(MailPage {
            ids: ids.collect(),
            next_page: answer.next_page_token,
        })
    }
}

impl Reading for MailChangesSince<'_> {
    type Answer = Since<MailChanges>;
    const API: Api = Api::Gmail;
    const UNITS: u32 = 2;

    /// 404 says that the position is too old
    /// (<https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.history/list>).
    async fn read(&self, session: &Session<'_>) -> Result<Self::Answer, Error> {
        let request = session
            .get(&session.config.gmail, &format!("{USER}/history"))
            .query(&[("startHistoryId", self.since)])
            .query(&HISTORY_TYPES.map(|kind| ("historyTypes", kind)))
            .query(&[("maxResults", HISTORY_PAGE)])
            .query(&self.page.map(|token| [("pageToken", token)]));
        let answer = found(read::<HistoryAnswer>(request).await)?;
        Ok(answer.map_or(Since::Expired, |answer| {
            Since::Known(answer.into_changes(self.since))
        }))
    }
}

impl HistoryAnswer {
    /// Its own position is the mailbox's, which is behind all pages. A page that has another one
    /// behind it ends at its last record.
    fn into_changes(self, since: &str) -> MailChanges {
        let last = self.history.last().map(|record| record.id.clone());
        let history_id = match self.next_page_token {
            Some(_) => last.unwrap_or_else(|| since.to_owned()),
            None => self.history_id,
        };
        let mut touched: Vec<MailTouch> = Vec::new();
        let mut places = HashMap::new();
        for (id, is_new) in self.history.into_iter().flat_map(Record::into_touches) {
            let place = *places.entry(id.clone()).or_insert(touched.len());
            match touched.get_mut(place) {
                Some(touch) => touch.is_new |= is_new,
                None => touched.push(MailTouch { id, is_new }),
            }
        }
        MailChanges {
            touched,
            history_id,
            next_page: self.next_page_token,
        }
    }
}

impl Record {
    fn into_touches(self) -> impl Iterator<Item = (String, bool)> {
        let added = self.messages_added.into_iter();
        let added = added.map(|touched| (touched.message.id, true));
        let others = [
            self.messages_deleted,
            self.labels_added,
            self.labels_removed,
        ];
        let others = others.into_iter().flatten();
        added.chain(others.map(|touched| (touched.message.id, false)))
    }
}

impl Reading for OneMail<'_> {
    type Answer = Option<RawMail>;
    const API: Api = Api::Gmail;
    const UNITS: u32 = 5;

    /// A mail above the limit is asked for again without its content, so that it is there at least.
    async fn read(&self, session: &Session<'_>) -> Result<Option<RawMail>, Error> {
        let path = format!("{USER}/messages/{}", segment("id", self.id)?);
        let whole = ("raw", self.max_bytes.min(MAX_MAIL_BYTES));
        let formats = [whole, ("metadata", MAX_HEADER_BYTES)];
        for (format, max_bytes) in formats.into_iter().filter(|(_, most)| *most > 0) {
            let request = session.get(&session.config.gmail, &path);
            let request = request.query(&[("format", format)]);
            let answer = found(read_up_to(request, answer_bytes(max_bytes)).await)?;
            match answer {
                None => return Ok(None),
                Some(None) => {}
                Some(Some(answer)) => return answer.json::<Message>()?.into_mail().map(Some),
            }
        }
        Err(Error::Malformed)
    }
}

impl Message<'_> {
    fn into_mail(self) -> Result<RawMail, Error> {
        let is_whole = self.raw.is_some();
        let raw = match &self.raw {
            Some(raw) => BASE64_URL.decode(&**raw).map_err(|_| Error::Malformed)?,
            None => self.payload.to_message(),
        };
        Ok(RawMail {
            id: self.id,
            thread_id: self.thread_id,
            labels: self.label_ids,
            received_at: from_millis(&self.internal_date)?,
            raw,
            is_whole,
        })
    }
}

/// Four characters for three bytes, and room for the fields around them.
fn answer_bytes(mail_bytes: usize) -> usize {
    mail_bytes / 3 * 4 + 64 * 1024
}

impl Payload {
    /// The headers as a message without a body.
    fn to_message(&self) -> Vec<u8> {
        let lines = self.headers.iter();
        let lines = lines.map(|Header { name, value }| format!("{name}: {value}\r\n"));
        format!("{}\r\n", lines.collect::<String>()).into_bytes()
    }
}

impl Reading for Watch<'_> {
    type Answer = MailWatch;
    const API: Api = Api::Gmail;
    const UNITS: u32 = 100;

    /// <https://developers.google.com/workspace/gmail/api/guides/push#renewing_mailbox_watch>.
    async fn read(&self, session: &Session<'_>) -> Result<MailWatch, Error> {
        let request = session.post(&session.config.gmail, &format!("{USER}/watch"));
        let request = request.json(&json!({ "topicName": self.topic }));
        let answer: WatchAnswer = write(request).await?;
        Ok(MailWatch {
            history_id: answer.history_id,
            expires_at: from_millis(&answer.expiration)?,
        })
    }
}

fn from_millis(text: &str) -> Result<Timestamp, Error> {
    let millis = text.parse().map_err(|_| Error::Malformed)?;
    let instant = jiff::Timestamp::from_millisecond(millis).map_err(|_| Error::Malformed)?;
    Ok(instant.into())
}
