//! Retrieval beside vectors alone, on texts that can be had and a model's own vectors:
//! `emulator-tests/recall` tells where both are from.

use std::sync::LazyLock;

use serde::Deserialize;
use shared::{
    ids::{IntegrationId, OrgId, RecordId, Uid},
    knowledge::{self, MAX_HITS, Search, keyed_terms, principals_of},
    models::{KnowledgeChunk, KnowledgeKind, KnowledgeSource, ORGANIZATION, Vector},
    store::Store,
    testing::{keep_chunks, memory_store},
};

const MODEL: &str = "all-MiniLM-L6-v2";

/// Numbers of one of the model's vectors. Zeros behind them change no angle.
const DIMENSION: usize = 384;

/// The hits that are looked at.
const HITS: usize = 10;

/// Where a code or quotation has to be.
const FIRST_HITS: usize = 3;

/// Chunks of one commit.
const BATCH: usize = 400;

macro_rules! fixture {
    ($read:ident, $name:literal) => {
        $read!(concat!("../fixtures/recall/", $name))
    };
}

static SET: LazyLock<Set> = LazyLock::new(|| Set {
    chunks: rows(
        fixture!(include_str, "chunks.jsonl"),
        fixture!(include_bytes, "chunks.i8"),
    ),
    queries: rows(
        fixture!(include_str, "queries.jsonl"),
        fixture!(include_bytes, "queries.i8"),
    ),
});

struct Set {
    chunks: Vec<(Text, Vector)>,
    queries: Vec<(Query, Vector)>,
}

#[derive(Deserialize)]
struct Text {
    document: String,
    text: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Question,
    Mail,
    Id,
    Phrase,
}

#[derive(Deserialize)]
struct Query {
    kind: Kind,
    query: String,
    /// What answers it.
    document: String,
}

/// Where the answer of each query is, from 0; none when it is not found.
struct Places(Vec<Option<usize>>);

/// The lines of a file with their vectors, in bytes of which the length means nothing.
fn rows<T: for<'de> Deserialize<'de>>(lines: &str, vectors: &[u8]) -> Vec<(T, Vector)> {
    let lines: Vec<T> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(vectors.len(), lines.len() * DIMENSION);
    let vectors = vectors.chunks(DIMENSION).map(|bytes| {
        let mut numbers: Vec<f32> = bytes.iter().map(|byte| byte.cast_signed().into()).collect();
        numbers.resize(Vector::INDEXED_DIMENSION as usize, 0.0);
        Vector::from(numbers)
    });
    lines.into_iter().zip(vectors).collect()
}

fn queries(kind: Kind) -> impl Iterator<Item = &'static (Query, Vector)> {
    let queries = SET.queries.iter();
    queries.filter(move |(query, _)| query.kind == kind)
}

fn org_id() -> OrgId {
    OrgId::parse("o1").unwrap()
}

async fn indexed() -> Store {
    let (store, _) = memory_store();
    let chunks = (0..).zip(&SET.chunks);
    let chunks = chunks.map(|(ordinal, (text, vector))| {
        let principals = vec![ORGANIZATION.to_owned()];
        KnowledgeChunk {
            id: RecordId::derive(&[&ordinal.to_string()]),
            document_id: RecordId::derive(&[&text.document]),
            ordinal,
            source: KnowledgeSource {
                kind: KnowledgeKind::Drive,
                id: text.document.clone(),
                title: String::new(),
                link: None,
                date: None,
            },
            integration_id: IntegrationId::parse("i1").unwrap(),
            owner_uid: Uid::parse("u1").unwrap(),
            text: text.text.clone(),
            terms: keyed_terms(&principals, &text.text),
            embedding: vector.clone(),
            embedding_model: MODEL.to_owned(),
            dimension: Vector::INDEXED_DIMENSION,
            revision: "1".to_owned(),
            content_hash: String::new(),
            principals,
        }
    });
    let chunks: Vec<_> = chunks.collect();
    for chunks in chunks.chunks(BATCH) {
        keep_chunks(&store, &org_id(), chunks).await;
    }
    store
}

/// Where the answers are among what is found by words and by meaning.
async fn by_both(store: &Store, kind: Kind) -> Places {
    let mut places = Vec::new();
    for (query, vector) in queries(kind) {
        let search = Search {
            principals: principals_of(None),
            query: query.query.clone(),
            limit: MAX_HITS,
            integration_id: None,
        };
        let found = knowledge::find(store, &org_id(), &search, MODEL, vector.clone()).await;
        let found = found.unwrap().into_iter();
        let mut documents = found.map(|hit| hit.source.id);
        places.push(documents.position(|id| id == query.document));
    }
    Places(places)
}

/// Where the answers are among all chunks by the cosine, without a limit to how far they may be.
fn by_meaning(kind: Kind) -> Places {
    let places = queries(kind).map(|(query, vector)| {
        let mut chunks: Vec<_> = SET
            .chunks
            .iter()
            .map(|(text, other)| (cosine(vector, other), text))
            .collect();
        chunks.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let mut chunks = chunks.into_iter().take(MAX_HITS as usize);
        chunks.position(|(_, text)| text.document == query.document)
    });
    Places(places.collect())
}

fn cosine(one: &Vector, other: &Vector) -> f32 {
    let product = |one: &Vector, other: &Vector| -> f32 {
        let numbers = one.as_slice()[..DIMENSION].iter().zip(other.as_slice());
        numbers.map(|(one, other)| one * other).sum()
    };
    product(one, other) / (product(one, one) * product(other, other)).sqrt()
}

impl Places {
    /// How many answers are among so many hits.
    fn within(&self, hits: usize) -> usize {
        let found = self.0.iter().flatten();
        found.filter(|place| **place < hits).count()
    }

    #[expect(
        clippy::print_stdout,
        reason = "the figures are what the test is run for"
    )]
    fn print(&self, what: &str) {
        let [first, few, ten] = [1, FIRST_HITS, HITS].map(|hits| self.within(hits));
        let all = self.0.len();
        println!("{what}: of {all}, {first} first, {few} within 3, {ten} within 10");
    }
}

/// The two kinds of query that one could ask in words of one's own.
#[tokio::test]
async fn words_and_meaning_find_no_fewer_answers_than_meaning_alone() {
    let store = indexed().await;
    for (kind, floor) in [(Kind::Question, 195), (Kind::Mail, 22)] {
        let (both, meaning) = (by_both(&store, kind).await, by_meaning(kind));
        both.print(&format!("{kind:?}, words and meaning"));
        meaning.print(&format!("{kind:?}, meaning"));
        let (both, meaning) = (both.within(HITS), meaning.within(HITS));
        assert!(both >= meaning, "{kind:?}: {both} and {meaning}");
        assert!(both >= floor, "{kind:?}: {both}");
    }
}

#[tokio::test]
async fn codes_and_quotations_are_among_the_first_hits() {
    let store = indexed().await;
    for kind in [Kind::Id, Kind::Phrase] {
        let (both, meaning) = (by_both(&store, kind).await, by_meaning(kind));
        both.print(&format!("{kind:?}, words and meaning"));
        meaning.print(&format!("{kind:?}, meaning"));
        assert_eq!(both.within(FIRST_HITS), queries(kind).count(), "{kind:?}");
    }
}
