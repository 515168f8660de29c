//! The drill of a restore, on two embedded databases and with every fault that must not pass it.

mod failures;

use std::{collections::BTreeSet, sync::Arc};

use drill::{Refusal, pattern};
use emulator_tests::drill::{Fault, Scene, collections};
use shared::{
    audit::{Anchors, Trail},
    models::{REFERENCES, SystemPrincipal},
    storage::Directory,
    store::{
        DocumentPath, Store, Write,
        document_db::{Operation, Precondition, ValueType},
    },
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

/// The segments of a reference that are fields.
fn fields(to: &str) -> impl Iterator<Item = &str> {
    let names = to
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{'));
    let names = names.filter_map(|name| name.strip_suffix('}'));
    names.filter(|name| !["id", "parent"].contains(name))
}

/// One by a field that no document has would check nothing.
#[test]
fn every_reference_is_a_text_of_its_model_and_leads_to_a_collection() {
    let documents = models::documents();
    for reference in &REFERENCES {
        let mut samples = documents.iter();
        let is_whole = samples.any(|(path, document)| {
            let is_text = |name| {
                let value = document
                    .get(name)
                    .and_then(|field| field.value_type.as_ref());
                matches!(value, Some(ValueType::StringValue(_)))
            };
            pattern(path) == reference.from && fields(reference.to).all(is_text)
        });
        assert!(is_whole, "{reference:?}");
        if let Some((collection, _)) = reference.to.rsplit_once('/') {
            let segments = collection.split('/');
            let segments = segments.map(|name| if name.starts_with('{') { "*" } else { name });
            let collection = segments.collect::<Vec<_>>().join("/");
            assert!(collections().contains(&*collection), "{reference:?}");
        }
    }
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
async fn anchors_count_until_two_are_missing() {
    const CALLER: SystemPrincipal = SystemPrincipal { function: "test" };
    let scene = scene().await;
    for (age_days, problems) in [
        (2, vec![]),
        (
            3,
            vec!["audit trail: no anchors were kept in the days before the export"],
        ),
    ] {
        let mut drill = scene.drill(None).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        drill.anchors = Anchors::new(Arc::new(Directory::new(folder.path())));
        let trail = Trail::new(
            Store::new(drill.source.firestore.clone()),
            drill.mac.clone(),
        );
        let export = drill.restorer.newest_export().await.unwrap();
        let day = export.moment.plus_seconds(-age_days * 24 * 3_600);
        drill.anchors.keep(&trail, &CALLER, day).await.unwrap();
        let signed = drill.run(&|| ()).await.unwrap();
        assert_eq!(signed.report.problems(), problems, "{age_days}");
        assert_eq!(signed.report.passed, problems.is_empty(), "{age_days}");
    }
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
