use std::fmt;

use jiff::{civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use shared::models::Timestamp;

/// How the ids of databases begin that a drill makes and deletes.
const PREFIX: &str = "drill-";

/// A database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Place {
    /// Its project.
    pub project: String,
    /// Its id.
    pub database: String,
}

/// Why a drill does not begin.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// It would restore into what it restores from.
    #[error("the target is the source")]
    SameDatabase,
    /// It would restore into a database that may be in use.
    #[error("a target in the source's project must have an id that begins with `{PREFIX}`")]
    SameProject,
    /// Documents that are written there would have effects outside.
    #[error("side effects are not off in the target: {}", .0.join(", "))]
    SideEffects(Vec<String>),
}

impl Place {
    /// A drill's database in a project: `drill-2026-q4`, one a quarter.
    #[must_use]
    pub fn of_drill(project: &str, now: Timestamp) -> Self {
        let day: Date = now.instant().to_zoned(TimeZone::UTC).date();
        let quarter = (day.month() - 1) / 3 + 1;
        Self {
            project: project.to_owned(),
            database: format!("{PREFIX}{}-q{quarter}", day.year()),
        }
    }

    /// Whether a drill may restore into it what comes from `source`.
    ///
    /// # Errors
    /// Returns why not.
    pub fn check_target_of(&self, source: &Self) -> Result<(), Refusal> {
        if self == source {
            return Err(Refusal::SameDatabase);
        }
        if self.project == source.project && !self.database.starts_with(PREFIX) {
            return Err(Refusal::SameProject);
        }
        Ok(())
    }

    /// Its resource name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("projects/{}/databases/{}", self.project, self.database)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(project: &str, database: &str) -> Place {
        Place {
            project: project.to_owned(),
            database: database.to_owned(),
        }
    }

    #[test]
    fn a_target_is_never_what_is_in_use() {
        let source = place("p", "(default)");
        let check = |target: Place| target.check_target_of(&source);
        assert_eq!(check(source.clone()), Err(Refusal::SameDatabase));
        assert_eq!(check(place("p", "copy")), Err(Refusal::SameProject));
        assert_eq!(check(place("p", "drill-2026-q4")), Ok(()));
        assert_eq!(check(place("staging", "drill-2026-q4")), Ok(()));
        let drilled = place("p", "drill-2026-q4");
        let same = drilled.check_target_of(&drilled);
        assert_eq!(same, Err(Refusal::SameDatabase));
    }

    #[test]
    fn a_quarter_has_one_database() {
        let of = |day: &str| {
            let instant: jiff::Timestamp = format!("{day}T06:00:00Z").parse().unwrap();
            Place::of_drill("staging", instant.into()).database
        };
        assert_eq!(of("2026-01-01"), "drill-2026-q1");
        assert_eq!(of("2026-03-31"), "drill-2026-q1");
        assert_eq!(of("2026-04-01"), "drill-2026-q2");
        assert_eq!(of("2026-12-31"), "drill-2026-q4");
    }
}
