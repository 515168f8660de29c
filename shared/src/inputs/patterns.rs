use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use cel::ExecutionError;
use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

use super::meter::Meter;

/// Matching is linear in the text, at worst times the states of the pattern: both are bounded, and
/// their product is paid for.
const MAX_PATTERN_BYTES: usize = 512 * 1024;
const MAX_TEXT_BYTES: usize = 32 * 1024;
const FUEL_PER_PATTERN: u64 = 10_000;
const MIN_FUEL_PER_BYTE: u64 = 2;
/// So many states are followed for one unit.
const STATES_PER_UNIT: u64 = 8;
/// A character of a class is up to four bytes, and so are its states.
const STATES_OF_A_CLASS: u64 = 4;

/// The regular expressions of one evaluation, each compiled and paid for once.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    compiled: Mutex<HashMap<String, Option<Pattern>>>,
}

#[derive(Debug)]
struct Pattern {
    regex: Regex,
    fuel_per_byte: u64,
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
        let Some(pattern) = compiled.get(pattern).and_then(Option::as_ref) else {
            return Ok(Err("the pattern is malformed or too large"));
        };
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        meter.spend(bytes.saturating_mul(pattern.fuel_per_byte))?;
        Ok(Ok(pattern.regex.is_match(text)))
    }
}

fn compile(pattern: &str) -> Option<Pattern> {
    let regex = RegexBuilder::new(pattern)
        .size_limit(MAX_PATTERN_BYTES)
        .dfa_size_limit(MAX_PATTERN_BYTES)
        .build()
        .ok()?;
    let states = states(&regex_syntax::parse(pattern).ok()?);
    Some(Pattern {
        regex,
        fuel_per_byte: MIN_FUEL_PER_BYTE.max(states / STATES_PER_UNIT),
    })
}

/// How many states may have to be followed at once: repetitions count as often as they are made.
fn states(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => u64::try_from(literal.0.len()).unwrap_or(u64::MAX),
        HirKind::Class(_) => STATES_OF_A_CLASS,
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min.saturating_add(1));
            states(&repetition.sub).saturating_mul(times.max(1).into())
        }
        HirKind::Capture(capture) => states(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(states).fold(0, u64::saturating_add)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_has_to_be_followed_in_many_places_is_dear() {
        let search = |pattern: &str, bytes: usize| {
            let text = "a".repeat(bytes);
            Patterns::default().is_match(&text, pattern, &Meter::full())
        };
        for bomb in ["a*a{900}b", "(a|aa){300}b", "(a*){400}b", "a*(a{20}){30}b"] {
            let result = search(bomb, MAX_TEXT_BYTES);
            assert!(!matches!(result, Ok(Ok(_))), "{bomb}");
        }
        for harmless in ["^a+$", r"\w+@\w+\.com", "a{2,5}b|c", r"(?i)\bhello\b"] {
            let result = search(harmless, MAX_TEXT_BYTES);
            assert!(matches!(result, Ok(Ok(_))), "{harmless}");
        }
    }
}
