//! What a drill has found.

use std::fmt;

use serde::{Deserialize, Serialize};
use shared::models::Timestamp;

use crate::{place::Place, ports::Export};

/// What a drill has found, as it is signed and kept. It names documents and no contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    /// Whether nothing was wrong.
    pub passed: bool,
    /// The database in use.
    pub source: Place,
    /// The database that the export was restored into.
    pub target: Place,
    /// The export.
    pub export: Export,
    /// When the drill began.
    pub started_at: Timestamp,
    /// When everything was compared.
    pub finished_at: Timestamp,
    /// The documents.
    pub collections: Vec<CollectionReport>,
    /// Whether what documents lead to is there.
    pub references: ReferencesReport,
    /// The audit trail.
    pub audit: AuditReport,
    /// The sealed texts, by the version of their key.
    pub sealed: Vec<SealedReport>,
    /// Rules and indexes.
    pub settings: SettingsReport,
    /// Whether the restored database was deleted again.
    pub is_deleted: bool,
}

/// A collection in both databases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CollectionReport {
    /// Its path, with `*` for ids.
    pub name: String,
    /// At the moment of the export.
    pub source: Tally,
    /// As restored.
    pub target: Tally,
    /// How many documents differ.
    pub differences: u64,
    /// The first of them.
    pub named: Vec<Difference>,
}

/// The documents of a collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tally {
    /// How many there are.
    pub documents: u64,
    /// The root of their Merkle tree, in hex.
    pub root: String,
}

/// A document that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Difference {
    /// How.
    pub kind: DifferenceKind,
    /// Which.
    pub path: String,
}

/// How a restored document differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// It holds something else.
    Changed,
    /// It was not restored.
    Missing,
    /// It was not there.
    Extra,
}

/// References among the restored documents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReferencesReport {
    /// How many there are.
    pub checked: u64,
    /// How many lead nowhere.
    pub dangling: u64,
    /// The first of them.
    pub named: Vec<Dangling>,
}

/// A reference that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dangling {
    /// The document.
    pub from: String,
    /// What it leads to.
    pub to: String,
}

/// The restored chains of the audit trail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditReport {
    /// How many there are.
    pub chains: u64,
    /// Their records.
    pub records: u64,
    /// Whether there are anchors of the day before the export, or of the one before that: without
    /// them a tail that was cut cannot be told.
    pub is_anchored: bool,
    /// What is wrong, with the organization.
    pub problems: Vec<String>,
}

/// Sealed texts under one version of the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SealedReport {
    /// The version.
    pub version: String,
    /// How many texts there are.
    pub documents: u64,
    /// How many were opened.
    pub opened: u64,
    /// How many could not be.
    pub unopenable: u64,
}

/// What is in force beside the documents, compared with the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettingsReport {
    /// Whether other rules are in force.
    pub rules_differ: bool,
    /// Indexes of the repository that are not there.
    pub missing_indexes: Vec<String>,
    /// Indexes that the repository does not know.
    pub unknown_indexes: Vec<String>,
}

impl CollectionReport {
    fn is_sound(&self) -> bool {
        self.differences == 0 && self.source == self.target
    }
}

impl Report {
    /// Whether nothing is wrong. An empty database proves nothing.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self.collections.is_empty() && self.problems().is_empty()
    }

    /// How many documents were compared.
    #[must_use]
    pub fn documents(&self) -> u64 {
        let collections = self.collections.iter();
        collections.map(|one| one.source.documents).sum()
    }

    /// What is wrong, a line each.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for collection in self.collections.iter().filter(|one| !one.is_sound()) {
            let name = &collection.name;
            problems.push(format!(
                "{name}: {} documents differ",
                collection.differences
            ));
            problems.extend(collection.named.iter().map(ToString::to_string));
        }
        if self.references.dangling > 0 {
            problems.push(format!(
                "{} references lead nowhere",
                self.references.dangling
            ));
            problems.extend(self.references.named.iter().map(ToString::to_string));
        }
        if !self.audit.is_anchored {
            let missing = "audit trail: no anchors were kept in the days before the export";
            problems.push(missing.to_owned());
        }
        problems.extend(self.audit.problems.iter().cloned());
        let unopenable = self.sealed.iter().filter(|one| one.unopenable > 0);
        problems.extend(unopenable.map(ToString::to_string));
        problems.extend(self.settings.problems());
        if !self.is_deleted {
            problems.push(still_there(&self.target));
        }
        problems
    }
}

/// What is said of a database that could not be deleted.
pub(crate) fn still_there(target: &Place) -> String {
    format!("the restored database {target} is still there")
}

impl SettingsReport {
    fn problems(&self) -> impl Iterator<Item = String> {
        let rules = self
            .rules_differ
            .then(|| "other rules are in force than those of the repository".to_owned());
        let missing = self.missing_indexes.iter();
        let missing = missing.map(|index| format!("not there: {index}"));
        let unknown = self.unknown_indexes.iter();
        let unknown = unknown.map(|index| format!("not in the repository: {index}"));
        rules.into_iter().chain(missing).chain(unknown)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            DifferenceKind::Changed => "changed",
            DifferenceKind::Missing => "missing",
            DifferenceKind::Extra => "extra",
        };
        write!(f, "  {kind}: {}", self.path)
    }
}

impl fmt::Display for Dangling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "  {} leads to {}, which is not there",
            self.from, self.to
        )
    }
}

impl fmt::Display for SealedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            opened,
            unopenable,
            ..
        } = self;
        let tried = opened + unopenable;
        write!(
            f,
            "{unopenable} of {tried} sealed texts under {version} cannot be opened"
        )
    }
}

/// A table of what was compared, and what is wrong.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} → {}, as of {}",
            self.source, self.target, self.export.moment
        )?;
        writeln!(
            f,
            "{:44} {:>9} {:>9}  root",
            "collection", "source", "restored"
        )?;
        for collection in &self.collections {
            let (source, target) = (&collection.source, &collection.target);
            let root = match collection.is_sound() {
                true => source.root.get(..12).unwrap_or_default(),
                false => "DIFFERS",
            };
            let (name, source, target) = (&collection.name, source.documents, target.documents);
            writeln!(f, "{name:44} {source:>9} {target:>9}  {root}")?;
        }
        let ReferencesReport {
            checked, dangling, ..
        } = &self.references;
        writeln!(f, "references: {checked} checked, {dangling} lead nowhere")?;
        let AuditReport {
            chains,
            records,
            problems,
            ..
        } = &self.audit;
        let problems = problems.len();
        writeln!(
            f,
            "audit trail: {chains} chains, {records} records, {problems} problems"
        )?;
        for sealed in &self.sealed {
            let SealedReport {
                version,
                documents,
                opened,
                unopenable,
            } = sealed;
            let tried = opened + unopenable;
            writeln!(
                f,
                "sealed under {version}: {documents}, opened {opened} of {tried}"
            )?;
        }
        let differences = self.settings.problems().count();
        writeln!(f, "rules and indexes: {differences} differences")?;
        for problem in self.problems() {
            writeln!(f, "! {problem}")?;
        }
        let verdict = if self.passed { "passed" } else { "FAILED" };
        write!(f, "{verdict}: {} documents", self.documents())
    }
}
