use shared::{
    knowledge::{self, Search, principals_of},
    models::{Integration, ORGANIZATION, Vector, user_principal},
    testing::{bag_of_words, killed_after},
};

use crate::world::World;

async fn share(world: &World, shares: bool) {
    let change = world.change(|integration| integration.shares_knowledge = shares);
    change.await;
}

#[tokio::test]
async fn what_is_shared_is_found_by_all_and_by_its_owner_alone_after() {
    let world = World::new().await;
    world.user.create_document("Plan", "Build the engine.");
    world
        .user
        .deliver("Grace <grace@example.com>", "Order 7", "It is late.");
    world.sync_well().await;
    let owner = user_principal(&world.integration().await.owner_uid);
    for (shares, principal) in [(true, ORGANIZATION), (false, owner.as_str())] {
        share(&world, shares).await;
        world.sync_well().await;
        for chunk in world.chunks() {
            assert_eq!(chunk.principals, [principal]);
            let terms = chunk.terms.iter();
            assert!(!chunk.terms.is_empty());
            assert_eq!(terms.filter(|term| !term.starts_with(principal)).count(), 0);
        }
        for document in world.documents().values() {
            assert_eq!(document.principals, [principal]);
        }
    }
    assert_eq!(world.app.llm.embedded().len(), 2);
}

#[tokio::test]
async fn what_is_not_shared_any_more_is_closed_wherever_a_worker_dies() {
    let world = World::new().await;
    let long = |range: std::ops::Range<u32>| {
        let words = range.map(|number| format!("word{number} "));
        words.collect::<String>()
    };
    world
        .user
        .create_file("Long", "text/plain", long(0..20_000));
    world.user.create_document("Plan", "Build the engine.");
    world.sync_well().await;
    let pieces = world.chunks().len();
    assert!(pieces > 100, "{pieces}");
    let owner = user_principal(&world.integration().await.owner_uid);
    for polls in (1..).step_by(3) {
        share(&world, true).await;
        let died = killed_after(polls, world.sync()).await.is_none();
        world.advance(61);
        share(&world, false).await;
        world.sync_well().await;
        let open = world.chunks().into_iter();
        let open = open.filter(|chunk| chunk.principals != [owner.as_str()]);
        assert_eq!(open.count(), 0, "after {polls}");
        for document in world.documents().values() {
            assert_eq!(document.principals, [owner.as_str()], "after {polls}");
        }
        if !died {
            return;
        }
    }
}

/// How many pieces anybody in the organization finds.
async fn found(world: &World) -> usize {
    let search = Search {
        principals: principals_of(None),
        query: "engine".to_owned(),
        limit: 10,
        integration_id: None,
    };
    let vector = bag_of_words("engine", Vector::INDEXED_DIMENSION as usize).into();
    let (store, model) = (&world.app.store, world.used().embedding_model.unwrap());
    let hits = knowledge::find(store, &world.org_id, &search, &model, vector).await;
    hits.unwrap().len()
}

#[tokio::test]
async fn what_was_closed_is_not_found_before_the_next_sync() {
    let world = World::new().await;
    world.user.create_document("Plan", "Build the engine.");
    share(&world, true).await;
    world.sync_well().await;
    assert_eq!(found(&world).await, 1);
    share(&world, false).await;
    assert_eq!(found(&world).await, 0);
    share(&world, true).await;
    assert_eq!(found(&world).await, 1);
    let cause = Integration::DISCONNECTING.to_owned();
    world
        .change(|integration| integration.error_cause = Some(cause))
        .await;
    assert_eq!(found(&world).await, 0);
}

#[tokio::test]
async fn what_is_disconnected_leaves_nothing_behind() {
    let world = World::new().await;
    world.user.create_document("Plan", "Build the engine.");
    world.sync_well().await;
    let cleared = world.vault.clear(&world.org_id, &world.id).await.unwrap();
    let removal = world.vault.removal(&cleared).await.unwrap();
    world.app.store.commit(removal).await.unwrap();
    assert_eq!((world.chunks().len(), world.documents().len()), (0, 0));
    assert_eq!((world.used().documents, world.used().bytes), (0, 0));
    assert_eq!(world.sync().await, 204);
    assert_eq!(world.app.db.documents("integrations/"), []);
}

#[tokio::test]
async fn what_a_disconnection_has_left_goes_with_the_tick() {
    let world = World::new().await;
    for number in 0..120 {
        let name = format!("Plan {number}");
        world.user.create_document(&name, &format!("Build {name}."));
    }
    world.sync_well().await;
    let clear = world.vault.clear(&world.org_id, &world.id);
    assert!(killed_after(4, clear).await.is_none());
    assert!(world.integration().await.is_disconnecting());
    let left = (world.chunks().len(), world.documents().len());
    assert!(left.1 > 0, "{left:?}");
    assert_eq!(world.app.push(&crate::app::tick("t1")).await, 204);
    assert_eq!((world.chunks().len(), world.documents().len()), (0, 0));
    assert_eq!((world.used().documents, world.used().bytes), (0, 0));
}

#[tokio::test]
async fn texts_from_before_the_state_are_written_anew() {
    let world = World::new().await;
    world.user.create_document("Plan", "Build the engine.");
    world.sync_well().await;
    let (index, prefix) = (world.chunks(), format!("integrations/{}/sync/", world.id));
    let paths = world.app.db.documents(&prefix).into_iter();
    let states = paths.map(|document| document.path);
    let chunks = world.app.db.documents("organizations/o1/knowledge/");
    let lost = states.chain(chunks.into_iter().map(|document| document.path));
    let writes = lost.map(|path| shared::store::Write {
        path,
        operation: shared::store::document_db::Operation::Delete,
        precondition: shared::store::document_db::Precondition::None,
    });
    world.app.store.commit(writes.collect()).await.unwrap();
    world.sync_well().await;
    assert_eq!(world.chunks(), index);
    assert!(world.documents().values().all(|found| !found.is_partial));
}
