//! One drill from the export to the report.

use std::sync::Arc;

use anyhow::{Context, Result};
use shared::{
    audit::{Anchors, Trail},
    clock::SharedClock,
    crypto::{EncryptionKey, Envelope, MacKey},
    models::{SystemPrincipal, Timestamp},
    store::{
        Store,
        document_db::Document,
        firestore::{Firestore, FirestoreSnapshot},
    },
};

use crate::{
    comparison::{Comparison, Witness},
    place::{Place, Refusal},
    ports::{Deployed, Export, Restorer},
    references::References,
    report::{AuditReport, Report, still_there},
    sealed::Sample,
    settings,
    signed::SignedReport,
};

/// Acts for itself, across organizations.
const CALLER: SystemPrincipal = SystemPrincipal { function: "drill" };

/// Anchors are kept once a day: those of the export's day may be younger than the export.
const ANCHOR_AGE_SECS: i64 = 24 * 3_600;

/// A database with where it is.
#[derive(Clone)]
pub struct Database {
    /// Where it is.
    pub place: Place,
    /// What reads it.
    pub firestore: Arc<Firestore>,
}

/// What a drill works with.
pub struct Drill {
    /// The database in use.
    pub source: Database,
    /// What the export is restored into.
    pub target: Database,
    /// What restores it.
    pub restorer: Arc<dyn Restorer>,
    /// Rules and indexes in force.
    pub deployed: Arc<dyn Deployed>,
    /// The key of the audit trail, which signs the report as well.
    pub mac: Arc<dyn MacKey>,
    /// The key of sealed texts.
    pub key: Arc<dyn EncryptionKey>,
    /// The ends of the audit trail's chains, kept elsewhere.
    pub anchors: Anchors,
    /// The time.
    pub clock: SharedClock,
}

impl Drill {
    /// Restores the newest export, compares it, and deletes it again. `progress` is told after each
    /// document.
    ///
    /// # Errors
    /// Returns a [`Refusal`] before anything was done, and what could not be read or restored. What
    /// is wrong with what was restored is in the report.
    pub async fn run(&self, progress: &(dyn Fn() + Send + Sync)) -> Result<SignedReport> {
        self.target.place.check_target_of(&self.source.place)?;
        let started_at = self.now();
        let bystanders = self.restorer.bystanders().await;
        let bystanders = bystanders.context("triggers of the target cannot be listed")?;
        if !bystanders.is_empty() {
            return Err(Refusal::SideEffects(bystanders).into());
        }
        let export = self.restorer.newest_export().await?;
        let created = self.restorer.create().await;
        created.context("the target cannot be made")?;
        let compared = self.restore_and_compare(export, started_at, progress).await;
        let deleted = self.restorer.delete().await;
        if let Err(error) = &deleted {
            let (error, target) = (error as &dyn std::error::Error, &self.target.place);
            tracing::error!(error, drill.database = %target, "the restored database is still there");
        }
        let mut report = match &deleted {
            Ok(()) => compared?,
            Err(_) => compared.with_context(|| still_there(&self.target.place))?,
        };
        report.is_deleted = deleted.is_ok();
        report.passed = report.is_sound();
        Ok(SignedReport::new(report, self.mac.as_ref()).await?)
    }

    async fn restore_and_compare(
        &self,
        export: Export,
        started_at: Timestamp,
        progress: &(dyn Fn() + Send + Sync),
    ) -> Result<Report> {
        let imported = self.restorer.import(&export).await;
        imported.context("the export cannot be imported")?;
        let source = self.snapshot(&self.source, Some(export.moment));
        let target = self.snapshot(&self.target, None);
        let mut findings = Findings::new(&self.target.place);
        let mut comparison = Comparison::new(&source, &target);
        while comparison.step(&mut findings).await? {
            progress();
            findings.references.settle_full(&target).await?;
        }
        findings.references.settle(&target).await?;
        let audit = self.verify_trail(export.moment).await?;
        let envelope = Envelope::new(self.key.clone(), self.clock.clone());
        let sealed = findings.sample.open(&envelope).await;
        let settings = settings::compare(self.deployed.as_ref()).await;
        Ok(Report {
            passed: false,
            is_deleted: false,
            source: self.source.place.clone(),
            target: self.target.place.clone(),
            export,
            started_at,
            finished_at: self.now(),
            collections: comparison.finish(),
            references: findings.references.finish(),
            audit,
            sealed: sealed.context("sealed texts cannot be tried")?,
            settings: settings.context("rules and indexes cannot be read")?,
        })
    }

    /// Walks along the restored chains, by the anchors that were kept before the export.
    async fn verify_trail(&self, moment: Timestamp) -> Result<AuditReport> {
        let store = Store::new(self.target.firestore.clone());
        let trail = Trail::new(store, self.mac.clone());
        let before = moment.plus_seconds(-ANCHOR_AGE_SECS);
        let kept = self.anchors.load(before).await?;
        let mut audit = AuditReport {
            is_anchored: kept.is_recent(before),
            ..AuditReport::default()
        };
        for (org_id, chain) in &trail.chains(&CALLER, kept).await? {
            let walk = trail.verify_chain(&CALLER, (org_id, chain), |_| ());
            let walked = walk.await?;
            audit.chains += 1;
            audit.records += walked.records;
            let problems = walked.problems.iter();
            let problems = problems.map(|problem| format!("audit trail of {org_id}: {problem}"));
            audit.problems.extend(problems);
        }
        Ok(audit)
    }

    fn snapshot(&self, database: &Database, moment: Option<Timestamp>) -> FirestoreSnapshot {
        FirestoreSnapshot::new(database.firestore.clone(), moment)
    }

    fn now(&self) -> Timestamp {
        self.clock.now().into()
    }
}

/// What is found on the way along the restored documents.
struct Findings {
    references: References,
    sample: Sample,
}

impl Findings {
    fn new(target: &Place) -> Self {
        Self {
            references: References::default(),
            sample: Sample::new(&target.to_string()),
        }
    }
}

impl Witness for Findings {
    fn see(&mut self, collection: &str, document: &Document) {
        self.references.add(collection, document);
        self.sample.add(collection, document);
    }
}
