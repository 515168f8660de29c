//! What a query asks for: words, and phrases in quotes that are found as they are.

use std::{cmp::Reverse, collections::HashSet};

use super::terms::{pairs, wholes, words};

/// Terms that are looked for at most: the most telling ones of a long query.
pub(super) const MAX_TERMS: usize = 16;

/// Phrases at most; others are looked for as words.
const MAX_PHRASES: usize = 4;

/// Of a phrase, so many terms are looked for.
const MAX_TERMS_OF_PHRASE: usize = 3;

const QUOTES: [char; 6] = ['"', '“', '”', '„', '«', '»'];

/// A query that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sought {
    /// What is looked for, each once.
    pub(super) terms: Vec<String>,
    /// Numbers and addresses that are several words and one.
    pub(super) wholes: Vec<String>,
    /// What was put in quotes.
    pub(super) phrases: Vec<Phrase>,
    /// Whether there is anything beside them.
    has_more: bool,
}

/// Words that have to follow each other.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Phrase {
    words: Vec<String>,
    /// Those of the terms that whatever has the phrase has as well.
    pub(super) terms: Vec<String>,
}

impl Sought {
    pub(super) fn parse(query: &str) -> Self {
        let phrases = quoted(query).into_iter().filter_map(Phrase::of);
        let phrases: Vec<_> = phrases.take(MAX_PHRASES).collect();
        let of_phrases = phrases.iter().flat_map(|phrase| phrase.terms.clone());
        let (words, wholes) = (words(query), wholes(query));
        let all = of_phrases
            .chain(wholes.clone())
            .chain(longest_first(words.clone()))
            .chain(pairs(&words));
        let mut known = HashSet::new();
        let distinct = all.filter(|term| known.insert(term.clone()));
        let quoted: usize = phrases.iter().map(|phrase| phrase.words.len()).sum();
        Self {
            terms: distinct.take(MAX_TERMS).collect(),
            wholes,
            has_more: quoted < words.len(),
            phrases,
        }
    }

    /// Whether the query is nothing but phrases, which then have to be there: beside other words they
    /// may be a name, or an emphasis.
    pub(super) fn is_quotation(&self) -> bool {
        !self.phrases.is_empty() && !self.has_more
    }

    /// Whether all phrases are in one of the texts.
    pub(super) fn is_met_by(&self, texts: &[&str]) -> bool {
        if self.phrases.is_empty() {
            return true;
        }
        let texts: Vec<_> = texts.iter().map(|text| words(text)).collect();
        self.phrases.iter().all(|phrase| {
            let mut texts = texts.iter();
            texts.any(|text| phrase.is_in(text))
        })
    }
}

impl Phrase {
    fn of(text: &str) -> Option<Self> {
        let words = words(text);
        let terms = match words.as_slice() {
            [] => return None,
            [word] => vec![word.clone()],
            words => longest_first(pairs(words)),
        };
        let terms = terms.into_iter().take(MAX_TERMS_OF_PHRASE).collect();
        Some(Self { words, terms })
    }

    fn is_in(&self, text: &[String]) -> bool {
        text.windows(self.words.len())
            .any(|words| words == self.words)
    }
}

/// What is in quotes. A quote after a letter or number begins none: `5" x 3"`.
fn quoted(text: &str) -> Vec<&str> {
    let (mut found, mut rest, mut before) = (Vec::new(), text, None);
    while let Some(start) = rest.find(QUOTES) {
        let (head, tail) = rest.split_at(start);
        let tail = tail.trim_start_matches(QUOTES);
        let begins = head
            .chars()
            .last()
            .or(before)
            .is_none_or(|letter: char| !letter.is_alphanumeric());
        match tail.find(QUOTES) {
            Some(end) if begins => {
                let (phrase, tail) = tail.split_at(end);
                found.push(phrase);
                rest = tail.trim_start_matches(QUOTES);
            }
            _ => rest = tail,
        }
        before = None;
    }
    found
}

/// Long words are rarer than short ones.
fn longest_first(mut words: Vec<String>) -> Vec<String> {
    words.sort_by_key(|word| Reverse(word.chars().count()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_what_is_in_quotes() {
        for (query, phrases) in [
            (r#"say "annual report" now"#, &["annual report"][..]),
            (
                "„Guten Tag“ «bon jour» “good day”",
                &["Guten Tag", "bon jour", "good day"],
            ),
            (r#""a" "b""#, &["a", "b"]),
            (r#"a pipe of 5" x 3" size"#, &[]),
            (r#"not "closed"#, &[]),
            ("", &[]),
        ] {
            assert_eq!(quoted(query), phrases, "{query}");
        }
    }

    #[test]
    fn a_long_query_is_looked_for_by_its_most_telling_terms() {
        let filler: String = (10..99).map(|number| format!("w{number} ")).collect();
        let query = format!(r#"{filler} extraordinary INV-2024-0042 "green tea""#);
        let sought = Sought::parse(&query);
        assert_eq!(sought.terms.len(), MAX_TERMS);
        assert_eq!(
            sought.terms[..3],
            ["green tea", "inv-2024-0042", "extraordinary"]
        );
    }

    #[test]
    fn a_phrase_is_met_by_words_that_follow_each_other() {
        let sought = Sought::parse(r#""Green tea""#);
        assert!(sought.is_met_by(&["", "She drinks green, tea."]));
        assert!(!sought.is_met_by(&["tea green", "green", "tea"]));
        assert!(Sought::parse("green tea").is_met_by(&[]));
        assert!(Sought::parse(r#""" "!""#).is_met_by(&[]));
    }
}
