use std::sync::Arc;

use rand::{Rng, SeedableRng, rngs::StdRng};
use shared::{
    ids::{IntegrationId, RecordId, Uid},
    knowledge::{MAX_READS, Search},
    models::{Integration, KnowledgeChunk},
    store::{Store, document_db::DocumentDb, integrations},
};

use super::support::{
    CountedReads, MODEL, chunk, hits, integration_of, keep, keep_for, org, search, texts, vector,
};

const ORGANIZATION: &str = "organization";
const QUERIES: usize = 1_000;

/// Texts share these words, so that everything is near to everything.
const WORDS: [&str; 12] = [
    "tea", "rain", "engine", "paris", "monday", "green", "budget", "cat", "loom", "number", "sea",
    "mail",
];

fn some_words(random: &mut StdRng, count: usize) -> String {
    let words = (0..count).map(|_| WORDS[random.random_range(0..WORDS.len())]);
    words.collect::<Vec<_>>().join(" ")
}

/// Chunks that are near to a query for invoices and have no number in common with it.
fn invoices() -> impl Iterator<Item = KnowledgeChunk> {
    let text = |number| format!("invoice invoice invoice number {number}");
    (100..140).map(move |number| chunk(ORGANIZATION, &text(number)))
}

pub(crate) async fn a_number_is_found_as_it_is(db: Arc<dyn DocumentDb>) {
    let store = Store::new(db);
    let words: String = (0..80).map(|number| format!("other{number} ")).collect();
    let wanted = format!("{words} see INV-2024-0042 {words}");
    keep(&store, invoices().chain([chunk(ORGANIZATION, &wanted)])).await;
    let near = ["INV-2023-0042", "invoice 2024: inv 0042", "2024 was good"];
    keep(&store, near.map(|text| chunk(ORGANIZATION, text))).await;
    let found = texts(&store, &search(None, "invoice INV-2024-0042")).await;
    assert_eq!(found[0], wanted);
}

pub(crate) async fn what_is_in_quotes_comes_first_and_alone_has_to_be_there(
    db: Arc<dyn DocumentDb>,
) {
    let store = Store::new(db);
    let chunks = [
        chunk(ORGANIZATION, "the annual report was late"),
        chunk(
            ORGANIZATION,
            "annual costs: report them, annual report them",
        ),
        chunk(ORGANIZATION, "report annual report annual"),
        chunk(ORGANIZATION, "the report is annual"),
        chunk(ORGANIZATION, "annual and report"),
    ];
    keep(&store, chunks).await;
    let mut found = texts(&store, &search(None, r#""Annual Report""#)).await;
    found.sort();
    assert_eq!(
        found,
        [
            "annual costs: report them, annual report them",
            "report annual report annual",
            "the annual report was late"
        ]
    );
    let both = search(None, r#""annual report" "report them""#);
    assert_eq!(texts(&store, &both).await, [&*found[0]]);
    let none = search(None, r#""report costs""#);
    assert_eq!(texts(&store, &none).await, [""; 0]);
    let beside = search(None, r#"late "report them" annual"#);
    let beside = texts(&store, &beside).await;
    assert_eq!((&beside[0], beside.len()), (&found[0], 5));
    assert_eq!(texts(&store, &search(None, "annual report")).await.len(), 5);
}

pub(crate) async fn what_both_lists_have_comes_first(db: Arc<dyn DocumentDb>) {
    let store = Store::new(db);
    let by_meaning = KnowledgeChunk {
        embedding: vector("car repair"),
        ..chunk(ORGANIZATION, "an automobile was mended")
    };
    let by_words = KnowledgeChunk {
        embedding: vector("something else entirely"),
        ..chunk(ORGANIZATION, "the car and its repair")
    };
    let by_both = chunk(ORGANIZATION, "car repair");
    let chunks = [by_words, by_meaning, by_both, chunk(ORGANIZATION, "rain")];
    keep(&store, chunks).await;
    let found = hits(&store, &search(None, "car repair")).await;
    let texts: Vec<_> = found.iter().map(|hit| &*hit.text).collect();
    assert_eq!(texts[0], "car repair");
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(found.is_sorted_by(|one, next| one.score >= next.score));
    let limited = Search {
        limit: 1,
        ..search(None, "car repair")
    };
    assert_eq!(hits(&store, &limited).await, found[..1]);
}

pub(crate) async fn vectors_of_other_models_are_not_searched(db: Arc<dyn DocumentDb>) {
    let store = Store::new(db);
    let of_other = KnowledgeChunk {
        id: RecordId::derive(&["other"]),
        embedding_model: "text-embedding-3-large".to_owned(),
        ..chunk(ORGANIZATION, "green tea")
    };
    keep(&store, [chunk(ORGANIZATION, "green tea"), of_other]).await;
    let found = hits(&store, &search(None, "green tea")).await;
    let ids: Vec<_> = found.iter().map(|hit| &hit.chunk_id).collect();
    assert_eq!(ids, [&chunk(ORGANIZATION, "green tea").id]);
    assert_ne!(MODEL, "text-embedding-3-large");
}

pub(crate) async fn a_search_is_of_one_integration_if_it_is_to_be(db: Arc<dyn DocumentDb>) {
    let store = Store::new(db);
    let integration_id = IntegrationId::parse("i2").unwrap();
    let of_other = KnowledgeChunk {
        integration_id: integration_id.clone(),
        ..chunk("user:u1", "green tea of mine")
    };
    keep(&store, [chunk(ORGANIZATION, "green tea"), of_other]).await;
    let of_one = Search {
        integration_id: Some(integration_id),
        ..search(Some("u1"), "green tea")
    };
    assert_eq!(texts(&store, &of_one).await, ["green tea of mine"]);
}

pub(crate) async fn what_was_closed_is_not_found_before_a_sync_says_so(db: Arc<dyn DocumentDb>) {
    let store = Store::new(db);
    let own = ["organization", "user:u1"].map(|principal| chunk(principal, "green tea"));
    keep(&store, own).await;
    let seen = search(Some("u1"), "green tea");
    assert_eq!(texts(&store, &seen).await.len(), 2);
    let change = async |principal: &str, change: &dyn Fn(&mut Integration)| {
        change_integration(&store, &integration_of(principal), change).await;
    };
    change(ORGANIZATION, &|found| found.shares_knowledge = false).await;
    assert_eq!(texts(&store, &seen).await.len(), 1);
    assert_eq!(texts(&store, &search(None, "green tea")).await.len(), 0);
    change("user:u1", &|found| found.owner_uid = Uid::derive(&["u2"])).await;
    assert_eq!(texts(&store, &seen).await.len(), 0);
    let cause = || Some(Integration::DISCONNECTING.to_owned());
    change(ORGANIZATION, &|found| {
        found.shares_knowledge = true;
        found.error_cause = None;
    })
    .await;
    assert_eq!(texts(&store, &seen).await.len(), 1);
    change(ORGANIZATION, &|found| found.error_cause = cause()).await;
    assert_eq!(texts(&store, &seen).await.len(), 0);
}

async fn change_integration(
    store: &Store,
    id: &IntegrationId,
    change: impl FnOnce(&mut Integration),
) {
    let found = store.find_integration(&org("o1"), id).await;
    let mut integration = found.unwrap().unwrap();
    change(&mut integration.value);
    let writes = integrations::replace(&integration).unwrap();
    store.commit(writes.into()).await.unwrap();
}

pub(crate) async fn what_came_through_too_many_integrations_is_found_of_the_first(
    db: Arc<dyn DocumentDb>,
) {
    const READ: usize = 20;
    let store = Store::new(db);
    let ids: Vec<_> = (0..=READ)
        .map(|number| IntegrationId::derive(&[&number.to_string()]))
        .collect();
    let chunks = ids.iter().enumerate().map(|(number, integration_id)| {
        // Each fits less than the one before.
        let text = format!("green tea {}", "rain ".repeat(number));
        KnowledgeChunk {
            integration_id: integration_id.clone(),
            ..chunk(ORGANIZATION, text.trim())
        }
    });
    keep(&store, chunks).await;
    for id in &ids[..READ] {
        change_integration(&store, id, |found| found.shares_knowledge = false).await;
    }
    let seen = search(None, "green tea");
    assert_eq!(texts(&store, &seen).await, [""; 0]);
    change_integration(&store, &ids[0], |found| found.shares_knowledge = true).await;
    assert_eq!(texts(&store, &seen).await, ["green tea"]);
}

/// Whatever is looked for, and however much there is of it.
pub(crate) async fn a_search_reads_a_bounded_number_of_documents(db: Arc<dyn DocumentDb>) {
    let db = Arc::new(CountedReads::new(db));
    let store = Store::new(db.clone());
    let mut random = StdRng::seed_from_u64(3);
    for principal in [ORGANIZATION, "user:u1"] {
        let texts = (0..120).map(|number| format!("{} {number}", some_words(&mut random, 6)));
        let chunks: Vec<_> = texts.map(|text| chunk(principal, &text)).collect();
        keep(&store, chunks).await;
    }
    let mut most = 0;
    for query in [
        WORDS.join(" "),
        format!("{} \"tea\" \"green\" \"cat\" \"sea\"", WORDS.join(" ")),
        (0..400).map(|number| format!("{number} tea ")).collect(),
    ] {
        let before = db.reads();
        let found = hits(&store, &search(Some("u1"), &query)).await;
        let reads = db.reads() - before;
        assert!(reads <= MAX_READS, "{reads} reads for {query}");
        most = most.max(reads);
        assert!(found.len() <= 10);
    }
    assert!(most > 60, "the bound is tried: {most} reads");
}

/// All keep the same texts: what everybody in the organization may find, what two of its users may,
/// and what is another organization's. The ids of some users are made to be taken for others'.
pub(crate) async fn no_search_finds_what_is_foreign(db: Arc<dyn DocumentDb>) {
    let store = Store::new(db);
    let mut random = StdRng::seed_from_u64(7);
    for number in 0..12 {
        let text = some_words(&mut random, 4);
        let told = |org: &str, principal: &str| {
            let text = format!("{text} {org}/{principal} {number}");
            chunk(principal, &text)
        };
        let own = [ORGANIZATION, "user:u1", "user:u2", "user:u1 tea", "user:u"];
        keep(&store, own.map(|principal| told("o1", principal))).await;
        let foreign = [ORGANIZATION, "user:u1", "user:u3"];
        keep_for(&store, "o2", foreign.map(|principal| told("o2", principal))).await;
    }
    let (mut private, mut found_in_all) = (0, 0);
    for number in 0..QUERIES {
        let count = 1 + number % 3;
        let mut query = some_words(&mut random, count);
        if number % 5 == 0 {
            query = format!("\"{query}\"");
        }
        let uid = (number % 2 == 0).then_some("u1");
        for text in texts(&store, &search(uid, &query)).await {
            let is_own = text.contains("o1/user:u1 ") && !text.contains("user:u1 tea");
            let is_shared = text.contains("o1/organization ");
            assert!(is_shared || (uid.is_some() && is_own), "{query}: {text}");
            private += usize::from(is_own);
            found_in_all += 1;
        }
    }
    assert!(private > QUERIES, "{private} hits of the user's own");
    assert!(found_in_all > 5 * QUERIES, "{found_in_all} hits in all");
}
