use std::{collections::HashSet, ops::RangeInclusive};

use serde_json::json;

use crate::{
    graph::{
        fields::Fields,
        handle,
        schema::{self, Settings},
    },
    inputs::Condition,
};

const CASES: RangeInclusive<usize> = 1..=50;
const MAX_HANDLE_LENGTH: usize = 64;

/// Handles that every switch has or may have.
const TAKEN: [&str; 2] = [handle::DEFAULT, handle::ERROR];

/// Settings of a switch.
#[derive(Clone, Debug)]
pub struct SwitchData {
    /// The first that holds is followed; if none does, the handle `default`.
    pub cases: Vec<SwitchCase>,
}

/// One way out of a switch.
#[derive(Clone, Debug)]
pub struct SwitchCase {
    /// Unique in the switch.
    pub handle: String,
    /// Chooses the case.
    pub when: Condition,
}

impl SwitchData {
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let mut seen = HashSet::new();
        let cases = fields.objects("cases", CASES, |fields| {
            let handle: Option<String> = fields.required("handle");
            let problem = handle.as_deref().and_then(|handle| refusal(handle, &seen));
            if let Some(problem) = problem {
                fields.refuse("handle", problem);
            }
            seen.extend(handle.clone());
            let when = fields.condition("when");
            Some(SwitchCase {
                handle: handle?,
                when: when?,
            })
        })?;
        Some(Self { cases })
    }

    pub(super) fn schema() -> Settings {
        let handle = json!({
            "type": "string",
            "pattern": "^[A-Za-z0-9_-]{1,64}$",
            "not": { "enum": TAKEN },
            "description": "The handle of the case, unique in the switch.",
        });
        let case = Settings::new("Case", "One way out of the switch.")
            .required("handle", handle)
            .required("when", schema::condition("Chooses the case if it holds."));
        let about = "The first that holds is followed; if none does, the handle `default`.";
        Settings::new("Switch", "Chooses one of several branches.")
            .required("cases", schema::list(case, CASES, about))
    }
}

fn refusal(handle: &str, seen: &HashSet<String>) -> Option<&'static str> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if handle.is_empty() || handle.len() > MAX_HANDLE_LENGTH || !handle.chars().all(is_allowed) {
        return Some("must be 1 to 64 of A-Z a-z 0-9 _ -");
    }
    if TAKEN.contains(&handle) {
        return Some("must not be `default` or `error`");
    }
    seen.contains(handle)
        .then_some("another case has this handle")
}
