use std::pin::pin;

use shared::{
    models::{KnowledgeKind, Limits, SubscriptionTier},
    store::organizations,
    testing::killed_after,
};

use crate::world::{DRIVE_READ, World};

const FROM: &str = "Grace <grace@example.com>";

async fn cause(world: &World, kind: KnowledgeKind) -> Option<String> {
    world.state(kind).await.error_cause
}

#[tokio::test]
async fn what_there_is_no_room_for_is_left_out_until_there_is() {
    let world = World::new().await;
    world.sync_well().await;
    world.fill().await;
    let file = world.user.create_document("Plan", "Build the engine.");
    world.user.deliver(FROM, "Order 7", "The engine is late.");
    assert_eq!(world.sync().await, 204);
    assert_eq!(
        (world.documents().len(), world.app.llm.embedded().len()),
        (0, 0)
    );
    for kind in [KnowledgeKind::Gmail, KnowledgeKind::Drive] {
        assert_eq!(cause(&world, kind).await.as_deref(), Some("over_limit"));
        assert_eq!(world.state(kind).await.counts.skipped, 1);
    }
    world.empty().await;
    world.advance(900);
    world.sync_well().await;
    assert_eq!(world.documents().len(), 2);
    assert!(world.documents().contains_key(&file));
}

#[tokio::test]
async fn what_was_left_out_comes_wherever_a_worker_dies() {
    for polls in (1..200).step_by(7) {
        let world = World::new().await;
        world.sync_well().await;
        world.fill().await;
        for number in 0..2 {
            let text = format!("Build engine {number}.");
            world.user.create_document("Plan", &text);
            world.user.deliver(FROM, "Order", &text);
        }
        assert_eq!(world.sync().await, 204);
        world.empty().await;
        let died = killed_after(polls, world.sync()).await.is_none();
        world.advance(61);
        world.sync_well().await;
        assert_eq!(world.documents().len(), 4, "after {polls}");
        if !died {
            return;
        }
    }
    panic!("the worker never comes to its end");
}

#[tokio::test]
async fn room_that_comes_meanwhile_leaves_no_text_without_its_pieces() {
    for polls in 1..400 {
        let world = World::new().await;
        world.grant(DRIVE_READ).await;
        let file = world.user.create_document("Plan", "Build.");
        assert_eq!(world.sync().await, 204);
        world.fill().await;
        let longer = "Build the engine, and then another one.";
        world.user.edit_file(&file, longer);
        let mut sync = pin!(world.sync());
        let is_done = killed_after(polls, sync.as_mut()).await.is_some();
        world.empty().await;
        if !is_done {
            assert_eq!(sync.await, 204, "after {polls}");
        }
        let pieces = world.documents().into_values();
        let pieces: u32 = pieces.map(|document| document.chunks).sum();
        assert_eq!(world.chunks().len(), pieces as usize, "after {polls}");
        world.advance(900);
        assert_eq!(world.sync().await, 204);
        let chunks = world.chunks().into_iter();
        let texts: Vec<_> = chunks.map(|chunk| chunk.text).collect();
        assert_eq!(texts, [longer], "after {polls}");
        if is_done {
            return;
        }
    }
    panic!("the worker never comes to its end");
}

#[tokio::test]
async fn a_text_that_has_outgrown_the_room_goes() {
    let world = World::new().await;
    let file = world.user.create_document("Plan", "Build.");
    world.sync_well().await;
    world.fill().await;
    world
        .user
        .edit_file(&file, "Build the engine, and then another one.");
    assert_eq!(world.sync().await, 204);
    assert_eq!((world.documents().len(), world.chunks().len()), (0, 0));
    assert_eq!(
        cause(&world, KnowledgeKind::Drive).await.as_deref(),
        Some("over_limit")
    );
}

#[tokio::test]
async fn a_plan_without_a_sync_pauses_it_and_keeps_what_there_is() {
    let world = World::new().await;
    world.user.create_document("Plan", "Build.");
    world.sync_well().await;
    world
        .set_organization(|found| found.subscription_tier = SubscriptionTier::Free)
        .await;
    world.user.create_document("Another", "Build.");
    world.advance(900);
    assert_eq!(world.sync().await, 204);
    assert_eq!(
        cause(&world, KnowledgeKind::Drive).await.as_deref(),
        Some("plan")
    );
    assert_eq!(world.documents().len(), 1);
    assert_eq!(world.app.push(&crate::app::tick("t1")).await, 204);
    assert_eq!(world.app.topic.take(), []);
    world
        .set_organization(|found| found.subscription_tier = SubscriptionTier::Pro)
        .await;
    world.sync_well().await;
    assert_eq!(world.documents().len(), 2);
}

#[tokio::test]
async fn a_spent_budget_stops_texts_and_lets_deletions_go_on() {
    let world = World::new().await;
    let gone = world.user.create_document("Plan", "Build.");
    world.sync_well().await;
    let budget = |tokens| Limits {
        monthly_tokens: Some(tokens),
        ..Limits::default()
    };
    world
        .set_organization(|found| found.limits = budget(0))
        .await;
    world.user.create_document("Another", "Build another.");
    world.user.trash_file(&gone);
    let cursor = world.state(KnowledgeKind::Drive).await.cursor;
    assert_eq!(world.sync().await, 204);
    assert_eq!(
        cause(&world, KnowledgeKind::Drive).await.as_deref(),
        Some("spend_limit")
    );
    assert_eq!(world.documents().len(), 0);
    assert_eq!(world.state(KnowledgeKind::Drive).await.cursor, cursor);
    world
        .set_organization(|found| found.limits = budget(1_000_000))
        .await;
    world.advance(3_700);
    world.sync_well().await;
    assert_eq!(world.documents().len(), 1);
}

#[tokio::test]
async fn a_spent_budget_reads_no_texts_for_an_hour() {
    let world = World::new().await;
    let limits = Limits {
        monthly_tokens: Some(0),
        ..Limits::default()
    };
    world
        .set_organization(|found| found.limits = limits.clone())
        .await;
    for number in 0..70 {
        world
            .user
            .create_document("Plan", &format!("Build engine {number}."));
    }
    assert_eq!(world.sync().await, 204);
    let read = || world.google.workspace.count("drive.files.export");
    assert_eq!(read(), 32, "one batch shows that it is spent");
    let early = world.app.clock_now().plus_seconds(3_600);
    let state = world.state(KnowledgeKind::Drive).await;
    assert!(state.retry_at >= Some(early), "{:?}", state.retry_at);
    world.advance(900);
    assert_eq!(world.sync().await, 204);
    assert_eq!(read(), 32);
}

#[tokio::test]
async fn a_text_of_many_pieces_comes_changes_and_goes_as_a_whole() {
    let world = World::new().await;
    let long = |word: &str| {
        (0..60_000)
            .map(|number| format!("{word}{number} "))
            .collect::<String>()
    };
    let file = world.user.create_file("Long", "text/plain", long("a"));
    world.sync_well().await;
    let pieces = world.chunks().len();
    assert!(pieces > 300, "{pieces}");
    assert!(!world.documents()[&file].is_partial);
    world.user.rename_file(&file, "Longer");
    world.sync_well().await;
    assert!(
        world
            .chunks()
            .iter()
            .all(|chunk| chunk.source.title == "Longer"
                && chunk.terms.contains(&"user:u1\nlonger".to_owned()))
    );
    assert_eq!(world.app.llm.embedded().len(), pieces);
    world.user.edit_file(&file, long("b"));
    world.sync_well().await;
    let hash = world.documents()[&file].content_hash.clone();
    assert!(
        world
            .chunks()
            .iter()
            .all(|chunk| chunk.content_hash == hash)
    );
    world.user.delete_file(&file);
    world.sync_well().await;
    assert_eq!((world.chunks().len(), world.used().bytes), (0, 0));
    let commits = world.app.db.commits();
    let most = commits.iter().map(Vec::len).max().unwrap();
    assert!(most <= 400, "a commit of {most} writes");
}

impl World {
    /// Has others use up the room of the organization.
    pub(crate) async fn fill(&self) {
        self.set_use(200_000_000).await;
    }

    /// Has others give their room back.
    pub(crate) async fn empty(&self) {
        self.set_use(0).await;
    }

    async fn set_use(&self, bytes: i64) {
        let store = &self.app.store;
        let found = store.find_knowledge_use(&self.org_id).await.unwrap();
        let mut used = found
            .as_ref()
            .map(|found| found.value.clone())
            .unwrap_or_default();
        used.bytes = bytes;
        let version = found.map(|found| found.version);
        let write = shared::store::knowledge::set_use(&self.org_id, &used, version);
        store.commit(vec![write.unwrap()]).await.unwrap();
    }

    async fn set_organization(&self, change: impl Fn(&mut shared::models::Organization)) {
        let store = &self.app.store;
        let mut found = store
            .find_organization(&self.org_id)
            .await
            .unwrap()
            .unwrap();
        change(&mut found.value);
        let write = organizations::replace(&found).unwrap();
        store.commit(vec![write]).await.unwrap();
    }
}
