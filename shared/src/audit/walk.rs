use std::collections::{BTreeMap, HashSet};

use super::{Anchor, Problem, chain::ChainKey, erase::erased};
use crate::{
    ids::RecordId,
    models::{AuditAction, AuditHead, AuditLog},
};

/// Altered records among which a swap is looked for; it costs the square of their number.
const MAX_COMPARED: usize = 500;

/// A place of the chain and the tag of the record that must stand there.
type Mark = (i64, String);

/// A walk along a chain: what was met so far and what was wrong with it.
pub(super) struct Walk<'a> {
    key: &'a ChainKey,
    records: u64,
    problems: Vec<Problem>,
    last_seq: i64,
    last_valid: Option<Mark>,
    /// Where the chain ended when the walk began, until it is met.
    end: Option<Mark>,
    /// What an anchor names, until it is met.
    anchor: Option<Mark>,
    altered: Vec<AuditLog>,
    /// Places that several records claim.
    contested: HashSet<i64>,
    /// Pseudonyms that stand in the place of an id, with a record where each does.
    erased: BTreeMap<String, (i64, RecordId)>,
    /// Pseudonyms of deleted accounts.
    deleted: HashSet<String>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(key: &'a ChainKey, end: Option<&AuditHead>, anchor: Option<&Anchor>) -> Self {
        Self {
            key,
            records: 0,
            problems: Vec::new(),
            last_seq: 0,
            last_valid: None,
            end: end.map(|end| (end.seq, end.mac.clone())),
            anchor: anchor.map(|anchor| (anchor.seq, anchor.mac.clone())),
            altered: Vec::new(),
            contested: HashSet::new(),
            erased: BTreeMap::new(),
            deleted: HashSet::new(),
        }
    }

    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Looks at the next record; records come by place.
    pub(super) fn step(&mut self, record: &AuditLog) {
        self.records += 1;
        if record.seq > self.last_seq + 1 {
            self.report(Problem::Missing {
                from: self.last_seq + 1,
                to: record.seq - 1,
            });
        }
        if record.seq == self.last_seq {
            self.contested.insert(record.seq);
        }
        self.last_seq = self.last_seq.max(record.seq);
        if self.key.mac(record) == record.mac {
            self.step_valid(record);
        } else {
            self.altered.push(record.clone());
        }
    }

    /// A record that the chain's key has written, perhaps for another place or another time.
    fn step_valid(&mut self, record: &AuditLog) {
        let (id, seq) = (record.id.clone(), record.seq);
        let expected = match &self.last_valid {
            Some((last, mac)) if last + 1 == seq => Some(mac.as_str()),
            None if seq == 1 => Some(""),
            _ => None,
        };
        if expected.is_some_and(|mac| mac != record.prev_mac) {
            self.report(Problem::Unlinked { id, seq });
        }
        self.check_names(record);
        if matches!(
            record.action,
            AuditAction::AccountDelete | AuditAction::AccountErase
        ) {
            self.deleted.insert(record.actor_pseudonym.clone());
        }
        let mark = (seq, record.mac.clone());
        self.end.take_if(|end| *end == mark);
        self.anchor.take_if(|anchor| *anchor == mark);
        self.last_valid = Some(mark);
    }

    /// The ids are those that the pseudonyms were made of, or erased.
    fn check_names(&mut self, record: &AuditLog) {
        let subject = (&record.subject_id, &record.subject_pseudonym);
        let subject = match subject {
            (Some(id), Some(pseudonym)) => Some((id, pseudonym)),
            (None, None) => None,
            _ => return self.renamed(record),
        };
        let actor = Some((&record.actor_id, &record.actor_pseudonym));
        for (id, pseudonym) in actor.into_iter().chain(subject) {
            if *id == erased(pseudonym) {
                let place = (record.seq, record.id.clone());
                self.erased.entry(pseudonym.clone()).or_insert(place);
            } else if self.key.pseudonym(id) != *pseudonym {
                return self.renamed(record);
            }
        }
    }

    fn renamed(&mut self, record: &AuditLog) {
        let (id, seq) = (record.id.clone(), record.seq);
        self.report(Problem::Renamed { id, seq });
    }

    /// How many records there were and what is wrong; `end` is where the chain ends now.
    pub(super) fn finish(mut self, end: i64) -> (u64, Vec<Problem>) {
        self.explain_altered(end);
        let unexplained = std::mem::take(&mut self.erased);
        for (pseudonym, (seq, id)) in unexplained {
            if !self.deleted.contains(&pseudonym) {
                self.report(Problem::Renamed { id, seq });
            }
        }
        let (expected, found) = (end, self.last_seq);
        if self.end.is_some() || expected < found {
            self.report(Problem::WrongEnd { expected, found });
        }
        if let Some((seq, _)) = self.anchor.take() {
            self.report(Problem::CutBeforeAnchor { seq });
        }
        (self.records, self.problems)
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
                None if seq > end || self.contested.contains(&seq) => Problem::Inserted { id, seq },
                None => Problem::Altered { id, seq },
            };
            self.report(problem);
        }
    }
}
