//! No search finds what another organization's agents remember, or what they remember of others.

use std::sync::Arc;

use rand::{Rng, SeedableRng, rngs::StdRng};
use shared::{
    ids::{AgentId, OrgId, RecordId, Uid},
    models::{Memory, Vector},
    store::{
        Store,
        document_db::DocumentDb,
        memories::{self, MemorySearch},
    },
    testing::{MemoryDb, bag_of_words},
};

use crate::{
    document_db::{connect, start_firestore},
    models::samples,
};

const QUERIES: usize = 1_000;
const MODEL: &str = "text-embedding-3-small";

/// Texts share these words, so that everything is near to everything.
const WORDS: [&str; 12] = [
    "tea", "rain", "engine", "paris", "monday", "green", "budget", "cat", "loom", "number", "sea",
    "mail",
];

fn text(random: &mut StdRng) -> String {
    let words = (0..4).map(|_| WORDS[random.random_range(0..WORDS.len())]);
    words.collect::<Vec<_>>().join(" ")
}

/// The vectors are as short as is enough for the words: it is the conditions that are tried.
fn vector(text: &str) -> Vector {
    bag_of_words(text, 32).into()
}

/// Both organizations remember the same things. What is in the same place as the other's, which no
/// service writes there, must not be found either.
fn memory(number: usize, org: &str, agent: &str, subject: Option<&str>, text: &str) -> Memory {
    Memory {
        id: RecordId::derive(&[org, agent, subject.unwrap_or_default(), &number.to_string()]),
        org_id: OrgId::parse(org).unwrap(),
        agent_id: AgentId::parse(agent).unwrap(),
        subject_uid: subject.map(|uid| Uid::parse(uid).unwrap()),
        text: format!("{org} {} {text}", subject.unwrap_or("anybody")),
        source: None,
        embedding: vector(text),
        embedding_model: MODEL.to_owned(),
        dimension: 32,
        created_at: samples::time(),
    }
}

async fn fill(store: &Store, random: &mut StdRng) {
    for number in 0..60 {
        let text = text(random);
        let kept = [
            memory(number, "o1", "a1", None, &text),
            memory(number, "o1", "a1", Some("u1"), &text),
            memory(number, "o1", "a1", Some("u2"), &text),
            memory(number, "o2", "a1", None, &text),
            memory(number, "o2", "a1", Some("u1"), &text),
            memory(number, "o2", "a2", None, &text),
        ];
        let writes = kept.iter().map(|memory| memories::create(memory).unwrap());
        store.commit(writes.collect()).await.unwrap();
    }
}

async fn assert_no_search_finds_what_is_foreign(db: Arc<dyn DocumentDb>) {
    let store = Store::new(db);
    let mut random = StdRng::seed_from_u64(7);
    fill(&store, &mut random).await;
    let (org_id, agent_id) = (OrgId::parse("o1").unwrap(), AgentId::parse("a1").unwrap());
    let mut found_of_both = 0;
    for query in 0..QUERIES {
        let text = text(&mut random);
        let search = MemorySearch {
            subject_uid: (query % 2 == 0).then(|| Uid::parse("u1").unwrap()),
            embedding_model: MODEL.to_owned(),
            vector: vector(&text),
            max_distance: 0.75,
        };
        let found = store
            .find_nearest_memories(&org_id, &agent_id, &search, 8)
            .await;
        let found = found.unwrap();
        assert_eq!(found.len(), 8, "{text}");
        for memory in found {
            assert_eq!(memory.org_id, org_id, "{text}: {}", memory.text);
            let is_own = memory.subject_uid == search.subject_uid;
            assert!(
                is_own || memory.subject_uid.is_none(),
                "{text}: {}",
                memory.text
            );
            found_of_both += usize::from(memory.subject_uid.is_some());
        }
    }
    assert!(
        found_of_both > QUERIES,
        "what is remembered of the user is found"
    );
}

#[tokio::test]
async fn no_search_in_memory_finds_what_is_foreign() {
    assert_no_search_finds_what_is_foreign(Arc::new(MemoryDb::new())).await;
}

#[tokio::test]
async fn no_search_in_firestore_finds_what_is_foreign() {
    let server = start_firestore().await;
    assert_no_search_finds_what_is_foreign(Arc::new(connect(&server))).await;
}
