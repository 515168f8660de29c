//! Secrets that must show nowhere, and the search for them in whatever a service logs, answers,
//! sends or keeps: as they are, and in every form that they take on the way.

mod forms;
mod log;

use std::{collections::BTreeSet, fmt};

use aho_corasick::AhoCorasick;
use anyhow::Result;

pub use forms::Form;
pub use log::Log;

/// Bytes that are shown around a find.
const AROUND: usize = 80;

/// A secret that goes into a service.
#[derive(Clone, Debug)]
pub struct Canary {
    /// What it is: `refresh token`.
    pub name: &'static str,
    /// Its bytes.
    pub value: Vec<u8>,
}

/// Where a canary may be all the same, and nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Home {
    /// Its name.
    pub canary: &'static str,
    /// What the place's name begins with; `*` is any id.
    pub place: &'static str,
}

/// A canary that was found where it must not be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Find {
    /// Its name.
    pub canary: &'static str,
    /// The form that it had.
    pub form: Form,
    /// Where it was.
    pub place: String,
    /// What was around it.
    pub around: String,
}

/// Looks for canaries.
pub struct Scanner {
    search: AhoCorasick,
    /// For each pattern, whose it is and in what form.
    patterns: Vec<(&'static str, Form)>,
    homes: Vec<Home>,
}

impl Canary {
    /// A text that is one.
    #[must_use]
    pub fn text(name: &'static str, value: &str) -> Self {
        Self {
            name,
            value: value.as_bytes().to_vec(),
        }
    }
}

impl Scanner {
    /// Looks for these canaries, except at home.
    ///
    /// # Errors
    /// When there are too many of them.
    pub fn new(canaries: &[Canary], homes: &[Home]) -> Result<Self> {
        let (mut needles, mut patterns) = (Vec::new(), Vec::new());
        for canary in canaries {
            for (form, needle) in forms::of(&canary.value) {
                needles.push(needle);
                patterns.push((canary.name, form));
            }
        }
        Ok(Self {
            search: AhoCorasick::new(needles)?,
            patterns,
            homes: homes.to_vec(),
        })
    }

    /// What there is at a place that should not be: each canary once in each form.
    #[must_use]
    pub fn look(&self, place: &str, content: &[u8]) -> Vec<Find> {
        let mut seen = BTreeSet::new();
        let mut finds = Vec::new();
        for hit in self.search.find_overlapping_iter(content) {
            let Some(&(canary, form)) = self.patterns.get(hit.pattern().as_usize()) else {
                continue;
            };
            if self.is_home(canary, place) || !seen.insert((canary, form)) {
                continue;
            }
            let start = hit.start().saturating_sub(AROUND);
            let end = (hit.end() + AROUND).min(content.len());
            let around = content.get(start..end).unwrap_or_default();
            finds.push(Find {
                canary,
                form,
                place: place.to_owned(),
                around: String::from_utf8_lossy(around).into_owned(),
            });
        }
        finds
    }

    fn is_home(&self, canary: &str, place: &str) -> bool {
        let mut homes = self.homes.iter();
        homes.any(|home| home.canary == canary && begins(place, home.place))
    }
}

fn begins(place: &str, with: &str) -> bool {
    let Some((before, after)) = with.split_once("*/") else {
        return place.starts_with(with);
    };
    let rest = place.strip_prefix(before);
    rest.and_then(|rest| rest.split_once('/'))
        .is_some_and(|(_, rest)| begins(rest, after))
}

impl fmt::Display for Find {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            canary,
            form,
            place,
            around,
        } = self;
        write!(f, "the {canary} as {form:?} in {place}: …{around}…")
    }
}

#[cfg(test)]
mod tests;
