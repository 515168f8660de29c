//! The drill of a restore on two embedded databases, and what must not pass it.
//!
//! Export and import are those of the emulator's format, not Google's service.

mod fault;
mod key_file;
mod local;
mod population;

use std::sync::Arc;

use ::drill::{Database, Drill, Place, SignedReport};
use anyhow::{Context, Result, ensure};
use shared::{
    audit::{Anchors, Trail},
    clock::{Clock, SystemClock},
    config::ServiceConfig,
    crypto::{LocalKeys, LocalMac, MacKey},
    models::{SystemPrincipal, Timestamp},
    storage::Directory,
    store::{Store, Write, document_db::DocumentDb, firestore::Firestore},
};
use tempfile::TempDir;

use self::{
    fault::Planted,
    key_file::KeyFile,
    local::{Installed, LocalRestorer},
    population::Population,
};
pub use self::{
    fault::{Caught, Fault},
    population::collections,
};
use crate::emulators::firestore::{EmbeddedFirestore, FirestoreOptions};

const SOURCE_PROJECT: &str = "demo-infinity-x";
const TARGET_PROJECT: &str = "demo-infinity-x-drill";
const DATABASE: &str = "(default)";

const DAY_SECS: i64 = 24 * 3_600;

/// Acts for the drill that is rehearsed.
const CALLER: SystemPrincipal = SystemPrincipal { function: "drill" };

/// Told of each document.
pub type Progress<'a> = dyn Fn() + Send + Sync + 'a;

/// Two databases, one of them full.
pub struct Scene {
    source: EmbeddedFirestore,
    target: EmbeddedFirestore,
    directory: TempDir,
    keys: KeyFile,
    /// When the source was last written.
    moment: Timestamp,
}

impl Scene {
    /// Starts both, and fills one with so many documents of all collections at least.
    ///
    /// # Errors
    /// Returns what could not be started or written.
    pub async fn start(documents: usize, progress: &Progress<'_>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let keys = KeyFile::new(directory.path().join("keys.json"))?;
        let mut scene = Self {
            source: start(SOURCE_PROJECT).await?,
            target: start(TARGET_PROJECT).await?,
            directory,
            keys,
            moment: SystemClock.now().into(),
        };
        let firestore = scene.source();
        let population = Population::new(firestore, scene.mac(), &scene.keys);
        scene.moment = population.settle(documents, progress).await?;
        let yesterday = scene.moment.plus_seconds(-DAY_SECS);
        let (anchors, trail) = (scene.anchors(), scene.trail());
        let kept = anchors.keep(&trail, &CALLER, yesterday).await?;
        ensure!(kept.is_some(), "there are anchors already");
        Ok(scene)
    }

    /// One drill without faults.
    ///
    /// # Errors
    /// Returns what could not be restored or read.
    pub async fn run(&self, progress: &Progress<'_>) -> Result<SignedReport> {
        self.drill(None).await?.run(progress).await
    }

    /// Plants a fault, does a drill, takes the fault out, and tells how it was caught.
    ///
    /// # Errors
    /// Returns that it was not, or what could not be restored or read.
    pub async fn run_with(&mut self, fault: Fault, progress: &Progress<'_>) -> Result<Caught> {
        let planted = self.plant(fault).await?;
        let drill = self.drill(Some(fault)).await?;
        let outcome = drill.run(progress).await;
        let caught = fault.judge(outcome, self.mac().as_ref()).await;
        self.uproot(planted).await?;
        caught.with_context(|| fault.name())
    }

    /// Whether the report is the one that was signed.
    ///
    /// # Errors
    /// Returns that it is not.
    pub async fn verify(&self, signed: &SignedReport) -> Result<()> {
        Ok(signed.verify(self.mac().as_ref()).await?)
    }

    /// Writes into the database in use, past all rules.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn write(&mut self, writes: Vec<Write>) -> Result<()> {
        self.moment = self.source().commit(writes).await?;
        Ok(())
    }

    /// Writes into it what the next drill's export is too old for.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn write_after_export(&self, writes: Vec<Write>) -> Result<()> {
        self.source().commit(writes).await?;
        Ok(())
    }

    /// Exports the database, as the nightly job does, and makes ready for a drill with it.
    ///
    /// # Errors
    /// Returns why there is no export.
    pub async fn drill(&self, fault: Option<Fault>) -> Result<Drill> {
        let restorer = LocalRestorer::new(self, fault);
        restorer.export().await?;
        let source = place(SOURCE_PROJECT);
        let target = match fault {
            Some(Fault::SameTarget) => source.clone(),
            _ => place(TARGET_PROJECT),
        };
        Ok(Drill {
            source: Database {
                place: source,
                firestore: self.source(),
            },
            target: Database {
                place: target,
                firestore: self.target(),
            },
            restorer: Arc::new(restorer),
            deployed: Arc::new(Installed::new(fault)),
            mac: self.mac(),
            key: Arc::new(LocalKeys::new(self.keys.path())),
            anchors: match fault {
                Some(Fault::NoAnchors) => self.anchors_in("empty"),
                _ => self.anchors(),
            },
            clock: SystemClock::shared(),
        })
    }

    async fn plant(&mut self, fault: Fault) -> Result<Planted> {
        let planted = Planted::new(fault, &self.source(), &self.keys).await?;
        if !planted.writes.is_empty() {
            self.write(planted.writes.clone()).await?;
        }
        Ok(planted)
    }

    async fn uproot(&mut self, planted: Planted) -> Result<()> {
        if !planted.undo.is_empty() {
            self.write(planted.undo).await?;
        }
        Ok(())
    }

    fn source(&self) -> Arc<Firestore> {
        connect(SOURCE_PROJECT, &self.source)
    }

    fn target(&self) -> Arc<Firestore> {
        connect(TARGET_PROJECT, &self.target)
    }

    fn mac(&self) -> Arc<dyn MacKey> {
        Arc::new(LocalMac::new("drill".into()))
    }

    fn trail(&self) -> Trail {
        Trail::new(Store::new(self.source()), self.mac())
    }

    fn anchors(&self) -> Anchors {
        self.anchors_in("anchors")
    }

    fn anchors_in(&self, folder: &str) -> Anchors {
        let directory = self.directory.path().join(folder);
        Anchors::new(Arc::new(Directory::new(directory)))
    }
}

fn place(project: &str) -> Place {
    Place {
        project: project.to_owned(),
        database: DATABASE.to_owned(),
    }
}

async fn start(project: &str) -> Result<EmbeddedFirestore> {
    let options = FirestoreOptions {
        port: 0,
        project_id: project.to_owned(),
        rules_source: ::drill::RULES.to_owned(),
        data_dir: None,
    };
    EmbeddedFirestore::start(options).await
}

fn connect(project: &str, server: &EmbeddedFirestore) -> Arc<Firestore> {
    let config = ServiceConfig {
        project_id: project.to_owned(),
        port: 0,
        database_id: DATABASE.to_owned(),
        firestore_emulator_host: Some(server.host()),
        json_logs: false,
    };
    Arc::new(Firestore::new(&config))
}
