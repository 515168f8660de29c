use std::{collections::BTreeSet, pin::pin, sync::Arc};

use shared::{
    models::{IntegrationService, IntegrationStatus, KnowledgeUse, ORGANIZATION},
    store::knowledge,
    testing::killed_after,
};
use sync_google_workspace::Settings;

use crate::{
    app::{Options, TestApp, due},
    world::World,
};

const OLD: &str = "text-embedding-3-small";
const NEW: &str = "text-embedding-3-large";

/// The same world with another model.
fn with_model(mut world: World, model: &str) -> World {
    let options = Options {
        settings: Settings {
            embedding_model: model.to_owned(),
            ..Settings::default()
        },
        ..Options::default()
    };
    let vault = Arc::new(world.vault.clone());
    world.app = TestApp::on(
        world.app.db.clone(),
        world.app.clock.clone(),
        vault,
        options,
    );
    world
}

fn models(world: &World) -> BTreeSet<String> {
    let chunks = world.chunks().into_iter();
    chunks.map(|chunk| chunk.embedding_model).collect()
}

#[tokio::test]
async fn another_model_takes_over_without_a_gap_wherever_a_worker_dies() {
    for polls in (1..400).step_by(13) {
        let world = World::new().await;
        for number in 0..3 {
            world
                .user
                .create_document("Plan", &format!("Build engine {number}."));
        }
        world.sync_well().await;
        let mut texts: Vec<_> = world.chunks().into_iter().map(|chunk| chunk.text).collect();
        let world = with_model(world, NEW);
        let died = killed_after(polls, world.sync()).await.is_none();
        let searched = world.used().embedding_model.unwrap();
        let chunks = world.chunks().into_iter();
        let found = chunks
            .filter(|chunk| chunk.embedding_model == searched)
            .count();
        assert_eq!(found, 3, "after {polls}: a text is not found");
        world.user.create_document("Plan", "Build engine 3.");
        texts.push("Build engine 3.".to_owned());
        world.advance(61);
        world.sync_well().await;
        world.sync_well().await;
        assert_eq!(
            models(&world),
            BTreeSet::from([NEW.to_owned()]),
            "after {polls}"
        );
        let mut after: Vec<_> = world.chunks().into_iter().map(|chunk| chunk.text).collect();
        after.sort();
        texts.sort();
        assert_eq!(after, texts, "after {polls}");
        let used = world.used();
        assert_eq!(used.embedding_model.as_deref(), Some(NEW));
        assert_eq!((used.next_model, used.previous_model), (None, None));
        if !died {
            return;
        }
    }
    panic!("the worker never comes to its end");
}

#[tokio::test]
async fn a_text_that_goes_after_the_change_leaves_nothing_behind() {
    let world = World::new().await;
    let file = world.user.create_document("Plan", "Build the engine.");
    world.user.create_document("Another", "Build another.");
    world.sync_well().await;
    let world = with_model(world, NEW);
    world.sync_well().await;
    world.user.delete_file(&file);
    world.sync_well().await;
    assert_eq!(world.chunks().len(), 1);
    let world = with_model(world, OLD);
    world.sync_well().await;
    assert_eq!(models(&world), BTreeSet::from([OLD.to_owned()]));
    assert_eq!(world.chunks().len(), 1);
}

/// Sets what is kept of the change of the model.
async fn set_use(world: &World, change: impl Fn(&mut KnowledgeUse)) {
    let store = &world.app.store;
    let found = store.find_knowledge_use(&world.org_id).await.unwrap();
    let version = found.as_ref().map(|found| found.version);
    let mut used = found.map(|found| found.value).unwrap_or_default();
    change(&mut used);
    let write = knowledge::set_use(&world.org_id, &used, version).unwrap();
    store.commit(vec![write]).await.unwrap();
}

#[tokio::test]
async fn another_name_is_told_while_the_model_changes() {
    let world = World::new().await;
    let file = world.user.create_document("Plan", "Build the engine.");
    world.sync_well().await;
    let world = with_model(world, NEW);
    set_use(&world, |used| used.next_model = Some(NEW.to_owned())).await;
    world.user.rename_file(&file, "Another plan");
    world.sync_well().await;
    assert_eq!(models(&world), BTreeSet::from([NEW.to_owned()]));
    assert_eq!(world.chunks()[0].source.title, "Another plan");
}

#[tokio::test]
async fn a_text_that_comes_into_an_empty_index_stays_when_the_model_was_changing() {
    for previous in [None, Some(OLD), Some(NEW)] {
        let world = with_model(World::new().await, NEW);
        set_use(&world, |used| {
            used.embedding_model = Some(OLD.to_owned());
            used.next_model = previous.is_none().then(|| NEW.to_owned());
            used.previous_model = previous.map(str::to_owned);
        })
        .await;
        world.user.create_document("Plan", "Build the engine.");
        for _ in 0..3 {
            world.sync_well().await;
        }
        assert_eq!(models(&world), BTreeSet::from([NEW.to_owned()]));
        let used = world.used();
        assert_eq!(used.embedding_model.as_deref(), Some(NEW));
        assert_eq!((used.next_model, used.previous_model), (None, None));
    }
}

#[tokio::test]
async fn one_worker_at_a_time_changes_the_model() {
    let world = World::new().await;
    for number in 0..3 {
        let text = format!("Build engine {number}.");
        world.user.create_document("Plan", &text);
    }
    world.sync_well().await;
    let world = with_model(world, NEW);
    set_use(&world, |used| {
        used.reindexer = Some("another".to_owned());
        used.reindexing_until = Some(world.app.clock_now().plus_seconds(60));
    })
    .await;
    world.sync_well().await;
    assert_eq!(models(&world), BTreeSet::from([OLD.to_owned()]));
    world.advance(61);
    world.sync_well().await;
    assert_eq!(models(&world), BTreeSet::from([NEW.to_owned()]));
    assert_eq!(world.used().reindexer, None);
}

/// A text of more than a hundred pieces.
fn long(word: &str) -> String {
    let words = (0..20_000).map(|number| format!("{word}{number} "));
    words.collect()
}

/// All pieces are those of the documents, under the new model and for everybody who may find them.
fn check_pieces(world: &World, of: &str) {
    let documents = world.documents();
    let expected: BTreeSet<_> = documents
        .values()
        .flat_map(|document| {
            (0..document.chunks).map(|ordinal| document.chunk_id_under(NEW, ordinal))
        })
        .collect();
    let chunks = world.chunks();
    let found: BTreeSet<_> = chunks.iter().map(|chunk| chunk.id.clone()).collect();
    assert_eq!(found, expected, "{of}");
    for chunk in chunks {
        let document = &documents[&chunk.source.id];
        assert_eq!(chunk.principals, document.principals, "{of}");
        assert!(!chunk.principals.is_empty(), "{of}");
    }
}

#[tokio::test]
async fn a_text_that_goes_while_the_model_changes_leaves_no_piece_of_either() {
    for polls in (1..700).step_by(23) {
        let world = World::new().await;
        let short = world.user.create_document("Plan", "Build the engine.");
        let large = world.user.create_file("Long", "text/plain", long("a"));
        let mail = world
            .user
            .deliver("Grace <grace@example.com>", "Order 7", "Late.");
        world.user.create_document("Another", "Build another.");
        world.sync_well().await;
        let world = with_model(world, NEW);
        let died = killed_after(polls, world.sync()).await.is_none();
        world.user.delete_file(&short);
        world.user.trash_file(&large);
        world.user.delete_mail(&mail);
        world.advance(61);
        world.sync_well().await;
        world.sync_well().await;
        assert_eq!(world.documents().len(), 1, "after {polls}");
        check_pieces(&world, &format!("after {polls}"));
        if !died {
            return;
        }
    }
    panic!("the worker never comes to its end");
}

/// A world with another account of the same organization, whose messages go on with the model alone.
async fn with_another_account() -> (World, String) {
    let world = World::new().await;
    let file = world.user.create_file("Long", "text/plain", long("a"));
    world.user.create_document("Plan", "Build the engine.");
    world.sync_well().await;
    world.app.add("i2", "o1", IntegrationService::Google).await;
    let world = with_model(world, NEW);
    set_use(&world, |used| used.next_model = Some(NEW.to_owned())).await;
    world
        .change(|integration| integration.shares_knowledge = true)
        .await;
    (world, file)
}

fn is_being_shared(world: &World, file: &str) -> bool {
    world.documents()[file].principals.is_empty()
}

#[tokio::test]
async fn an_account_that_breaks_while_it_is_shared_does_not_hold_up_another_model() {
    let (world, file) = with_another_account().await;
    {
        let mut sync = pin!(world.sync());
        while !is_being_shared(&world, &file) {
            assert!(killed_after(1, sync.as_mut()).await.is_none());
        }
    }
    world
        .change(|integration| integration.status = IntegrationStatus::Error)
        .await;
    assert_eq!(world.app.push(&due("m2", "o1", "i2")).await, 204);
    assert!(is_being_shared(&world, &file));
    assert_eq!(models(&world), BTreeSet::from([NEW.to_owned()]));
    assert_eq!(world.used().next_model, None);
    world
        .change(|integration| integration.status = IntegrationStatus::Connected)
        .await;
    world.advance(61);
    world.sync_well().await;
    check_pieces(&world, "once it works again");
}

#[tokio::test]
async fn pieces_that_come_while_a_text_is_shared_are_shared_wherever_a_worker_dies() {
    for polls in (1..400).step_by(11) {
        let (world, file) = with_another_account().await;
        let mut sync = pin!(world.sync());
        while !is_being_shared(&world, &file) {
            assert!(killed_after(1, sync.as_mut()).await.is_none());
        }
        let message = due("m2", "o1", "i2");
        // Who touches a document changes nothing but its time.
        world.advance(1);
        let other = killed_after(polls, world.app.push(&message)).await;
        assert_eq!(sync.await, 204);
        world.advance(61);
        world.sync_well().await;
        world.sync_well().await;
        check_pieces(&world, &format!("after {polls}"));
        let documents = world.documents().into_values();
        for document in documents {
            assert_eq!(document.principals, [ORGANIZATION], "after {polls}");
        }
        if other.is_some() {
            return;
        }
    }
    panic!("the other worker never comes to its end");
}
