use std::sync::Arc;

use ::drill::{DifferenceKind, Refusal, Report, SignedReport, Unproved};
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use shared::{
    clock::SystemClock,
    crypto::{Envelope, LocalKeys, MacKey},
    store::{
        DocumentPath, Write,
        document_db::{Document, DocumentDb, Operation, Precondition, Query, ValueType, value},
        firestore::Firestore,
    },
};

use super::{
    KeyFile,
    population::{id, put, sealed},
};

/// What must not pass a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// A restored document holds something else.
    Changed,
    /// A document was not restored.
    Missing,
    /// A document was restored that was not there.
    Extra,
    /// A document leads to an organization that is not there; both databases have it.
    Dangling,
    /// Credentials are sealed under a version of the key that nobody has any more.
    KeyVersion,
    /// A record of the audit trail was edited before the export.
    AuditChain,
    /// The end of an organization's audit trail was cut off before the export.
    AuditTail,
    /// No ends of chains were kept elsewhere.
    NoAnchors,
    /// Other rules are in force than those of the repository.
    Rules,
    /// An index of the repository is not there.
    Index,
    /// The target is the source.
    SameTarget,
    /// A trigger acts on the target.
    SideEffects,
    /// The report says something else than was signed.
    ForgedReport,
}

/// How a fault was caught, a line.
pub type Caught = String;

/// What a fault changes in the database before the export, and how that is undone.
#[derive(Default)]
pub(super) struct Planted {
    pub(super) writes: Vec<Write>,
    pub(super) undo: Vec<Write>,
}

impl Planted {
    pub(super) async fn new(fault: Fault, source: &Firestore, keys: &KeyFile) -> Result<Self> {
        let writes = match fault {
            Fault::Dangling => {
                let mut agent = first(source, "agents").await?;
                let nowhere = value(ValueType::StringValue("nowhere".to_owned()));
                agent.fields.insert("orgId".to_owned(), nowhere);
                vec![put(agent.path, agent.fields)]
            }
            Fault::KeyVersion => {
                let envelope =
                    Envelope::new(Arc::new(LocalKeys::new(keys.path())), SystemClock::shared());
                keys.use_lost()?;
                let write = sealed(&envelope, &id(0, 0), &id(0, 0)).await;
                keys.rotate()?;
                vec![write?]
            }
            Fault::AuditChain => {
                let mut record = first(source, "audit_logs").await?;
                let edited = value(ValueType::StringValue(r#"{"number":99}"#.to_owned()));
                record.fields.insert("metadata".to_owned(), edited);
                vec![put(record.path, record.fields)]
            }
            Fault::AuditTail => cut_tail(source).await?,
            _ => Vec::new(),
        };
        let mut undo = Vec::new();
        for write in &writes {
            let before = source.get(&write.path).await?;
            let before = before.with_context(|| format!("no `{}`", write.path))?;
            undo.push(put(before.path, before.fields));
        }
        Ok(Self { writes, undo })
    }
}

/// Deletes the last record of a chain and sets its end to the one before.
async fn cut_tail(source: &Firestore) -> Result<Vec<Write>> {
    let mut head = first(source, "audit_heads").await?;
    let records = source
        .query(&Query::new("audit_logs", u32::MAX >> 1))
        .await?;
    let last = head.fields.get("mac").cloned();
    let is_last = |record: &&Document| record.fields.get("mac") == last.as_ref();
    let last = records.iter().find(is_last).context("no last record")?;
    let before = last.fields.get("prevMac").cloned().context("no link")?;
    let seq = last
        .fields
        .get("seq")
        .and_then(|seq| seq.value_type.clone());
    let Some(ValueType::IntegerValue(seq)) = seq else {
        bail!("the last record has no number");
    };
    head.fields.insert("mac".to_owned(), before);
    let seq = value(ValueType::IntegerValue(seq - 1));
    head.fields.insert("seq".to_owned(), seq);
    Ok(vec![remove(last.path.clone()), put(head.path, head.fields)])
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Changed,
        Self::Missing,
        Self::Extra,
        Self::Dangling,
        Self::KeyVersion,
        Self::AuditChain,
        Self::AuditTail,
        Self::NoAnchors,
        Self::Rules,
        Self::Index,
        Self::SameTarget,
        Self::SideEffects,
        Self::ForgedReport,
    ];

    /// As the command line has it.
    #[must_use]
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What it changes in the restored database.
    pub(super) async fn damage(self, target: &Firestore) -> Result<Vec<Write>> {
        Ok(match self {
            Self::Changed => {
                let mut document = first(target, "workflows").await?;
                let number = value(ValueType::DoubleValue(0.0));
                document.fields.insert("number".to_owned(), number);
                vec![put(document.path, document.fields)]
            }
            Self::Missing => vec![remove(first(target, "usage_ledger").await?.path)],
            Self::Extra => {
                let mut document = first(target, "triggers").await?;
                document.path = DocumentPath::new("triggers", "from-elsewhere");
                vec![put(document.path, document.fields)]
            }
            _ => Vec::new(),
        })
    }

    /// Whether the outcome of a drill is that this fault was caught, and nothing else.
    pub(super) async fn judge(
        self,
        outcome: Result<SignedReport>,
        key: &dyn MacKey,
    ) -> Result<Caught> {
        match self {
            Self::SameTarget | Self::SideEffects => self.judge_refusal(outcome),
            Self::ForgedReport => {
                let mut signed = outcome?;
                ensure!(signed.report.passed, "the drill itself has failed");
                signed.report.references.checked += 1;
                match signed.verify(key).await {
                    Err(Unproved::Changed) => Ok(Unproved::Changed.to_string()),
                    other => bail!("the forged report is taken: {other:?}"),
                }
            }
            _ => {
                let signed = outcome?;
                signed.verify(key).await?;
                self.judge_report(&signed.report)
            }
        }
    }

    fn judge_refusal(self, outcome: Result<SignedReport>) -> Result<Caught> {
        let refused = match outcome {
            Ok(_) => bail!("the drill took place"),
            Err(error) => error.downcast::<Refusal>()?,
        };
        let is_right = match self {
            Self::SameTarget => refused == Refusal::SameDatabase,
            _ => matches!(refused, Refusal::SideEffects(_)),
        };
        ensure!(is_right, "refused for another reason: {refused}");
        Ok(format!("refused: {refused}"))
    }

    /// Each fault is one problem of its own kind; a document that differs is named below it.
    fn judge_report(self, report: &Report) -> Result<Caught> {
        let problems = report.problems();
        let all = problems.join("; ");
        ensure!(!report.passed, "the drill has passed");
        let differences: u64 = report.collections.iter().map(|one| one.differences).sum();
        let named = report.collections.iter().flat_map(|one| &one.named);
        let kinds: Vec<DifferenceKind> = named.map(|difference| difference.kind).collect();
        let lost = report.sealed.iter().map(|one| one.unopenable).sum::<u64>();
        let settings = &report.settings;
        let found = [
            differences == 1 && kinds == [DifferenceKind::Changed],
            differences == 1 && kinds == [DifferenceKind::Missing],
            differences == 1 && kinds == [DifferenceKind::Extra],
            report.references.dangling > 0,
            lost == 1,
            !report.audit.problems.is_empty(),
            settings.rules_differ,
            settings.missing_indexes.len() == 1,
            !report.audit.is_anchored,
        ];
        let place = match self {
            Self::Changed => 0,
            Self::Missing => 1,
            Self::Extra => 2,
            Self::Dangling => 3,
            Self::KeyVersion => 4,
            Self::AuditChain | Self::AuditTail => 5,
            Self::Rules => 6,
            Self::Index => 7,
            Self::NoAnchors => 8,
            Self::SameTarget | Self::SideEffects | Self::ForgedReport => bail!("no report"),
        };
        let is_alone = found.iter().filter(|is_found| **is_found).count() == 1;
        ensure!(found[place] && is_alone, "caught as something else: {all}");
        Ok(all)
    }
}

async fn first(firestore: &Firestore, collection: &str) -> Result<Document> {
    let found = firestore.query(&Query::new(collection, 1)).await?;
    let first = found.into_iter().next();
    first.with_context(|| format!("nothing in `{collection}`"))
}

fn remove(path: DocumentPath) -> Write {
    Write {
        path,
        operation: Operation::Delete,
        precondition: Precondition::None,
    }
}
