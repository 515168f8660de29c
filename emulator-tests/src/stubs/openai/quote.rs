//! An answer out of what a search has told, so that nothing but the search can have brought it.

use std::collections::BTreeSet;

use serde_json::Value;

/// Shorter words tell nothing of what is asked.
const MIN_LETTERS: usize = 4;

const NOTHING: &str = "Nothing that was found answers this.";

/// The sentence of the hits that shares most words with the question, with its number for citing.
pub(super) fn quote(question: &str, told: &str) -> String {
    let told: Value = serde_json::from_str(told).unwrap_or_default();
    let hits = told["data"]["hits"].as_array().into_iter().flatten();
    let sentences = hits.flat_map(|hit| {
        let text = hit["text"].as_str().unwrap_or_default();
        let cite = hit["cite"].as_str().unwrap_or_default();
        sentences(text).map(move |sentence| (sentence, cite))
    });
    let asked = words(question);
    // The question itself is among what was synced, once it came by mail.
    let others = sentences.filter(|(sentence, _)| !question.contains(sentence));
    let scored = others.map(|(sentence, cite)| {
        let shared = words(sentence).intersection(&asked).count();
        (shared, sentence, cite)
    });
    let mut best = (0, NOTHING, "");
    for found in scored {
        if found.0 > best.0 {
            best = found;
        }
    }
    let (_, sentence, cite) = best;
    format!("{sentence} {cite}").trim_end().to_owned()
}

fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let sentences = text.lines().flat_map(|line| line.split_inclusive(". "));
    let sentences = sentences.map(|sentence| sentence.trim());
    sentences.filter(|sentence| !sentence.is_empty() && !sentence.ends_with('?'))
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    let words = words.filter(|word| word.chars().count() >= MIN_LETTERS);
    words.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_sentence_that_fits_is_cited() {
        let told = json!({ "data": { "hits": [
            { "cite": "[1]", "text": "How long does delivery take?\nPlease tell me how long delivery may take." },
            { "cite": "[2]", "text": "Tea is sold here. Standard delivery takes three days." },
        ] } });
        let question = "How long does delivery take?\nPlease tell me how long delivery may take.";
        assert_eq!(
            quote(question, &told.to_string()),
            "Standard delivery takes three days. [2]"
        );
    }

    #[test]
    fn what_nothing_fits_has_no_citation() {
        let told = json!({ "data": { "hits": [{ "cite": "[1]", "text": "Tea is sold here." }] } });
        for told in [told.to_string(), "cut off".to_owned()] {
            assert_eq!(quote("Who repairs bicycles?", &told), NOTHING);
        }
    }
}
