//! The list by words: how often each term is there tells what it is worth, and the rarest ones bring
//! what is compared.

use futures::{future::try_join_all, try_join};

use super::{
    MAX_PRINCIPALS, Scope,
    query::{MAX_TERMS, Sought},
    terms::key,
};
use crate::{
    models::KnowledgeChunk,
    store::{Error, Store},
};

/// So many are counted at most: 1,000 entries of an index cost one read
/// (<https://firebase.google.com/docs/firestore/pricing#aggregation_queries>).
const MAX_COUNT: u32 = 1_000;

/// Chunks that are compared at most.
const MAX_COMPARED: u32 = 60;

/// Chunks that one term brings at most for one principal, unless it is of a phrase.
const MAX_OF_TERM: u32 = 20;

/// With fewer chunks, a word that half of them have may still tell something.
const TINY: u32 = 20;

/// Documents that are read at most, a count taken as one.
pub(super) const MAX_READS: usize = MAX_PRINCIPALS * (MAX_TERMS + 1) + MAX_COMPARED as usize;

/// A term that is looked for.
struct Term<'a> {
    text: &'a str,
    /// How many chunks have it, for each principal.
    counts: Vec<u32>,
}

/// What one query brings.
struct Ask {
    key: String,
    limit: u32,
}

/// What was found by words, and what they are worth.
pub(super) struct ByWords<'a> {
    /// The chunks that share the most telling terms of the query.
    pub(super) chunks: Vec<KnowledgeChunk>,
    /// The telling terms with their weights.
    weights: Vec<(&'a str, f64)>,
}

/// Finds the chunks that share the most telling terms of the query.
pub(super) async fn find<'a>(
    store: &Store,
    scope: &Scope<'_>,
    sought: &'a Sought,
) -> Result<ByWords<'a>, Error> {
    let (total, terms) = try_join!(count_all(store, scope), count(store, scope, sought))?;
    let asked = plan(scope, sought, &terms, total);
    let asked = asked
        .iter()
        .map(|Ask { key, limit }| store.list_chunks_with_term(scope.org_id, key, *limit));
    let chunks = try_join_all(asked).await?.into_iter().flatten().collect();
    let telling = terms.iter().filter(|term| term.is_telling(total));
    let weights = telling.map(|term| (term.text, term.weight(total)));
    Ok(ByWords {
        chunks,
        weights: weights.collect(),
    })
}

impl ByWords<'_> {
    /// The share of the query's telling terms that the chunk has, by weight.
    pub(super) fn share(&self, scope: &Scope<'_>, chunk: &KnowledgeChunk) -> f64 {
        let all: f64 = self.weights.iter().map(|(_, weight)| weight).sum();
        let there = self
            .weights
            .iter()
            .filter(|(term, _)| has(scope, chunk, term));
        let there: f64 = there.map(|(_, weight)| weight).sum();
        if all > 0.0 { there / all } else { 0.0 }
    }

    /// Whether the chunk has all telling terms, or all numbers or phrases of the query as they are.
    pub(super) fn is_exact(
        &self,
        scope: &Scope<'_>,
        sought: &Sought,
        chunk: &KnowledgeChunk,
    ) -> bool {
        let mut weights = self.weights.iter();
        let has_terms =
            !self.weights.is_empty() && weights.all(|(term, _)| has(scope, chunk, term));
        let mut wholes = sought.wholes.iter();
        let has_wholes = !sought.wholes.is_empty() && wholes.all(|whole| has(scope, chunk, whole));
        let has_phrases =
            !sought.phrases.is_empty() && sought.is_met_by(&[&chunk.source.title, &chunk.text]);
        has_terms || has_wholes || has_phrases
    }
}

async fn count_all(store: &Store, scope: &Scope<'_>) -> Result<u32, Error> {
    let principals = scope.principals.iter();
    let counts = principals.map(|principal| store.count_chunks(scope.org_id, principal, MAX_COUNT));
    Ok(try_join_all(counts).await?.into_iter().sum())
}

async fn count<'a>(
    store: &Store,
    scope: &Scope<'_>,
    sought: &'a Sought,
) -> Result<Vec<Term<'a>>, Error> {
    let terms = sought.terms.iter().map(|text| async move {
        let counts = scope.principals.iter().map(|principal| async move {
            let key = key(principal, text);
            let count = store.count_chunks_with_term(scope.org_id, &key, MAX_COUNT);
            count.await
        });
        let counts = try_join_all(counts).await?;
        Ok(Term { text, counts })
    });
    try_join_all(terms).await
}

/// The rarest terms first, as long as there is room. What has a phrase has the rarest term of it, which
/// is asked for before the others, or alone where the query is nothing but phrases.
fn plan(scope: &Scope<'_>, sought: &Sought, terms: &[Term<'_>], total: u32) -> Vec<Ask> {
    let mut telling: Vec<&Term<'_>> = terms.iter().filter(|term| term.is_telling(total)).collect();
    telling.sort_by_key(|term| term.count());
    let telling = telling.into_iter().map(|term| (term, MAX_OF_TERM));
    let of_phrases = sought.phrases.iter().flat_map(|phrase| &phrase.terms);
    let of_phrases = of_phrases.filter_map(|text| terms.iter().find(|term| term.text == text));
    let rarest = of_phrases.min_by_key(|term| term.count());
    let asked: Vec<_> = match (rarest, sought.is_quotation()) {
        (Some(rarest), true) => vec![(rarest, MAX_COMPARED)],
        (Some(rarest), false) => {
            let others = telling.filter(|(term, _)| term.text != rarest.text);
            [(rarest, MAX_COMPARED / 2)]
                .into_iter()
                .chain(others)
                .collect()
        }
        (None, _) => telling.collect(),
    };
    let (mut asks, mut left) = (Vec::new(), MAX_COMPARED);
    for (term, most) in asked {
        for (principal, count) in scope.principals.iter().zip(&term.counts) {
            let limit = most.min(*count).min(left);
            if limit > 0 {
                let key = key(principal, term.text);
                asks.push(Ask { key, limit });
                left -= limit;
            }
        }
    }
    asks
}

fn has(scope: &Scope<'_>, chunk: &KnowledgeChunk, term: &str) -> bool {
    let mut principals = scope.principals.iter();
    principals.any(|principal| chunk.terms.contains(&key(principal, term)))
}

impl Term<'_> {
    fn count(&self) -> u32 {
        self.counts.iter().sum()
    }

    fn is_telling(&self, total: u32) -> bool {
        total < TINY || self.count() <= total / 2
    }

    /// The inverse document frequency of BM25, which is above zero for every count
    /// (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009, with Lucene's one more).
    fn weight(&self, total: u32) -> f64 {
        let (count, total) = (f64::from(self.count()), f64::from(total));
        let others = (total - count).max(0.0);
        (1.0 + (others + 0.5) / (count + 0.5)).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(text: &str, counts: [u32; 2]) -> Term<'_> {
        let counts = counts.to_vec();
        Term { text, counts }
    }

    fn asked(query: &str, terms: &[Term<'_>], total: u32) -> Vec<(String, u32)> {
        let principals = ["o".to_owned(), "u".to_owned()];
        let org_id = crate::ids::OrgId::derive(&["o"]);
        let scope = Scope {
            org_id: &org_id,
            principals: &principals,
            integration_id: None,
            embedding_model: "m",
        };
        let asks = plan(&scope, &Sought::parse(query), terms, total).into_iter();
        asks.map(|ask| (ask.key.replace('\n', " "), ask.limit))
            .collect()
    }

    #[test]
    fn the_rarest_terms_are_asked_for_within_a_bound() {
        let terms = [
            term("the", [900, 90]),
            term("tea", [30, 30]),
            term("oolong", [0, 2]),
            term("green", [500, 1]),
            term("cup", [25, 30]),
        ];
        let asked = asked("the tea oolong green cup", &terms, 1_000);
        let expected = [("u oolong", 2), ("o cup", 20), ("u cup", 20), ("o tea", 18)];
        assert_eq!(asked, expected.map(|(key, limit)| (key.to_owned(), limit)));
    }

    #[test]
    fn of_a_phrase_its_rarest_term_is_asked_for() {
        let terms = [
            term("green tea", [70, 0]),
            term("tea cup", [90, 0]),
            term("oolong", [1, 0]),
        ];
        let alone = asked(r#""green tea cup""#, &terms, 1_000);
        assert_eq!(alone, [("o green tea".to_owned(), 60)]);
        let beside = asked(r#"oolong "green tea cup""#, &terms, 1_000);
        let expected = [("o green tea", 30), ("o oolong", 1), ("o tea cup", 20)];
        assert_eq!(beside, expected.map(|(key, limit)| (key.to_owned(), limit)));
        let missing = [term("green tea", [0, 0]), term("tea cup", [9, 0])];
        assert_eq!(asked(r#""green tea cup""#, &missing, 1_000), []);
    }

    #[test]
    fn what_is_rare_weighs_more() {
        let weights = [1, 10, 100, 1_000].map(|count| term("x", [count, 0]).weight(1_000));
        assert!(weights.is_sorted_by(|one, next| one > next), "{weights:?}");
        assert!(weights[3] > 0.0);
    }
}
