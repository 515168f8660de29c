//! One call that brings an account nearer to what is needed.

use serde_json::{Value, json};

/// A call of Stripe's API that makes or changes one object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) path: String,
    pub(crate) form: Value,
}

/// Whether something is as it is needed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Right,
    /// It is not, and this mends it.
    Mend(Change),
    /// It is not, and this is what somebody has to do.
    Ask(&'static str),
}

/// One thing that is needed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) needed: String,
    pub(crate) found: String,
    pub(crate) verdict: Verdict,
}

impl Change {
    pub(crate) fn new(path: impl Into<String>, form: Value) -> Self {
        let path = path.into();
        Self { path, form }
    }

    /// Has an object be out of use.
    pub(crate) fn retire(path: String) -> Self {
        Self::new(path, json!({ "active": false }))
    }
}

impl Row {
    /// What is not there, and how it is made.
    pub(crate) fn missing(name: String, needed: String, change: Change) -> Self {
        Self {
            name,
            needed,
            found: "nothing".to_owned(),
            verdict: Verdict::Mend(change),
        }
    }

    /// What is there, and how it is mended if it is another.
    pub(crate) fn compared(name: String, needed: String, found: String, mend: Verdict) -> Self {
        let verdict = match needed == found {
            true => Verdict::Right,
            false => mend,
        };
        Self {
            name,
            needed,
            found,
            verdict,
        }
    }

    pub(crate) fn is_right(&self) -> bool {
        self.verdict == Verdict::Right
    }

    pub(crate) fn change(&self) -> Option<&Change> {
        match &self.verdict {
            Verdict::Mend(change) => Some(change),
            Verdict::Right | Verdict::Ask(_) => None,
        }
    }
}
