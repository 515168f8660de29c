//! Keeps Firestore's documents over restarts: every commit is appended to a journal file.
//!
//! A commit is in the kernel's page cache before it is acknowledged, so it survives `kill -9`
//! but not a power cut. The journal keeps documents, not their history.

use std::fs::{self, File};
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use hidane_core::path::ResourcePath;
use hidane_core::store::{
    Commit, ListItem, ListOptions, MemoryStore, ReadTime, Store, StoreError, StoredDocument, Visit,
    WriteBatch,
};
use shared::clock::{Clock, SystemClock};

use super::files;
use record::Record;

mod record;
mod snapshot;

const JOURNAL_FILE: &str = "firestore.journal";
const LOCK_FILE: &str = "firestore.lock";

/// A [`MemoryStore`] whose commits are also on disk.
pub struct JournaledStore {
    memory: MemoryStore,
    /// Older versions are not in the journal, so reads before this time are refused.
    opened_at: ReadTime,
    journal: Mutex<Option<Journal>>,
}

struct Journal {
    file: File,
    /// Held for as long as the journal is open.
    _lock: File,
}

impl JournaledStore {
    /// Replays the journal of `directory` and rewrites it to the documents that are left.
    ///
    /// # Errors
    /// When another process has it open, or when anything but its last record is damaged.
    pub fn open(directory: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(directory)?;
        let lock = lock(&directory.join(LOCK_FILE))?;
        let path = directory.join(JOURNAL_FILE);
        let records = read(&path).with_context(|| path.display().to_string())?;
        let memory = replay(&records)?;
        let file = files::replace(&path, &record::encode_all(&snapshot::of(&memory)))
            .with_context(|| format!("{} cannot be rewritten", path.display()))?;
        Ok(Self {
            memory,
            opened_at: ReadTime(SystemClock.now().as_microsecond()),
            journal: Mutex::new(Some(Journal { file, _lock: lock })),
        })
    }

    /// Closes the file; commits are refused from now on.
    pub fn close(&self) {
        *self.journal() = None;
    }

    fn journal(&self) -> MutexGuard<'_, Option<Journal>> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops writing for good when a record cannot be written: later ones would follow a hole.
    fn append(journal: &mut Option<Journal>, record: &Record) -> Result<(), StoreError> {
        let file = &mut journal.as_mut().ok_or_else(closed)?.file;
        file.write_all(&record::encode(record)).map_err(|error| {
            tracing::error!(%error, "the firestore journal cannot be written");
            *journal = None;
            closed()
        })
    }
}

impl Store for JournaledStore {
    fn latest_read_time(&self, database: &str) -> ReadTime {
        self.memory.latest_read_time(database)
    }

    fn earliest_read_time(&self, database: &str) -> ReadTime {
        self.memory.earliest_read_time(database).max(self.opened_at)
    }

    fn get(
        &self,
        database: &str,
        path: &ResourcePath,
        at: ReadTime,
    ) -> Option<Arc<StoredDocument>> {
        self.memory.get(database, path, at)
    }

    fn list_collection(
        &self,
        database: &str,
        collection: &ResourcePath,
        at: ReadTime,
        options: ListOptions<'_>,
        visit: &mut dyn FnMut(ListItem<'_>) -> ControlFlow<()>,
    ) {
        let memory = &self.memory;
        memory.list_collection(database, collection, at, options, visit);
    }

    fn scan_collection_group(
        &self,
        database: &str,
        parent: &ResourcePath,
        collection_id: &str,
        at: ReadTime,
        visit: &mut Visit<'_>,
    ) {
        let memory = &self.memory;
        memory.scan_collection_group(database, parent, collection_id, at, visit);
    }

    fn scan_descendants(
        &self,
        database: &str,
        parent: &ResourcePath,
        at: ReadTime,
        visit: &mut Visit<'_>,
    ) {
        self.memory.scan_descendants(database, parent, at, visit);
    }

    fn list_collection_ids(
        &self,
        database: &str,
        parent: &ResourcePath,
        at: ReadTime,
    ) -> Vec<String> {
        self.memory.list_collection_ids(database, parent, at)
    }

    fn commit(
        &self,
        database: &str,
        write: &mut dyn FnMut(&mut dyn WriteBatch) -> Result<(), StoreError>,
    ) -> Result<Commit, StoreError> {
        let mut journal = self.journal();
        if journal.is_none() {
            return Err(closed());
        }
        let commit = self.memory.commit(database, write)?;
        if !commit.changes.is_empty() {
            Self::append(&mut journal, &Record::commit(database, &commit))?;
        }
        Ok(commit)
    }

    fn clear_database(&self, database: &str) -> ReadTime {
        let mut journal = self.journal();
        let at = self.memory.clear_database(database);
        // A clear cannot fail; `append` has logged why it is not on disk.
        let _ = Self::append(&mut journal, &Record::clear(database, at));
        at
    }

    fn database_names(&self) -> Vec<String> {
        self.memory.database_names()
    }

    fn clear(&self) {
        let mut journal = self.journal();
        self.memory.clear();
        let _ = Self::append(&mut journal, &Record::clear("", ReadTime(0)));
    }
}

fn closed() -> StoreError {
    StoreError::FailedPrecondition("the journal of this database is closed".to_owned())
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let file = File::create(path)?;
    file.try_lock()
        .context("another process uses this data directory")?;
    Ok(file)
}

fn read(path: &Path) -> anyhow::Result<Vec<Record>> {
    if !path.try_exists()? {
        return Ok(Vec::new());
    }
    let (records, torn_bytes) = record::decode_all(&fs::read(path)?)?;
    if torn_bytes > 0 {
        tracing::warn!(torn_bytes, "the last record was cut off and is dropped");
    }
    Ok(records)
}

/// Commits every record again, at its own time.
fn replay(records: &[Record]) -> anyhow::Result<MemoryStore> {
    let replayed_time = Arc::new(AtomicI64::new(0));
    let memory = MemoryStore::with_clock({
        let replayed_time = Arc::clone(&replayed_time);
        move || match replayed_time.load(Ordering::Relaxed) {
            0 => SystemClock.now().as_microsecond(),
            time => time,
        }
    });
    for record in records {
        replayed_time.store(record.commit_time, Ordering::Relaxed);
        record.apply(&memory)?;
    }
    replayed_time.store(0, Ordering::Relaxed);
    Ok(memory)
}
