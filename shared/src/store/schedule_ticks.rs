//! `schedule_ticks`: how far the schedules have been looked at.

use super::{DocumentPath, Error, Store, Versioned, Write, document_db::Precondition};
use crate::models::{ScheduleTick, SystemPrincipal, Timestamp};

impl Store {
    /// How far the schedules of all organizations have been looked at; none before the first time.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn find_schedule_tick(
        &self,
        _caller: &SystemPrincipal,
    ) -> Result<Option<Versioned<ScheduleTick>>, Error> {
        self.load(&path()).await
    }
}

/// Keeps how far it is, if nobody has since `version`; for the first time without one.
///
/// # Errors
/// Returns [`Error::Malformed`] for a model that Firestore cannot hold.
pub fn set(tick: &ScheduleTick, version: Option<Timestamp>) -> Result<Write, Error> {
    let precondition = version.map_or(Precondition::Absent, Precondition::Version);
    super::write(path(), tick, precondition)
}

fn path() -> DocumentPath {
    DocumentPath::new("schedule_ticks", "last")
}
