//! Mails and files that end the process that reads them.

use serde_json::json;
use shared::models::KnowledgeKind;

use crate::{
    app::Options,
    contents::{Contents, dies, restart},
    world::World,
};

const FROM: &str = "Grace <grace@example.com>";

#[tokio::test]
async fn a_file_that_ends_two_processes_is_given_up_and_no_other() {
    let mut world = World::looked_at_once().await;
    let contents = Contents::of(&world);
    let create = |number: usize| {
        let text = format!("Build engine {number}.");
        world.user.create_file("Plan", "text/plain", text)
    };
    let files: Vec<String> = (0..40).map(create).collect();
    let deadly = &files[20];
    contents.make_deadly(deadly);
    assert!(dies(&mut world, &contents).await);
    assert!(dies(&mut world, &contents).await);
    assert!(
        !dies(&mut world, &contents).await,
        "it is read a third time"
    );
    assert_eq!((world.documents().len(), world.chunks().len()), (40, 39));
    assert_eq!(world.documents()[deadly].chunks, 0);
    let state = world.state(KnowledgeKind::Drive).await;
    assert_eq!((state.given_up.len(), state.counts.skipped), (1, 1));
    assert_eq!((state.suspects.len(), state.reading), (0, None));
    assert_eq!(state.error_cause, None);

    let fetched = contents.fetched();
    world.user.rename_file(deadly, "Another plan");
    world.sync_well().await;
    assert_eq!(
        contents.fetched(),
        fetched,
        "the same content is read again"
    );
    contents.make_harmless(deadly);
    world.user.edit_file(deadly, "Build it at last.");
    world.sync_well().await;
    assert_eq!(world.chunks().len(), 40);
}

#[tokio::test]
async fn a_mail_that_ends_two_processes_starts_its_workflow_with_what_its_headers_say() {
    let mut world = World::looked_at_once().await;
    let contents = Contents::of(&world);
    world.user.deliver(FROM, "Order 6", "It is late.");
    let deadly = world.user.deliver(FROM, "Order 7", "It is late.");
    world.user.deliver(FROM, "Order 8", "It is late.");
    contents.make_deadly(&deadly);
    assert!(dies(&mut world, &contents).await);
    assert!(dies(&mut world, &contents).await);
    assert!(
        !dies(&mut world, &contents).await,
        "it is read a third time"
    );
    let triggers = world.triggers();
    assert_eq!((world.documents().len(), triggers.len()), (3, 3));
    let payloads = triggers.iter().map(|trigger| &trigger.payload.0);
    let own: Vec<_> = payloads
        .filter(|payload| payload["messageId"] == deadly.as_str())
        .collect();
    assert_eq!(own.len(), 1);
    assert_eq!(
        (&own[0]["subject"], &own[0]["text"]),
        (&json!("Order 7"), &json!(""))
    );
    world.user.label_mail(&deadly, &["STARRED"], &[]);
    world.user.expire_history();
    world.sync_well().await;
    assert_eq!(world.triggers().len(), 3);
}

#[tokio::test]
async fn what_a_process_survives_is_not_given_up() {
    let mut world = World::looked_at_once().await;
    let contents = Contents::of(&world);
    let file = world.user.create_file("Plan", "text/plain", "Build.");
    contents.make_deadly(&file);
    restart(&mut world, &contents, Options::default());
    for _ in 0..4 {
        world.advance(61);
        tokio::select! {
            _ = world.sync() => panic!("it has an answer"),
            () = contents.is_fetched() => {}
        }
    }
    contents.make_harmless(&file);
    world.advance(61);
    world.sync_well().await;
    assert_eq!(world.chunks().len(), 1);
}

#[tokio::test]
async fn what_ends_one_process_by_chance_is_read_by_the_next() {
    let mut world = World::looked_at_once().await;
    let contents = Contents::of(&world);
    let file = world.user.create_file("Plan", "text/plain", "Build.");
    contents.make_deadly(&file);
    assert!(dies(&mut world, &contents).await);
    contents.make_harmless(&file);
    assert!(!dies(&mut world, &contents).await);
    let state = world.state(KnowledgeKind::Drive).await;
    assert_eq!((world.chunks().len(), state.suspects.len()), (1, 0));
}
