use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::Error;
use crate::models::Timestamp;

/// How far another machine's clock may run ahead of ours, as in the Go Admin SDK
/// (<https://github.com/firebase/firebase-admin-go/blob/master/auth/token_verifier.go>).
const SKEW_SECS: i64 = 300;

/// Reads claims by type: one of another type is refused, not passed over.
pub(super) struct Payload<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Payload<'a> {
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&'a str>, Error> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::Claim(name)),
        }
    }

    pub(super) fn required_text(&self, name: &'static str) -> Result<&'a str, Error> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or(Error::Claim(name))
    }

    /// Requires one string: a list that holds it is not it.
    pub(super) fn require(&self, name: &'static str, allowed: &[&str]) -> Result<(), Error> {
        let text = self.required_text(name)?;
        let is_allowed = allowed.contains(&text);
        is_allowed.then_some(()).ok_or(Error::Claim(name))
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<bool, Error> {
        match self.0.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Error::Claim(name)),
        }
    }

    pub(super) fn object(&self, name: &'static str) -> Result<Option<Payload<'a>>, Error> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Payload(object))),
            Some(_) => Err(Error::Claim(name)),
        }
    }

    /// No leeway here: it would only prolong a token's life, and the client SDKs renew theirs five
    /// minutes before the end.
    pub(super) fn future_instant(
        &self,
        name: &'static str,
        now: jiff::Timestamp,
    ) -> Result<Timestamp, Error> {
        let instant = self.instant(name)?;
        if instant <= now {
            return Err(Error::Expired);
        }
        Ok(instant.into())
    }

    pub(super) fn past_instant(
        &self,
        name: &'static str,
        now: jiff::Timestamp,
    ) -> Result<Timestamp, Error> {
        let instant = self.instant(name)?;
        if instant.duration_since(now) > SignedDuration::from_secs(SKEW_SECS) {
            return Err(Error::Claim(name));
        }
        Ok(instant.into())
    }

    /// `nbf`, which Google does not issue but which must be heeded
    /// (<https://www.rfc-editor.org/rfc/rfc7519#section-4.1.5>).
    pub(super) fn require_begun(&self, now: jiff::Timestamp) -> Result<(), Error> {
        if self.0.contains_key("nbf") {
            self.past_instant("nbf", now)?;
        }
        Ok(())
    }

    /// Whole seconds since the epoch: Google issues no fractions.
    fn instant(&self, name: &'static str) -> Result<jiff::Timestamp, Error> {
        let seconds = self.0.get(name).and_then(Value::as_i64);
        seconds
            .filter(|seconds| *seconds >= 0)
            .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
            .ok_or(Error::Claim(name))
    }
}
