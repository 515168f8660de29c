use std::fmt;

use serde::{Deserialize, Serialize};

/// An instant with the precision that Firestore keeps: microseconds.
///
/// It is a Firestore timestamp in a document and RFC 3339 text in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
// The `firestore` crate's serializer knows a timestamp by the name of its newtype
// (`FIRESTORE_TS_TYPE_TAG_TYPE` in its source).
#[serde(rename = "FirestoreTimestamp", from = "jiff::Timestamp")]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// The instant as a `jiff` timestamp, for arithmetic.
    #[must_use]
    pub fn instant(self) -> jiff::Timestamp {
        self.0
    }

    /// The second in which this instant lies.
    #[must_use]
    pub fn whole_seconds(self) -> Self {
        Self(jiff::Timestamp::from_second(self.0.as_second()).unwrap_or(self.0))
    }

    /// This instant moved by a number of seconds, which may be negative; the last representable
    /// instant when the sum is out of range.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        let moved = self.0.checked_add(jiff::SignedDuration::from_secs(seconds));
        Self(moved.unwrap_or(jiff::Timestamp::MAX))
    }

    /// This instant moved on by a duration; the last representable instant when the sum is out of
    /// range.
    #[must_use]
    pub fn plus(self, duration: std::time::Duration) -> Self {
        Self::from(self.0.checked_add(duration).unwrap_or(jiff::Timestamp::MAX))
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(instant: jiff::Timestamp) -> Self {
        let micros = jiff::Timestamp::from_microsecond(instant.as_microsecond());
        Self(micros.unwrap_or(instant))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
