use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use percent_encoding::percent_decode;
use serde_json::Value;

use super::{
    Error,
    json::{self, Members},
};
use crate::{ids, models::Timestamp};

/// Prefix of the headers of a binary event
/// (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>).
const HEADER_PREFIX: &str = "ce-";

/// An occurrence that Eventarc or an emulator reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudEvent {
    /// `id`: unique within the source.
    pub id: String,
    /// `source`: what the event comes from.
    pub source: String,
    /// `type`.
    pub kind: String,
    /// `subject`: what it is about, within the source.
    pub subject: Option<String>,
    /// `time`: when it happened.
    pub time: Option<Timestamp>,
    /// `datacontenttype`: the form of the data.
    pub data_content_type: Option<String>,
    /// The payload.
    pub data: Bytes,
    /// All other attributes by name.
    pub extensions: BTreeMap<String, String>,
}

impl CloudEvent {
    /// Reads an event in binary mode (attributes as headers) or structured mode (all as JSON).
    ///
    /// # Errors
    /// Names the first header or member that is not as version 1.0 of the specification wants it.
    pub fn parse(headers: &HeaderMap, body: Bytes) -> Result<Self, Error> {
        match media_type(headers)?.as_deref() {
            Some("application/cloudevents+json") => parse_structured(&body),
            Some(other) if other.starts_with("application/cloudevents") => Err(Error::invalid(
                CONTENT_TYPE.as_str(),
                "one event in JSON or binary mode",
            )),
            _ => parse_binary(headers, body),
        }
    }

    /// What a repeat of this event has in common with it, and no other event has.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        ids::fingerprint(&[&self.source, &self.id])
    }
}

/// The media type in lower case, without parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let content_type = single(headers, CONTENT_TYPE.as_str())?;
    let media_type = content_type.and_then(|value| value.to_str().ok()?.split(';').next());
    Ok(media_type.map(|text| text.trim().to_ascii_lowercase()))
}

fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a HeaderValue>, Error> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(Error::invalid(name, "one header line"));
    }
    Ok(value)
}

fn parse_binary(headers: &HeaderMap, data: Bytes) -> Result<CloudEvent, Error> {
    let mut attributes = Attributes::default();
    for header in headers.keys() {
        let Some(name) = header.as_str().strip_prefix(HEADER_PREFIX) else {
            continue;
        };
        if let Some(value) = single(headers, header.as_str())? {
            let text = percent_decode(value.as_bytes()).decode_utf8();
            let text = text.map_err(|_| Error::invalid(header.as_str(), "UTF-8"))?;
            attributes.insert(name, &text);
        }
    }
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if let Some(content_type) = content_type {
        attributes.insert("datacontenttype", content_type);
    }
    attributes.into_event(HEADER_PREFIX, data)
}

/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>.
fn parse_structured(body: &[u8]) -> Result<CloudEvent, Error> {
    let body = json::parse(body)?;
    let members = Members::of(&body, "")?;
    let mut attributes = Attributes::default();
    for (name, value) in members.iter() {
        match value {
            _ if name == "data" || name == "data_base64" => {}
            Value::Null => {}
            Value::String(text) => attributes.insert(name, text),
            Value::Bool(_) | Value::Number(_) => attributes.insert(name, &value.to_string()),
            Value::Array(_) | Value::Object(_) => {
                return Err(Error::invalid(name, "a plain value"));
            }
        }
    }
    let data = structured_data(&members)?;
    attributes.into_event("", data)
}

fn structured_data(members: &Members<'_>) -> Result<Bytes, Error> {
    match (members.get("data"), members.text("data_base64")?) {
        (Some(_), Some(_)) => Err(Error::Unexpected("data_base64".to_owned())),
        (Some(data), None) => Ok(Bytes::from(data.to_string())),
        (None, Some(text)) => STANDARD
            .decode(text)
            .map(Bytes::from)
            .map_err(|_| Error::invalid("data_base64", "base64")),
        (None, None) => Ok(Bytes::new()),
    }
}

/// Attributes by name, on their way into a [`CloudEvent`].
#[derive(Default)]
struct Attributes(BTreeMap<String, String>);

impl Attributes {
    fn insert(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.0.insert(name.to_owned(), value.to_owned());
        }
    }

    fn required(&mut self, prefix: &str, name: &str) -> Result<String, Error> {
        self.0
            .remove(name)
            .ok_or_else(|| Error::Missing(format!("{prefix}{name}")))
    }

    fn into_event(mut self, prefix: &str, data: Bytes) -> Result<CloudEvent, Error> {
        if self.required(prefix, "specversion")? != "1.0" {
            return Err(Error::invalid(format!("{prefix}specversion"), "`1.0`"));
        }
        let time = self.0.remove("time");
        let time = time.map(|text| json::parse_time(&text, &format!("{prefix}time")));
        Ok(CloudEvent {
            id: self.required(prefix, "id")?,
            source: self.required(prefix, "source")?,
            kind: self.required(prefix, "type")?,
            subject: self.0.remove("subject"),
            time: time.transpose()?,
            data_content_type: self.0.remove("datacontenttype"),
            data,
            extensions: self.0,
        })
    }
}

#[cfg(test)]
mod tests;
