//! Two databases side by side, document by document in the order of their paths. A page of each is
//! held, and a tree's edge for each collection.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, VecDeque},
};

use futures::try_join;
use shared::store::{
    self,
    document_db::{Document, DocumentPath},
    snapshot::Snapshot,
};

use crate::{
    canonical::{self, Hash},
    merkle::Tree,
    report::{CollectionReport, Difference, DifferenceKind, Tally},
};

/// Differences that are named of each collection; all of them are counted.
const NAMED: usize = 10;

/// What looks at the documents of the target on their way.
pub(crate) trait Witness {
    /// Is shown a document with its collection.
    fn see(&mut self, collection: &str, document: &Document);
}

/// Walks along both.
pub(crate) struct Comparison<'a> {
    source: Side<'a>,
    target: Side<'a>,
    collections: BTreeMap<String, Pair>,
}

/// One of the two.
struct Side<'a> {
    snapshot: &'a dyn Snapshot,
    page: VecDeque<Document>,
    last: Option<DocumentPath>,
    is_over: bool,
}

/// A collection in both.
#[derive(Default)]
struct Pair {
    source: Tree,
    target: Tree,
    differences: u64,
    named: Vec<Difference>,
}

/// The two that stand at the same place, as far as they are there.
struct Step {
    source: Option<Document>,
    target: Option<Document>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(source: &'a dyn Snapshot, target: &'a dyn Snapshot) -> Self {
        Self {
            source: Side::new(source),
            target: Side::new(target),
            collections: BTreeMap::new(),
        }
    }

    /// Looks at the next place; tells whether there was one.
    pub(crate) async fn step(&mut self, witness: &mut dyn Witness) -> Result<bool, store::Error> {
        try_join!(self.source.fill(), self.target.fill())?;
        let Some(step) = self.next() else {
            return Ok(false);
        };
        let Some(document) = step.target.as_ref().or(step.source.as_ref()) else {
            return Ok(false);
        };
        let path = document.path.clone();
        let collection = pattern(&path);
        if let Some(document) = &step.target {
            witness.see(&collection, document);
        }
        let pair = self.collections.entry(collection).or_default();
        pair.add(path, &step);
        Ok(true)
    }

    /// What was found.
    pub(crate) fn finish(self) -> Vec<CollectionReport> {
        let collections = self.collections.into_iter();
        let reports = collections.map(|(name, pair)| CollectionReport {
            name,
            source: tally(&pair.source),
            target: tally(&pair.target),
            differences: pair.differences,
            named: pair.named,
        });
        reports.collect()
    }

    fn next(&mut self) -> Option<Step> {
        let (source, target) = (self.source.page.front(), self.target.page.front());
        let order = match (source, target) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(source), Some(target)) => by_path(&source.path, &target.path),
        };
        let is_source = order != Ordering::Greater;
        let is_target = order != Ordering::Less;
        Some(Step {
            source: is_source.then(|| self.source.take()).flatten(),
            target: is_target.then(|| self.target.take()).flatten(),
        })
    }
}

impl<'a> Side<'a> {
    fn new(snapshot: &'a dyn Snapshot) -> Self {
        Self {
            snapshot,
            page: VecDeque::new(),
            last: None,
            is_over: false,
        }
    }

    async fn fill(&mut self) -> Result<(), store::Error> {
        if self.is_over || !self.page.is_empty() {
            return Ok(());
        }
        self.page = self.snapshot.page(self.last.as_ref()).await?.into();
        self.is_over = self.page.is_empty();
        Ok(())
    }

    fn take(&mut self) -> Option<Document> {
        let document = self.page.pop_front()?;
        self.last = Some(document.path.clone());
        Some(document)
    }
}

impl Pair {
    fn add(&mut self, path: DocumentPath, step: &Step) {
        let hash = |document: &Option<Document>| document.as_ref().map(canonical::hash);
        let (source, target) = (hash(&step.source), hash(&step.target));
        if let Some(leaf) = source {
            self.source.push(leaf);
        }
        if let Some(leaf) = target {
            self.target.push(leaf);
        }
        let kind = match (source, target) {
            (Some(source), Some(target)) if source == target => return,
            (Some(_), Some(_)) => DifferenceKind::Changed,
            (Some(_), None) => DifferenceKind::Missing,
            _ => DifferenceKind::Extra,
        };
        self.differences += 1;
        if self.named.len() < NAMED {
            let path = path.to_string();
            self.named.push(Difference { kind, path });
        }
    }
}

fn tally(tree: &Tree) -> Tally {
    let root: Hash = tree.root();
    Tally {
        documents: tree.leaves(),
        root: hex::encode(root),
    }
}

/// The order of Firestore's listings: segment by segment.
fn by_path(one: &DocumentPath, other: &DocumentPath) -> Ordering {
    one.as_str().split('/').cmp(other.as_str().split('/'))
}

/// A document's collection, with `*` for the ids on the way.
pub fn pattern(path: &DocumentPath) -> String {
    let segments = path.as_str().split('/').enumerate();
    let segments = segments.map(|(place, segment)| match place % 2 {
        0 => segment,
        _ => "*",
    });
    let pattern: Vec<&str> = segments.collect();
    pattern[..pattern.len().saturating_sub(1)].join("/")
}
