//! Drills in which the platform fails on the way.

use std::{
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use drill::{Drill, Error, Export, Restorer, SignedReport, drill_and_keep};
use emulator_tests::drill::Scene;
use shared::storage::Directory;
use tempfile::TempDir;

use super::scene;

const STILL_THERE: &str = "the restored database demo-infinity-x-drill/(default) is still there";

/// The local platform, which refuses some of what it is asked.
struct Refusing {
    local: Arc<dyn Restorer>,
    imports: bool,
    deletions: bool,
    /// How often it was asked to delete.
    asked: AtomicUsize,
}

#[async_trait]
impl Restorer for Refusing {
    async fn bystanders(&self) -> Result<Vec<String>, Error> {
        self.local.bystanders().await
    }

    async fn newest_export(&self) -> Result<Export, Error> {
        self.local.newest_export().await
    }

    async fn create(&self) -> Result<(), Error> {
        self.local.create().await
    }

    /// What is refused half way leaves documents.
    async fn import(&self, export: &Export) -> Result<(), Error> {
        self.local.import(export).await?;
        refuse(self.imports)
    }

    async fn delete(&self) -> Result<(), Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        refuse(self.deletions)?;
        self.local.delete().await
    }
}

fn refuse(refuses: bool) -> Result<(), Error> {
    match refuses {
        true => Err(Error::Refused("on purpose".to_owned())),
        false => Ok(()),
    }
}

/// A drill on a platform that refuses imports or deletions.
async fn refused(scene: &Scene, imports: bool, deletions: bool) -> (Drill, Arc<Refusing>) {
    let mut drill = scene.drill(None).await.unwrap();
    let restorer = Arc::new(Refusing {
        local: drill.restorer.clone(),
        imports,
        deletions,
        asked: AtomicUsize::new(0),
    });
    drill.restorer = restorer.clone();
    (drill, restorer)
}

/// How a drill ends for the job, and its bucket of reports.
async fn outcome(drill: &Drill) -> (anyhow::Result<ExitCode>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let bucket = Directory::new(folder.path());
    (drill_and_keep(drill, &bucket, false).await, folder)
}

/// The only report of a verdict.
fn kept(folder: &Path, verdict: &str) -> SignedReport {
    let reports = std::fs::read_dir(folder.join("drills").join(verdict)).unwrap();
    let reports: Vec<_> = reports.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(reports.len(), 1);
    serde_json::from_slice(&std::fs::read(&reports[0]).unwrap()).unwrap()
}

#[tokio::test]
async fn after_an_import_that_fails_there_is_no_report_and_nothing_left() {
    let scene = scene().await;
    let (drill, restorer) = refused(&scene, true, false).await;
    let (ended, folder) = outcome(&drill).await;
    let told = format!("{:#}", ended.unwrap_err());
    assert!(told.starts_with("the export cannot be imported"), "{told}");
    assert_eq!(restorer.asked.load(Ordering::Relaxed), 1);
    assert!(!folder.path().join("drills").exists());
    assert!(
        scene.run(&|| ()).await.unwrap().report.passed,
        "it is empty"
    );
}

#[tokio::test]
async fn a_database_that_stays_after_an_import_that_failed_is_named() {
    let scene = scene().await;
    let (drill, restorer) = refused(&scene, true, true).await;
    let (ended, _folder) = outcome(&drill).await;
    let told = format!("{:#}", ended.unwrap_err());
    assert!(told.starts_with(STILL_THERE), "{told}");
    assert!(told.contains("the export cannot be imported"), "{told}");
    assert_eq!(restorer.asked.load(Ordering::Relaxed), 1);
    let next = scene.run(&|| ()).await.unwrap_err();
    assert!(
        format!("{next:#}").contains("it is there already"),
        "{next:#}"
    );
}

#[tokio::test]
async fn a_drill_whose_database_stays_has_failed_and_names_it() {
    let scene = scene().await;
    let (drill, restorer) = refused(&scene, false, true).await;
    let (ended, folder) = outcome(&drill).await;
    assert_eq!(ended.unwrap(), ExitCode::FAILURE);
    assert_eq!(restorer.asked.load(Ordering::Relaxed), 1);
    let signed = kept(folder.path(), "failed");
    assert_eq!(signed.report.problems(), [STILL_THERE]);
    scene.verify(&signed).await.unwrap();
}

#[tokio::test]
async fn a_drill_that_passes_ends_well_and_keeps_its_report() {
    let scene = scene().await;
    let (drill, _) = refused(&scene, false, false).await;
    let (ended, folder) = outcome(&drill).await;
    assert_eq!(ended.unwrap(), ExitCode::SUCCESS);
    assert!(kept(folder.path(), "passed").report.passed);
}
