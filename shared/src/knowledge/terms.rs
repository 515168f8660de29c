//! What a text is found by: its words, numbers such as `INV-2024-0042` as a whole, and pairs of
//! neighbours, of which phrases consist.

use std::collections::HashSet;

use icu_normalizer::ComposingNormalizerBorrowed;
use unicode_segmentation::UnicodeSegmentation;

/// What is longer is cut, so that no entry of an index is long.
const MAX_TERM_CHARS: usize = 64;

/// Terms of one text at most, pairs last. A chunk of 400 tokens has no more than 1,200.
const MAX_TERMS: usize = 2_000;

/// The terms of a text, each once: words first, then numbers as a whole, then pairs.
#[must_use]
pub fn terms(text: &str) -> Vec<String> {
    let words = words(text);
    let pairs = pairs(&words);
    let mut known = HashSet::new();
    let all = words.into_iter().chain(wholes(text)).chain(pairs);
    let mut distinct: Vec<_> = all.filter(|term| known.insert(term.clone())).collect();
    distinct.truncate(MAX_TERMS);
    distinct
}

/// The terms of a text for each of those who may find it. Firestore looks into one array in a query,
/// so that who may find it and what it is found by have to be in the same.
#[must_use]
pub fn keyed_terms(principals: &[String], text: &str) -> Vec<String> {
    let terms = terms(text);
    let principals = principals.iter();
    let keys = principals.flat_map(|principal| terms.iter().map(|term| key(principal, term)));
    keys.collect()
}

/// What a piece of a text is found by: its words, and those of the title that it has.
#[must_use]
pub fn titled_terms(principals: &[String], title: &str, text: &str) -> Vec<String> {
    keyed_terms(principals, &format!("{title}\n{text}"))
}

/// A term for somebody. A principal may have spaces, but no line breaks, and a term has none.
pub(super) fn key(principal: &str, term: &str) -> String {
    format!("{principal}\n{term}")
}

/// The words of a text in its order, as they are compared: without case, and without forms of
/// letters that mean the same (<https://www.unicode.org/reports/tr15/>,
/// <https://www.unicode.org/reports/tr29/#Word_Boundaries>).
pub(super) fn words(text: &str) -> Vec<String> {
    normalized(text).unicode_words().map(shortened).collect()
}

/// What consists of several words and is one all the same: numbers with hyphens or slashes, and
/// addresses.
pub(super) fn wholes(text: &str) -> Vec<String> {
    let text = normalized(text);
    let tokens = text.split_whitespace();
    let tokens = tokens.map(|token| token.trim_matches(|letter: char| !letter.is_alphanumeric()));
    let is_whole = |token: &&str| {
        let is_number = token
            .chars()
            .any(|letter| letter.is_numeric() || letter == '@');
        is_number && token.chars().count() <= MAX_TERM_CHARS && token.unicode_words().count() > 1
    };
    tokens.filter(is_whole).map(str::to_owned).collect()
}

/// Each word with the next.
pub(super) fn pairs(words: &[String]) -> Vec<String> {
    words.windows(2).map(|pair| pair.join(" ")).collect()
}

fn normalized(text: &str) -> String {
    let composed = ComposingNormalizerBorrowed::new_nfkc().normalize(text);
    composed.to_lowercase()
}

fn shortened(word: &str) -> String {
    word.chars().take(MAX_TERM_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_case_and_forms() {
        for (one, other) in [
            ("Größe", "GRÖSSE".replace("SS", "ß").as_str()),
            ("Cafe\u{301}", "café"),
            ("ﬁle", "FILE"),
            ("Ｔｏｋｙｏ", "tokyo"),
            ("don't", "Don't"),
        ] {
            assert_eq!(words(one), words(other), "{one}");
        }
        assert_eq!(words("東京都へ"), ["東", "京", "都", "へ"]);
        assert_eq!(words(" – ! "), [""; 0]);
    }

    #[test]
    fn a_number_is_found_as_a_whole_and_in_parts() {
        let terms = terms("Pay (INV-2024-0042), please.");
        assert_eq!(
            terms,
            [
                "pay",
                "inv",
                "2024",
                "0042",
                "please",
                "inv-2024-0042",
                "pay inv",
                "inv 2024",
                "2024 0042",
                "0042 please"
            ]
        );
        assert_eq!(
            wholes("to Ada@Example.com, well-known"),
            ["ada@example.com"]
        );
    }

    #[test]
    fn terms_are_distinct_and_bounded() {
        assert_eq!(terms("a b a b"), ["a", "b", "a b", "b a"]);
        let long: String = (0..3_000).map(|number| format!("w{number} ")).collect();
        assert_eq!(terms(&long).len(), MAX_TERMS);
        let word = "x".repeat(100);
        assert_eq!(terms(&word), ["x".repeat(MAX_TERM_CHARS)]);
    }

    /// A user whose id is another's with a word after it must not find what is the other's.
    #[test]
    fn nobody_is_taken_for_another_by_a_term() {
        let of = |principal: &str, text| keyed_terms(&[principal.to_owned()], text);
        let of_other = of("user:u secret", "plan");
        assert!(
            of("user:u", "secret plan")
                .iter()
                .all(|key| !of_other.contains(key))
        );
    }
}
