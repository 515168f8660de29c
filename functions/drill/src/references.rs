//! Whether what documents lead to is there.

use std::collections::{BTreeSet, HashSet};

use shared::{
    models::{REFERENCES, Reference},
    store::{
        self,
        document_db::{Document, DocumentPath, ValueType},
        snapshot::Snapshot,
    },
};

use crate::report::{Dangling, ReferencesReport};

/// References that are looked up at once.
const BATCH: usize = 300;

/// Documents that are remembered to be there.
const KNOWN: usize = 100_000;

/// Dangling references that are named; all of them are counted.
const NAMED: usize = 20;

/// References on their way.
#[derive(Default)]
pub(crate) struct References {
    pending: Vec<(DocumentPath, DocumentPath)>,
    known: HashSet<DocumentPath>,
    report: ReferencesReport,
}

impl References {
    /// Adds those of a document.
    pub(crate) fn add(&mut self, collection: &str, document: &Document) {
        let references = REFERENCES.iter();
        for reference in references.filter(|reference| reference.from == collection) {
            let Some(target) = target(reference, document) else {
                continue;
            };
            self.report.checked += 1;
            if !self.known.contains(&target) {
                self.pending.push((document.path.clone(), target));
            }
        }
    }

    /// Looks them up if there are enough.
    pub(crate) async fn settle_full(&mut self, target: &dyn Snapshot) -> Result<(), store::Error> {
        match self.pending.len() >= BATCH {
            true => self.settle(target).await,
            false => Ok(()),
        }
    }

    /// Looks all up.
    pub(crate) async fn settle(&mut self, target: &dyn Snapshot) -> Result<(), store::Error> {
        let pending = std::mem::take(&mut self.pending);
        let wanted: BTreeSet<&DocumentPath> = pending.iter().map(|(_, target)| target).collect();
        let wanted: Vec<DocumentPath> = wanted.into_iter().cloned().collect();
        let missing = target.missing(&wanted).await?;
        let missing: HashSet<DocumentPath> = missing.into_iter().collect();
        if self.known.len() + wanted.len() > KNOWN {
            self.known.clear();
        }
        let found = wanted.into_iter().filter(|path| !missing.contains(path));
        self.known.extend(found);
        for (from, to) in pending {
            if missing.contains(&to) {
                self.tell(&from, &to);
            }
        }
        Ok(())
    }

    fn tell(&mut self, from: &DocumentPath, to: &DocumentPath) {
        self.report.dangling += 1;
        if self.report.named.len() < NAMED {
            self.report.named.push(Dangling {
                from: from.to_string(),
                to: to.to_string(),
            });
        }
    }

    /// What was found.
    pub(crate) fn finish(self) -> ReferencesReport {
        self.report
    }
}

/// Where a document leads to, if it names anything.
fn target(reference: &Reference, document: &Document) -> Option<DocumentPath> {
    let segments = reference.to.split('/');
    let segments = segments.map(|segment| resolve(segment, document));
    let path = segments.collect::<Option<Vec<&str>>>()?.join("/");
    let (collection, id) = path.rsplit_once('/')?;
    Some(DocumentPath::new(collection, id))
}

fn resolve<'a>(segment: &'a str, document: &'a Document) -> Option<&'a str> {
    let name = segment
        .strip_prefix('{')
        .and_then(|name| name.strip_suffix('}'));
    match name {
        None => Some(segment),
        Some("id") => Some(document.path.id()),
        Some("parent") => {
            let (collection, _) = document.path.as_str().rsplit_once('/')?;
            let (parent, _) = collection.rsplit_once('/')?;
            Some(parent)
        }
        Some(field) => match &document.fields.get(field)?.value_type {
            Some(ValueType::StringValue(text)) if !text.is_empty() => Some(text),
            _ => None,
        },
    }
}
