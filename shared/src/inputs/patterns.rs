use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use cel::ExecutionError;
use regex::{Regex, RegexBuilder};

use super::meter::Meter;

/// Matching is linear in the text, at worst times the size of the pattern: both are bounded.
const MAX_PATTERN_BYTES: usize = 64 * 1024;
const MAX_TEXT_BYTES: usize = 32 * 1024;
const FUEL_PER_PATTERN: u64 = 10_000;
const FUEL_PER_BYTE: u64 = 2;

/// The regular expressions of one evaluation, each compiled and paid for once.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    compiled: Mutex<HashMap<String, Option<Regex>>>,
}

impl Patterns {
    /// Whether the pattern is found in the text; the inner error says why it cannot be told.
    pub(super) fn is_match(
        &self,
        text: &str,
        pattern: &str,
        meter: &Meter,
    ) -> Result<Result<bool, &'static str>, ExecutionError> {
        if text.len() > MAX_TEXT_BYTES {
            return Ok(Err("the text is longer than 32 KiB"));
        }
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if !compiled.contains_key(pattern) {
            meter.spend(FUEL_PER_PATTERN)?;
            compiled.insert(pattern.to_owned(), compile(pattern));
        }
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        meter.spend(bytes.saturating_mul(FUEL_PER_BYTE))?;
        let regex = compiled.get(pattern).and_then(Option::as_ref);
        Ok(regex
            .map(|regex| regex.is_match(text))
            .ok_or("the pattern is malformed or too large"))
    }
}

fn compile(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_PATTERN_BYTES)
        .dfa_size_limit(MAX_PATTERN_BYTES)
        .build()
        .ok()
}
