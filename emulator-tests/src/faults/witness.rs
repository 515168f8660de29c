//! A Firestore that remembers every version of every document, in the order of the commits.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use hidane_core::path::ResourcePath;
use hidane_core::store::{
    Change, Commit, ListItem, ListOptions, MemoryStore, ReadTime, Store, StoreError,
    StoredDocument, Visit, WriteBatch,
};
use hidane_proto::google::firestore::v1 as wire;
use prost::Message;
use serde::de::DeserializeOwned;
use shared::{
    models::ExecutionStatus,
    store::{self, DocumentPath},
};

/// A [`MemoryStore`] whose commits are kept for the checker.
#[derive(Default)]
pub struct Witness {
    memory: MemoryStore,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    commits: Vec<Vec<Change>>,
    statuses: BTreeMap<String, ExecutionStatus>,
}

/// A document as one commit left it.
#[derive(Clone)]
pub struct Version {
    /// The number of its commit, from 1.
    pub position: usize,
    /// Where it is.
    pub path: DocumentPath,
    /// What it holds; none when it was deleted.
    pub document: Option<store::document_db::Document>,
}

impl Version {
    /// The model in the document, if there is one.
    ///
    /// # Errors
    /// Returns an error for a document of another shape.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let document = self.document.as_ref().map(store::decode);
        document.transpose().with_context(|| self.path.to_string())
    }
}

impl Witness {
    /// How many commits there were.
    #[must_use]
    pub fn position(&self) -> usize {
        self.seen().commits.len()
    }

    /// The present status of the execution.
    #[must_use]
    pub fn status(&self, execution_id: &str) -> Option<ExecutionStatus> {
        self.seen().statuses.get(execution_id).copied()
    }

    /// How many executions there are, and how many of them have ended.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        let seen = self.seen();
        let ended = seen.statuses.values().filter(|status| status.is_terminal());
        (seen.statuses.len(), ended.count())
    }

    /// Every version of every document so far, in order.
    ///
    /// # Errors
    /// Returns an error for a document that has no wire form.
    pub fn history(&self) -> Result<Vec<Version>> {
        let commits = self.seen().commits.clone();
        let mut history = Vec::new();
        for (index, changes) in commits.iter().enumerate() {
            for change in changes {
                history.push(Version {
                    position: index + 1,
                    path: document_path(&change.path)?,
                    document: change.after.as_deref().map(read).transpose()?,
                });
            }
        }
        Ok(history)
    }

    /// Path and bytes of every version of every document so far, in order.
    #[must_use]
    pub fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let commits = self.seen().commits.clone();
        let changes = commits.iter().flatten();
        let content = |change: &Change| {
            let document = change.after.as_deref()?;
            Some((change.path.to_string(), wire_of(document).encode_to_vec()))
        };
        changes.filter_map(content).collect()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn keep(&mut self, commit: &Commit) {
        for change in &commit.changes {
            let (path, after) = (change.path.to_string(), change.after.as_deref());
            if let (Some(id), Some(status)) = (execution_id(&path), after.and_then(status_of)) {
                self.statuses.insert(id.to_owned(), status);
            }
        }
        self.commits.push(commit.changes.clone());
    }
}

impl Store for Witness {
    fn latest_read_time(&self, database: &str) -> ReadTime {
        self.memory.latest_read_time(database)
    }

    fn earliest_read_time(&self, database: &str) -> ReadTime {
        self.memory.earliest_read_time(database)
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
        // Held over the commit, so that the order is that of the commits.
        let mut seen = self.seen();
        let commit = self.memory.commit(database, write)?;
        seen.keep(&commit);
        Ok(commit)
    }

    fn clear_database(&self, database: &str) -> ReadTime {
        self.memory.clear_database(database)
    }

    fn database_names(&self) -> Vec<String> {
        self.memory.database_names()
    }

    fn clear(&self) {
        self.memory.clear();
    }
}

/// The id in `executions/{id}`; none for what is below it.
pub(crate) fn execution_id(path: &str) -> Option<&str> {
    let id = path.strip_prefix("executions/")?;
    (!id.contains('/')).then_some(id)
}

fn status_of(document: &StoredDocument) -> Option<ExecutionStatus> {
    let fields = document.fields();
    let value = fields.get("status")?.value_type.as_ref()?;
    let wire::value::ValueType::StringValue(text) = value else {
        return None;
    };
    serde_json::from_value(text.as_str().into()).ok()
}

/// The document as the services read it, from the same bytes.
fn read(document: &StoredDocument) -> Result<store::document_db::Document> {
    let wire = shared::events::Document::decode(wire_of(document).encode_to_vec().as_slice())?;
    store::document_from_wire(wire).context("a document has no name or no version")
}

fn wire_of(document: &StoredDocument) -> wire::Document {
    wire::Document {
        name: resource_name(&document.path),
        fields: document.fields(),
        create_time: Some(document.create_time),
        update_time: Some(document.update_time),
    }
}

fn document_path(path: &ResourcePath) -> Result<DocumentPath> {
    DocumentPath::from_resource_name(&resource_name(path)).context("a document has no path")
}

fn resource_name(path: &ResourcePath) -> String {
    format!("projects/p/databases/(default)/documents/{path}")
}
