//! Random sequences over a Google with a memory: after each interval the index is what the account
//! shows, and the same interval again changes nothing.

mod steps;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
};

use futures::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use shared::{
    models::KnowledgeKind,
    testing::{Fault, GroundTruth, Seen, Weather, killed_after},
};
use sync_google_workspace::text::chunk;

use self::steps::{FROM, Steps};
use crate::{
    app::Options,
    world::{Google, World},
};

/// Sequences altogether; each side has its own Google.
const SEQUENCES: u64 = 504;
const SIDES: u64 = 12;

/// Intervals of a sequence.
const INTERVALS: usize = 2;

/// Messages after which an interval has to have come to its end; the last ones meet no trouble.
const MESSAGES: u64 = 20;

/// Longer than the longest pause after a failure.
const HOUR_SECS: u64 = 3_700;

/// What may go wrong in a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// Nothing: every text is embedded once.
    Calm,
    /// Calls fail, pages are short and empty, records come twice.
    Stormy,
    /// The worker dies, and two of them meet.
    Deadly,
}

/// What a sequence has shown.
#[derive(Default)]
struct Shown {
    intervals: usize,
    messages: usize,
    deaths: usize,
    embedded: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(
    clippy::disallowed_methods,
    reason = "the sides run on all threads that there are"
)]
async fn after_each_interval_the_index_is_what_the_account_shows() {
    let seed = env::var("SYNC_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let first: u64 = seed.unwrap_or_else(rand::random);
    let count = if seed.is_some() && env::var("SYNC_ONE").is_ok() {
        1
    } else {
        SEQUENCES
    };
    let sides = (0..SIDES.min(count)).map(|side| {
        tokio::spawn(async move {
            let google = Google::start().await;
            let mut shown = Shown::default();
            for number in (side..count).step_by(SIDES as usize) {
                Box::pin(sequence(&google, first.wrapping_add(number), &mut shown)).await;
            }
            shown
        })
    });
    let shown = join_all(sides).await.into_iter();
    let shown: Vec<Shown> = shown.map(Result::unwrap).collect();
    let sum = |of: fn(&Shown) -> usize| shown.iter().map(of).sum::<usize>();
    let figures = [
        sum(|shown| shown.intervals),
        sum(|shown| shown.messages),
        sum(|shown| shown.deaths),
        sum(|shown| shown.embedded),
    ];
    let [intervals, messages, deaths, embedded] = figures;
    eprintln!(
        "{count} sequences from SYNC_SEED={first}: {intervals} intervals, {messages} messages, \
         {deaths} deaths, {embedded} texts embedded"
    );
}

async fn sequence(google: &Google, seed: u64, shown: &mut Shown) {
    let mut random = StdRng::seed_from_u64(seed);
    let mood = [Mood::Calm, Mood::Stormy, Mood::Deadly][random.random_range(0..3)];
    google.workspace.set_weather(Weather::default());
    let account_id = format!("sub-{seed}");
    let world = World::of(google.clone(), &account_id, Options::default()).await;
    world
        .add_workflow("w1", json!({ "type": "onEmailReceived" }))
        .await;
    let mut steps = Steps::new(&world.user);
    steps.take(&mut random, 6);
    for interval in 0..INTERVALS {
        let of = format!("SYNC_SEED={seed} SYNC_ONE=1, {mood:?}, interval {interval}");
        let before = indexed(&world);
        let embedded = world.app.llm.embedded().len();
        settle(&world, mood, &mut random, seed, shown).await;
        google.workspace.set_weather(Weather::default());
        check(&world, &of);
        if mood == Mood::Calm {
            let new = world.app.llm.embedded().len() - embedded;
            assert_eq!(new, new_texts(&before, &indexed(&world)), "{of}");
        }
        check_triggers(&world, &steps, &of);
        repeat(&world, &of).await;
        shown.intervals += 1;
        let count = random.random_range(1..9);
        steps.take(&mut random, count);
    }
    shown.embedded += world.app.llm.embedded().len();
}

/// Delivers messages until one has brought both kinds to their end.
async fn settle(world: &World, mood: Mood, random: &mut StdRng, seed: u64, shown: &mut Shown) {
    for attempt in 0..MESSAGES {
        world.advance(HOUR_SECS);
        let is_last = attempt > 8;
        if mood == Mood::Stormy && !is_last {
            world
                .google
                .workspace
                .set_weather(storm(seed ^ attempt, random));
            let outage = random.random_bool(0.1).then_some(Fault::Unavailable);
            world.user.set_outage(outage);
        } else {
            world.google.workspace.set_weather(Weather::default());
            world.user.set_outage(None);
        }
        shown.messages += 1;
        if mood == Mood::Deadly && !is_last && random.random_bool(0.8) {
            let polls = random.random_range(1..60);
            match random.random_bool(0.5) {
                true => {
                    let killed = killed_after(polls, world.sync()).await;
                    shown.deaths += usize::from(killed.is_none());
                }
                false => {
                    let other = killed_after(polls, world.sync());
                    let (_, killed) = futures::join!(world.sync(), other);
                    shown.deaths += usize::from(killed.is_none());
                }
            }
        } else {
            assert_eq!(world.sync().await, 204);
        }
        let is_settled = is_settled(world).await;
        let is_last_chance = attempt == MESSAGES - 1;
        assert!(
            is_settled || !is_last_chance,
            "SYNC_SEED={seed} SYNC_ONE=1: it never ends"
        );
        if is_settled {
            return;
        }
    }
}

fn storm(seed: u64, random: &mut StdRng) -> Weather {
    Weather {
        seed,
        faults_per_mille: 40,
        retry_after_secs: 120,
        empty_pages_per_mille: 100,
        duplicates_per_mille: 200,
        max_page: Some(random.random_range(1..6)),
    }
}

async fn is_settled(world: &World) -> bool {
    let now = Some(world.app.clock_now());
    for kind in [KnowledgeKind::Gmail, KnowledgeKind::Drive] {
        let state = world.state(kind).await;
        if state.synced_at != now || state.error_cause.is_some() {
            return false;
        }
    }
    true
}

/// What is to be found by source id: title and pieces.
type Pieces = BTreeMap<String, (String, Vec<String>)>;

fn check(world: &World, of: &str) {
    let truth = expected(&world.user.ground_truth());
    assert_eq!(indexed(world), truth, "{of}");
    let documents = world.documents();
    let ids: BTreeSet<_> = documents
        .values()
        .flat_map(|document| (0..document.chunks).map(|ordinal| document.chunk_id(ordinal)))
        .collect();
    let chunks: BTreeSet<_> = world.chunks().into_iter().map(|chunk| chunk.id).collect();
    assert_eq!(chunks, ids, "{of}: pieces are missing or left over");
    let used = world.used();
    let bytes: i64 = documents.values().map(|document| document.bytes).sum();
    let count = i64::try_from(documents.len()).unwrap();
    assert_eq!((used.documents, used.bytes), (count, bytes), "{of}");
}

fn expected(truth: &GroundTruth) -> Pieces {
    let pieces = |seen: &Seen, text: &str| (seen.title.clone(), chunk(text).texts);
    let mails = truth.mails.iter().map(|(id, seen)| {
        let text = format!("{}\n{FROM}\n\n{}", seen.title, seen.text);
        (id.clone(), pieces(seen, &text))
    });
    let files = truth.files.iter();
    let files = files.map(|(id, seen)| (id.clone(), pieces(seen, &seen.text)));
    mails.chain(files).collect()
}

fn indexed(world: &World) -> Pieces {
    let mut chunks = world.chunks();
    chunks.sort_by_key(|chunk| chunk.ordinal);
    let documents = world.documents().into_iter();
    let pieces = documents.map(|(id, document)| {
        let own = chunks
            .iter()
            .filter(|chunk| chunk.document_id == document.id);
        let own = own.inspect(|chunk| assert_eq!(chunk.source, document.source));
        let texts = own.map(|chunk| chunk.text.clone()).collect();
        (id, (document.source.title, texts))
    });
    pieces.collect()
}

/// Pieces of documents whose text was not there before.
fn new_texts(before: &Pieces, after: &Pieces) -> usize {
    let new = after
        .iter()
        .filter(|(id, (_, texts))| before.get(*id).is_none_or(|(_, before)| before != texts));
    new.map(|(_, (_, texts))| texts.len()).sum()
}

/// Each mail that came after the first look has started the workflow once, if it was seen at all.
fn check_triggers(world: &World, steps: &Steps, of: &str) {
    let triggers = world.triggers().into_iter();
    let started: Vec<String> = triggers
        .map(|trigger| trigger.payload.0["messageId"].as_str().unwrap().to_owned())
        .collect();
    let once: BTreeSet<&String> = started.iter().collect();
    assert_eq!(once.len(), started.len(), "{of}: a mail starts twice");
    for id in &once {
        assert!(
            steps.delivered_later.contains(*id),
            "{of}: {id} was there at first"
        );
    }
    if steps.has_expired {
        return;
    }
    let shown = world.user.ground_truth().mails;
    let missed = shown.keys().filter(|id| {
        steps.delivered_later.contains(*id) && steps.untouched(id) && !once.contains(id)
    });
    assert_eq!(missed.count(), 0, "{of}: a mail starts nothing");
}

/// The same interval again.
async fn repeat(world: &World, of: &str) {
    let (index, embedded) = (world.index(), world.app.llm.embedded().len());
    world.advance(900);
    world.sync_well().await;
    assert_eq!(world.index(), index, "{of}: the repeat changes something");
    assert_eq!(world.app.llm.embedded().len(), embedded, "{of}");
}
