use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{Anchor, Problem, chain::ChainKey, erase::erased};
use crate::{
    ids::RecordId,
    models::{AuditAction, AuditHead, AuditLog},
};

/// Altered records among which a swap is looked for; it costs the square of their number.
const MAX_COMPARED: usize = 500;

/// A walk along a chain: what was met and what was wrong with it. Records come in any order; of
/// those that are as they were written, only the link is kept.
pub(super) struct Walk<'a> {
    key: &'a ChainKey,
    records: u64,
    problems: Vec<Problem>,
    links: Vec<Link>,
    altered: Vec<AuditLog>,
    /// Pseudonyms that stand in the place of an id, with a record where each does.
    erased: BTreeMap<String, (RecordId, i64)>,
    /// Pseudonyms of deleted accounts.
    deleted: HashSet<String>,
}

/// A record that the chain's key has written, perhaps for another time of the chain.
struct Link {
    seq: i64,
    id: RecordId,
    prev_mac: String,
    mac: String,
}

/// Where the chain must end, and what it must hold by what was kept elsewhere.
pub(super) struct Bounds<'a> {
    /// The end when the walk began.
    pub(super) before: Option<&'a AuditHead>,
    /// The end when it was over.
    pub(super) after: Option<&'a AuditHead>,
    pub(super) anchors: &'a [Anchor],
}

impl<'a> Walk<'a> {
    pub(super) fn new(key: &'a ChainKey) -> Self {
        Self {
            key,
            records: 0,
            problems: Vec::new(),
            links: Vec::new(),
            altered: Vec::new(),
            erased: BTreeMap::new(),
            deleted: HashSet::new(),
        }
    }

    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Looks at the record in the document `document_id`.
    pub(super) fn step(&mut self, document_id: &str, record: AuditLog) {
        self.records += 1;
        if document_id != record.id.as_str() {
            return self.report(Problem::Copied {
                document_id: document_id.to_owned(),
                seq: record.seq,
            });
        }
        if self.key.mac(&record) != record.mac {
            return self.altered.push(record);
        }
        self.check_names(&record);
        if matches!(
            record.action,
            AuditAction::AccountDelete | AuditAction::AccountErase
        ) {
            self.deleted.insert(record.actor_pseudonym);
        }
        self.links.push(Link {
            seq: record.seq,
            id: record.id,
            prev_mac: record.prev_mac,
            mac: record.mac,
        });
    }

    /// The ids are those that the pseudonyms were made of, or erased.
    fn check_names(&mut self, record: &AuditLog) {
        let (id, seq) = (record.id.clone(), record.seq);
        let subject = (&record.subject_id, &record.subject_pseudonym);
        let subject = match subject {
            (Some(id), Some(pseudonym)) => Some((id, pseudonym)),
            (None, None) => None,
            _ => return self.report(Problem::Renamed { id, seq }),
        };
        let actor = Some((&record.actor_id, &record.actor_pseudonym));
        for (name, pseudonym) in actor.into_iter().chain(subject) {
            if *name == erased(pseudonym) {
                let place = self.erased.entry(pseudonym.clone());
                place.or_insert_with(|| (id.clone(), seq));
            } else if self.key.pseudonym(name) != *pseudonym {
                return self.report(Problem::Renamed { id, seq });
            }
        }
    }

    /// How many records there were, and what is wrong.
    pub(super) fn finish(mut self, bounds: &Bounds<'_>) -> (u64, Vec<Problem>) {
        let before = bounds.before.map_or(0, |end| end.seq);
        let after = bounds.after.map_or(0, |end| end.seq);
        self.links
            .sort_by(|one, other| (one.seq, &one.id).cmp(&(other.seq, &other.id)));
        self.altered.sort_by_key(|record| record.seq);
        self.check_links(before);
        self.check_ends(bounds, before, after);
        self.explain_altered(after);
        self.explain_erased();
        (self.records, self.problems)
    }

    /// Each place has one record, which follows the one before. What was appended during the walk
    /// may have been met in part.
    fn check_links(&mut self, end: i64) {
        let taken: BTreeSet<i64> = self.altered.iter().map(|record| record.seq).collect();
        let links = std::mem::take(&mut self.links);
        let mut last: Option<&Link> = None;
        for link in &links {
            let (id, seq) = (link.id.clone(), link.seq);
            let last_seq = last.map_or(0, |last| last.seq);
            if seq <= last_seq {
                self.report(Problem::Inserted { id, seq });
                continue;
            }
            self.report_missing(last_seq + 1, (seq - 1).min(end), &taken);
            let expected = last.map_or("", |last| &last.mac);
            if seq == last_seq + 1 && link.prev_mac != expected {
                self.report(Problem::Unlinked { id, seq });
            }
            last = Some(link);
        }
        self.report_missing(last.map_or(0, |last| last.seq) + 1, end, &taken);
        self.links = links;
    }

    fn report_missing(&mut self, from: i64, to: i64, taken: &BTreeSet<i64>) {
        let mut from = from;
        let stops = taken
            .range(from..=to.max(from))
            .copied()
            .chain([to.saturating_add(1)]);
        for stop in stops.collect::<Vec<_>>() {
            if from < stop {
                self.report(Problem::Missing { from, to: stop - 1 });
            }
            from = stop.saturating_add(1);
        }
    }

    fn check_ends(&mut self, bounds: &Bounds<'_>, before: i64, after: i64) {
        let found = self.links.last().map_or(0, |link| link.seq);
        let end = bounds.before.map(|end| (end.seq, &end.mac));
        if found > after || end.is_some_and(|end| found >= before && !self.holds(end)) {
            let expected = after;
            self.report(Problem::WrongEnd { expected, found });
        }
        for anchor in bounds.anchors {
            if !self.holds((anchor.seq, &anchor.mac)) {
                self.report(Problem::CutBeforeAnchor { seq: anchor.seq });
            }
        }
    }

    fn holds(&self, (seq, mac): (i64, &String)) -> bool {
        let first = self.links.partition_point(|link| link.seq < seq);
        let at_place = self.links[first..]
            .iter()
            .take_while(|link| link.seq == seq);
        at_place.into_iter().any(|link| link.mac == *mac)
    }

    fn explain_altered(&mut self, end: i64) {
        let altered = std::mem::take(&mut self.altered);
        for record in &altered {
            let (id, seq) = (record.id.clone(), record.seq);
            let others = altered.iter().take(MAX_COMPARED).map(|other| other.seq);
            let home = others.filter(|other| *other != seq);
            let mut home = home.filter(|other| self.key.mac_at(record, *other) == record.mac);
            let problem = match home.next() {
                Some(belongs_at) => Problem::Moved {
                    id,
                    seq,
                    belongs_at,
                },
                None if seq > end || self.is_taken(seq) => Problem::Inserted { id, seq },
                None => Problem::Altered { id, seq },
            };
            self.report(problem);
        }
    }

    fn is_taken(&self, seq: i64) -> bool {
        self.links
            .binary_search_by_key(&seq, |link| link.seq)
            .is_ok()
    }

    /// An erasure is on record, or somebody only pretends it.
    fn explain_erased(&mut self) {
        for (pseudonym, (id, seq)) in std::mem::take(&mut self.erased) {
            if !self.deleted.contains(&pseudonym) {
                self.report(Problem::Renamed { id, seq });
            }
        }
    }
}
