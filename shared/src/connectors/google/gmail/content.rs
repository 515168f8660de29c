use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::plain_text;
use crate::connectors::Error;

/// Gmail pads, other writers of the format do not.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const PLAIN: &str = "text/plain";
const HTML: &str = "text/html";

/// `Message` of the API, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    id: Option<String>,
    thread_id: Option<String>,
    snippet: Option<String>,
    #[serde(default)]
    payload: Part,
}

/// A node of the tree of MIME parts.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Part {
    mime_type: String,
    filename: String,
    headers: Vec<Header>,
    pub(super) body: Body,
    parts: Vec<Part>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Header {
    name: String,
    value: String,
}

/// What is in a part, or where it is.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Body {
    pub(super) attachment_id: Option<String>,
    pub(super) data: Option<String>,
    size: u64,
}

impl Message {
    /// The part that people read: plain text rather than HTML.
    pub(super) fn text(&self) -> Option<&Part> {
        self.payload.find(PLAIN).or_else(|| self.payload.find(HTML))
    }

    pub(super) fn to_json(&self, text: &str) -> Value {
        let header = |name| self.payload.header(name);
        let mut attachments = Vec::new();
        self.payload.collect_attachments(&mut attachments);
        json!({
            "messageId": self.id,
            "threadId": self.thread_id,
            "from": header("From"),
            "to": header("To"),
            "cc": header("Cc"),
            "subject": header("Subject"),
            "date": header("Date"),
            "rfc822MessageId": header("Message-ID"),
            "snippet": self.snippet,
            "text": text,
            "attachments": attachments,
        })
    }
}

impl Part {
    /// A body that was sent for this part, as plain text. Gmail has decoded what the mail's own
    /// transfer encoding was.
    pub(super) fn decode(&self, body: &Body) -> Result<String, Error> {
        let data = body.data.as_deref().unwrap_or_default();
        let bytes = BASE64_URL.decode(data).map_err(|_| Error::Malformed)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(match self.is(HTML) {
            true => plain_text::from_html(&text),
            false => text.into_owned(),
        })
    }

    /// The first part of a type, in reading order, that is no attachment.
    fn find(&self, mime_type: &str) -> Option<&Self> {
        let has_body = self.body.data.is_some() || self.body.attachment_id.is_some();
        if self.is(mime_type) && self.filename.is_empty() && has_body {
            return Some(self);
        }
        self.parts.iter().find_map(|part| part.find(mime_type))
    }

    fn is(&self, mime_type: &str) -> bool {
        self.mime_type.eq_ignore_ascii_case(mime_type)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| header.value.as_str())
    }

    fn collect_attachments(&self, found: &mut Vec<Value>) {
        if !self.filename.is_empty() {
            found.push(json!({
                "name": self.filename,
                "mimeType": self.mime_type,
                "bytes": self.body.size,
            }));
        }
        for part in &self.parts {
            part.collect_attachments(found);
        }
    }
}
