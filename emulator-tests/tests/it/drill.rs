//! The drill of a restore, on two embedded databases and with every fault that must not pass it.

use std::collections::BTreeSet;

use drill::{Refusal, pattern};
use emulator_tests::drill::{Fault, Scene, collections};
use shared::store::{
    DocumentPath, Write,
    document_db::{Operation, Precondition},
};

use crate::models;

/// The least that fills all collections, with several pages of documents.
const DOCUMENTS: usize = 700;

async fn scene() -> Scene {
    Scene::start(DOCUMENTS, &|| ()).await.unwrap()
}

fn writes() -> Vec<Write> {
    let documents = models::documents().into_iter();
    let writes = documents.map(|(path, fields)| Write {
        path,
        operation: Operation::Replace(fields),
        precondition: Precondition::None,
    });
    writes.collect()
}

#[test]
fn every_collection_of_the_models_is_filled() {
    let models = models::documents();
    let models: BTreeSet<String> = models.iter().map(|(path, _)| pattern(path)).collect();
    let filled: BTreeSet<String> = collections().into_iter().map(str::to_owned).collect();
    assert_eq!(filled, models);
}

#[tokio::test]
async fn a_restored_database_passes_whatever_happens_after_the_export() {
    let scene = scene().await;
    let drill = scene.drill(None).await.unwrap();
    let deleted = Write {
        path: DocumentPath::new("workflows", "0000-0000"),
        operation: Operation::Delete,
        precondition: Precondition::Exists,
    };
    scene.write_after_export(vec![deleted]).await.unwrap();
    let signed = drill.run(&|| ()).await.unwrap();
    assert_eq!(signed.report.problems(), Vec::<String>::new());
    assert!(signed.report.passed);
    assert!(signed.report.documents() >= DOCUMENTS as u64);
    assert_eq!(signed.report.collections.len(), collections().len());
    assert!(signed.report.references.checked > signed.report.documents() / 2);
    let versions = signed.report.sealed.iter();
    let opened: Vec<(&str, bool)> = versions
        .map(|one| (one.version.as_str(), one.opened > 0))
        .collect();
    assert_eq!(opened, [("local/1", true), ("local/2", true)]);
    scene.verify(&signed).await.unwrap();
}

/// Values of all models come back as they were.
#[tokio::test]
async fn documents_of_every_model_are_equal_after_a_restore() {
    let mut scene = scene().await;
    scene.write(writes()).await.unwrap();
    let signed = scene.run(&|| ()).await.unwrap();
    let collections = signed.report.collections.iter();
    let differences: Vec<_> = collections.flat_map(|one| &one.named).collect();
    assert!(differences.is_empty(), "{differences:?}");
    // Samples lead nowhere and are no records of a chain.
    assert!(!signed.report.passed);
}

#[tokio::test]
async fn each_fault_is_caught_as_what_it_is_and_leaves_nothing_behind() {
    let mut scene = scene().await;
    for fault in Fault::ALL {
        scene.run_with(fault, &|| ()).await.unwrap();
    }
    assert!(scene.run(&|| ()).await.unwrap().report.passed);
}

#[tokio::test]
async fn a_drill_into_its_source_does_nothing() {
    let scene = scene().await;
    let drill = scene.drill(Some(Fault::SameTarget)).await.unwrap();
    let refused = drill.run(&|| panic!("it compares")).await.unwrap_err();
    let refused: Refusal = refused.downcast().unwrap();
    assert_eq!(refused, Refusal::SameDatabase);
    assert!(scene.run(&|| ()).await.unwrap().report.passed);
}
