use serde_json::{Value, json};
use shared::{
    models::{KnowledgeKind, TriggerType},
    testing::killed_after,
};

use crate::world::World;

const FROM: &str = "Grace <grace@example.com>";

/// A world whose first look is done.
async fn world() -> World {
    let world = World::new().await;
    world.user.deliver(FROM, "Old", "It was there before.");
    world.sync_well().await;
    world
}

fn on_email(conditions: Value) -> Value {
    let mut trigger = conditions;
    trigger["type"] = json!("onEmailReceived");
    trigger
}

fn started(world: &World) -> Vec<(String, String)> {
    let triggers = world.triggers().into_iter();
    let mut started: Vec<_> = triggers
        .map(|trigger| {
            let subject = trigger.payload.0["subject"].as_str().unwrap_or_default();
            (trigger.workflow_id.to_string(), subject.to_owned())
        })
        .collect();
    started.sort();
    started
}

#[tokio::test]
async fn mail_starts_nothing_unless_who_has_connected_the_account_allows_it() {
    let world = world().await;
    world.add_workflow("all", on_email(json!({}))).await;
    for shares in [false, true] {
        let closed = world.change(|integration| {
            integration.allows_triggers = false;
            integration.shares_knowledge = shares;
        });
        closed.await;
        world.user.deliver(FROM, "Order 7", "The engine is late.");
        world.sync_well().await;
        assert_eq!(started(&world), []);
    }
}

#[tokio::test]
async fn a_received_mail_starts_the_workflows_that_wait_for_it() {
    let world = world().await;
    world.add_workflow("all", on_email(json!({}))).await;
    world
        .add_workflow("grace", on_email(json!({ "from": "@example.com" })))
        .await;
    world
        .add_workflow("ada", on_email(json!({ "from": "ada@" })))
        .await;
    let orders = json!({ "when": "trigger.subject.startsWith('Order')", "labels": "INBOX" });
    world.add_workflow("orders", on_email(orders)).await;
    world
        .add_workflow("by-hand", json!({ "type": "manual" }))
        .await;
    let id = world.user.deliver(FROM, "Order 7", "The engine is late.");
    world
        .user
        .deliver_labelled("Subject: Spam\r\n\r\nBuy.", &["SPAM"]);
    world
        .user
        .deliver_labelled("Subject: Mine\r\n\r\nHello.", &["SENT"]);
    world.sync_well().await;
    let pairs = ["all", "grace", "orders"].map(|id| (id.to_owned(), "Order 7".to_owned()));
    assert_eq!(started(&world), pairs);
    let triggers = world.triggers();
    let trigger = triggers
        .iter()
        .find(|found| found.workflow_id.as_str() == "all");
    let trigger = trigger.unwrap();
    assert_eq!(trigger.kind, TriggerType::OnEmailReceived);
    assert_eq!(trigger.source.uid.as_ref().unwrap().as_str(), "u1");
    let payload = &trigger.payload.0;
    assert_eq!(payload["messageId"], id.as_str());
    assert_eq!(payload["from"], FROM);
    assert_eq!(payload["to"], json!(["ada@example.com"]));
    assert_eq!(payload["text"], "The engine is late.");
    assert_eq!(payload["integrationId"], world.id.as_str());
    assert_eq!(payload["attachments"], json!([]));
}

#[tokio::test]
async fn a_first_look_starts_nothing() {
    let world = World::new().await;
    world.add_workflow("all", on_email(json!({}))).await;
    world.user.deliver(FROM, "Old", "It was there before.");
    world.advance(900);
    world.sync_well().await;
    assert_eq!(world.triggers(), []);
}

#[tokio::test]
async fn a_mail_that_comes_during_the_first_look_starts() {
    let world = World::new().await;
    world.add_workflow("all", on_email(json!({}))).await;
    for polls in 1.. {
        let died = killed_after(polls, world.sync()).await.is_none();
        assert!(died, "the worker comes to its end before it dies");
        if world.state(KnowledgeKind::Gmail).await.begun_at.is_some() {
            break;
        }
    }
    world.user.deliver(FROM, "New", "It came since.");
    world.advance(61);
    world.sync_well().await;
    assert_eq!(started(&world), [("all".to_owned(), "New".to_owned())]);
}

#[tokio::test]
async fn after_a_forgotten_history_what_came_since_starts_once() {
    let world = world().await;
    world.add_workflow("all", on_email(json!({}))).await;
    world.user.deliver(FROM, "New", "It came since.");
    world.user.expire_history();
    world.sync_well().await;
    world.sync_well().await;
    assert_eq!(started(&world), [("all".to_owned(), "New".to_owned())]);
}

#[tokio::test]
async fn a_worker_that_dies_anywhere_starts_nothing_twice() {
    for polls in (1..160).step_by(3) {
        let world = world().await;
        world.add_workflow("all", on_email(json!({}))).await;
        for number in 0..3 {
            world
                .user
                .deliver(FROM, &format!("New {number}"), "It came since.");
        }
        let died = killed_after(polls, world.sync()).await.is_none();
        world.advance(61);
        world.sync_well().await;
        assert_eq!(started(&world).len(), 3, "after {polls}");
        assert_eq!(world.documents().len(), 4, "after {polls}");
        if !died {
            return;
        }
    }
    panic!("the worker never comes to its end");
}

#[tokio::test]
async fn mail_starts_workflows_when_the_index_is_full() {
    let world = world().await;
    world.add_workflow("all", on_email(json!({}))).await;
    world.fill().await;
    world.user.deliver(FROM, "New", "It came since.");
    assert_eq!(world.sync().await, 204);
    assert_eq!(world.documents().len(), 1);
    assert_eq!(started(&world).len(), 1);
    let state = world.state(KnowledgeKind::Gmail).await;
    assert_eq!(state.error_cause.as_deref(), Some("over_limit"));
}
