//! Places in a listing that is ordered by time, as text.

use super::document_db::{Value, ValueType, to_wire_time, value};
use crate::{ids::RecordId, models::Timestamp};

/// The place of the document `id` that has the time `at`.
pub(super) fn format(at: Timestamp, id: &str) -> String {
    format!("{}_{id}", at.instant().as_microsecond())
}

/// Whether this is a place in a listing that is ordered by time.
#[must_use]
pub fn is_position(text: &str) -> bool {
    parse(text).is_some()
}

/// The place as a query goes on from it; none for a text that [`format`] does not make.
pub(super) fn parse(text: &str) -> Option<(Option<Value>, String)> {
    let (micros, id) = text.split_once('_')?;
    let instant = jiff::Timestamp::from_microsecond(micros.parse().ok()?).ok()?;
    let at = ValueType::TimestampValue(to_wire_time(Timestamp::from(instant)));
    let id = RecordId::parse(id).ok()?;
    Some((Some(value(at)), id.to_string()))
}
