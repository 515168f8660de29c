//! Typed access to the members of a JSON object, with errors that name them.

use serde_json::{Map, Value};

use super::Error;
use crate::models::Timestamp;

/// An object somewhere in a body.
#[derive(Clone, Copy)]
pub(super) struct Members<'a> {
    object: &'a Map<String, Value>,
    path: &'a str,
}

impl<'a> Members<'a> {
    /// The members of `value`, which is found at `path`; empty for the body itself.
    pub(super) fn of(value: &'a Value, path: &'a str) -> Result<Self, Error> {
        let name = if path.is_empty() { "body" } else { path };
        let object = value
            .as_object()
            .ok_or_else(|| Error::invalid(name, "an object"))?;
        Ok(Self { object, path })
    }

    /// The path of a member.
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.object.iter()
    }

    /// A member that is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a Value, Error> {
        self.get(name)
            .ok_or_else(|| Error::Missing(self.path(name)))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Error> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let text = value.as_str();
        text.map(Some)
            .ok_or_else(|| Error::invalid(self.path(name), "a string"))
    }

    /// A string that is there and not empty.
    pub(super) fn required_text(&self, name: &str) -> Result<&'a str, Error> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| Error::Missing(self.path(name)))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Error> {
        let Some(value) = self.get(name) else {
            return Ok(false);
        };
        value
            .as_bool()
            .ok_or_else(|| Error::invalid(self.path(name), "a boolean"))
    }
}

pub(super) fn parse(body: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(body).map_err(Error::Json)
}

/// An RFC 3339 instant at `field`.
pub(super) fn parse_time(text: &str, field: &str) -> Result<Timestamp, Error> {
    let instant: Result<jiff::Timestamp, _> = text.parse();
    instant
        .map(Timestamp::from)
        .map_err(|_| Error::invalid(field, "an RFC 3339 instant"))
}
