//! Records, those who read them all the time and those who renew their tokens.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use emulator_tests::{
    emulators::firestore::{EmbeddedFirestore, FirestoreOptions},
    faults::{chance::Chance, witness::Witness},
};
use futures::future::join_all;
use shared::{
    clock::SystemClock,
    crypto::{Envelope, LocalKeys},
    ids::OrgId,
    models::{Integration, IntegrationService, Sealed, SystemPrincipal},
    store::{Store, Versioned, integrations},
    testing::integration,
    vault::SealedFields,
};
use tokio_util::sync::CancellationToken;

use super::keys::Keys;
use crate::document_db::{PROJECT_ID, connect};

const READERS: usize = 6;
const REFRESHERS: usize = 2;

/// One record in so many has a token that is renewed all the time.
const REFRESHED: usize = 5;

/// Writes of one commit.
const BATCH: usize = 200;

const CALLER: SystemPrincipal = SystemPrincipal { function: "test" };

pub(super) struct Load {
    pub(super) keys: Keys,
    pub(super) firestore: EmbeddedFirestore,
    pub(super) stop: CancellationToken,
    witness: Arc<Witness>,
    store: Store,
    envelope: Envelope,
    /// Commits that made the records.
    commits: usize,
    /// How often each record's token was renewed, as far as it was acknowledged.
    generations: Vec<AtomicU64>,
    reads: AtomicU64,
    refreshes: AtomicU64,
    races: AtomicU64,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// A database of so many records.
    pub(super) async fn start(records: usize) -> Self {
        let witness = Arc::new(Witness::default());
        let options = FirestoreOptions {
            port: 0,
            project_id: PROJECT_ID.to_owned(),
            rules_source: include_str!("../../../../../firestore.rules").to_owned(),
            data_dir: None,
        };
        let started = EmbeddedFirestore::start_on(witness.clone(), options).await;
        let (firestore, keys) = (started.unwrap(), Keys::new());
        let mut load = Self {
            store: Store::new(Arc::new(connect(&firestore))),
            envelope: envelope(&keys),
            keys,
            firestore,
            stop: CancellationToken::new(),
            witness,
            commits: 0,
            generations: (0..records).map(|_| AtomicU64::new(0)).collect(),
            reads: AtomicU64::new(0),
            refreshes: AtomicU64::new(0),
            races: AtomicU64::new(0),
            failures: Mutex::default(),
        };
        load.create_all().await;
        load.commits = load.witness.position();
        load
    }

    async fn create_all(&self) {
        let numbers: Vec<usize> = (0..self.generations.len()).collect();
        for numbers in numbers.chunks(BATCH) {
            let mut writes = Vec::new();
            for &number in numbers {
                let mut integration = record(number);
                integration.credentials = self.seal(&integration, number, 0).await;
                writes.extend(integrations::create(&integration).unwrap());
            }
            self.store.commit(writes).await.unwrap();
        }
    }

    async fn seal(&self, integration: &Integration, number: usize, generation: u64) -> Sealed {
        let plaintext = format!("{number}:{generation}");
        let place = integration.sealed()[0].0;
        let sealed = self.envelope.seal(plaintext.as_bytes(), &place).await;
        sealed.unwrap().into()
    }

    async fn find(&self, number: usize) -> Versioned<Integration> {
        let Integration { org_id, id, .. } = record(number);
        let found = self.store.find_integration(&org_id, &id).await;
        found.unwrap().unwrap()
    }

    /// What commits did that were not of the load: those of the job.
    pub(super) fn moves(&self) -> u64 {
        let all = u64::try_from(self.witness.position() - self.commits).unwrap();
        all.saturating_sub(self.refreshes.load(SeqCst))
    }

    /// Reads and renews until it is told to stop.
    pub(super) async fn run(&self, readers: &Chance, refreshers: &Chance) {
        let read = (0..READERS).map(|_| async {
            while !self.stop.is_cancelled() {
                self.read(readers.below(self.generations.len())).await;
            }
        });
        let refresh = (0..REFRESHERS).map(|_| async {
            while !self.stop.is_cancelled() {
                let number = refreshers.below(self.generations.len() / REFRESHED);
                self.refresh(number * REFRESHED).await;
            }
        });
        tokio::join!(join_all(read), join_all(refresh));
    }

    /// What was acknowledged before must be there.
    async fn read(&self, number: usize) {
        let least = self.generations[number].load(SeqCst);
        let found = self.find(number).await.value;
        if let Err(problem) = check(&self.envelope, &found, number, least).await {
            self.failures.lock().unwrap().push(problem);
        }
        self.reads.fetch_add(1, SeqCst);
    }

    /// Replaces a record's credentials by the next ones.
    pub(super) async fn refresh(&self, number: usize) {
        loop {
            let mut found = self.find(number).await;
            let generation = found.value.renewal.fence + 1;
            found.value.renewal.fence = generation;
            let generation = u64::try_from(generation).unwrap();
            found.value.credentials = self.seal(&found.value, number, generation).await;
            let writes = integrations::replace(&found).unwrap();
            match self.store.commit(writes.into()).await {
                Ok(_) => {
                    self.refreshes.fetch_add(1, SeqCst);
                    self.generations[number].fetch_max(generation, SeqCst);
                    return;
                }
                Err(error) => assert!(error.is_lost_race(), "{error:?}"),
            }
            self.races.fetch_add(1, SeqCst);
        }
    }

    pub(super) fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap().clone()
    }

    /// A load that does next to nothing proves nothing.
    pub(super) fn has_done_enough(&self) -> bool {
        let (reads, refreshes) = (self.reads.load(SeqCst), self.refreshes.load(SeqCst));
        reads >= 1_000 && refreshes >= 100
    }

    pub(super) fn figures(&self) -> String {
        let (reads, refreshes) = (self.reads.load(SeqCst), self.refreshes.load(SeqCst));
        let (records, races) = (self.generations.len(), self.races.load(SeqCst));
        let (failed, moves) = (self.failures().len(), self.moves());
        format!(
            "{records} records, {reads} reads of which {failed} failed, {refreshes} refreshes that \
             lost {races} races, {moves} moves"
        )
    }

    async fn all(&self) -> Vec<Integration> {
        let mut all: Vec<Integration> = Vec::new();
        let mut after = None;
        loop {
            let page = self
                .store
                .list_all_integrations(&CALLER, after.as_ref(), 500);
            let page = page.await.unwrap();
            let Some(last) = page.last() else {
                return all;
            };
            after = Some(last.path.clone());
            all.extend(page.into_iter().map(|found| found.value.unwrap().value));
        }
    }

    /// Every sealed text.
    pub(super) async fn texts(&self) -> Vec<String> {
        let all = self.all().await.into_iter();
        all.map(|integration| integration.credentials.as_str().to_owned())
            .collect()
    }

    /// Why records do not work, by number.
    pub(super) async fn causes(&self) -> Vec<Option<String>> {
        let all = self.all().await.into_iter();
        all.map(|integration| integration.error_cause).collect()
    }

    /// Every record holds what it was given last, for who has never opened it.
    pub(super) async fn assert_newest(&self, seed: u64) {
        let envelope = envelope(&self.keys);
        let all = self.all().await;
        assert_eq!(all.len(), self.generations.len(), "seed {seed}");
        for (number, integration) in all.iter().enumerate() {
            let newest = self.generations[number].load(SeqCst);
            assert_eq!(integration.renewal.fence, i64::try_from(newest).unwrap());
            let checked = check(&envelope, integration, number, newest).await;
            assert_eq!(checked, Ok(()), "seed {seed}");
        }
    }
}

/// Whether a record can be opened, is the one that was asked for and is not older than it may be.
async fn check(
    envelope: &Envelope,
    integration: &Integration,
    number: usize,
    least: u64,
) -> Result<(), String> {
    let (place, text) = integration.sealed()[0];
    let opened = envelope.open(text.as_str(), &place).await;
    let opened = opened.map_err(|error| format!("{number}: {error:?}"))?;
    let text = String::from_utf8(opened.to_vec()).unwrap();
    let (own, generation) = text.split_once(':').unwrap();
    let is_own = own == number.to_string();
    let is_new = generation.parse::<u64>().unwrap() >= least;
    let problem = || format!("{number} holds {text} after {least}");
    (is_own && is_new).then_some(()).ok_or_else(problem)
}

fn envelope(keys: &Keys) -> Envelope {
    Envelope::new(Arc::new(LocalKeys::new(keys.path())), SystemClock::shared())
}

/// A record without credentials. Their order by id is that of their numbers.
fn record(number: usize) -> Integration {
    let id = format!("i{number:06}");
    Integration {
        org_id: OrgId::parse(format!("o{}", number % 7)).unwrap(),
        credentials: "".into(),
        ..integration(&id, "u1", IntegrationService::Google)
    }
}
