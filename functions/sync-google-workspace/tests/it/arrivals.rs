use std::collections::BTreeMap;

use serde_json::{Value, json};
use shared::{
    models::{KnowledgeKind, TriggerType},
    testing::{Fault, killed_after},
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

/// A mail that fails until it was passed over.
async fn passed_over(world: &World) -> String {
    world.add_workflow("all", on_email(json!({}))).await;
    let mail = world.user.deliver(FROM, "New", "It came since.");
    let workspace = &world.google.workspace;
    workspace.break_item(&mail, Some(Fault::InternalError));
    for _ in 0..6 {
        assert_eq!(world.sync().await, 204);
        world.advance(3_700);
    }
    let cause = world.state(KnowledgeKind::Gmail).await.error_cause;
    assert_eq!(cause.as_deref(), Some("passed_over"));
    assert_eq!(started(world), []);
    workspace.break_item(&mail, None);
    mail
}

#[tokio::test]
async fn a_mail_that_was_passed_over_starts_once_it_can_be_read() {
    let world = world().await;
    passed_over(&world).await;
    assert_eq!(world.sync().await, 204);
    assert_eq!(started(&world), []);
    world.advance(6 * 3_600);
    world.sync_well().await;
    let new = [("all".to_owned(), "New".to_owned())];
    assert_eq!(started(&world), new);
    let state = world.state(KnowledgeKind::Gmail).await;
    assert_eq!((state.look_again_at, state.passed_over_since), (None, None));
}

#[tokio::test]
async fn a_mail_that_was_passed_over_starts_when_somebody_touches_it() {
    let world = world().await;
    let mail = passed_over(&world).await;
    let known = world.documents().into_keys().next().unwrap();
    for id in [&mail, &known] {
        world.user.label_mail(id, &["STARRED"], &[]);
    }
    assert_eq!(world.sync().await, 204);
    let new = [("all".to_owned(), "New".to_owned())];
    assert_eq!(started(&world), new);
    world.advance(6 * 3_600);
    world.sync_well().await;
    assert_eq!(started(&world), new);
}

#[tokio::test]
async fn triggers_of_many_bytes_come_in_several_commits() {
    const MAILS: usize = 32;
    const WORKFLOWS: usize = 5;
    const LIMIT: usize = 4_000_000;
    let world = world().await;
    for number in 0..WORKFLOWS {
        let id = format!("w{number}");
        world.add_workflow(&id, on_email(json!({}))).await;
    }
    // Whom a mail goes to is told to runs, and is no part of its text.
    let to = (10..60).map(|number| format!("{}@example.com", number.to_string().repeat(250)));
    let to = to.collect::<Vec<_>>().join(",\r\n ");
    for number in 0..MAILS {
        let head = format!("From: {FROM}\r\nTo: {to}\r\nSubject: Order {number}");
        let text = "It is late. ".repeat(130);
        world.user.deliver_raw(format!("{head}\r\n\r\n{text}"));
    }
    world.sync_well().await;
    let triggers = world.triggers().into_iter();
    let bytes = triggers.map(|trigger| {
        let path = format!("triggers/{}", trigger.id);
        (path, trigger.payload.0.to_string().len())
    });
    let bytes: BTreeMap<String, usize> = bytes.collect();
    assert_eq!(bytes.len(), MAILS * WORKFLOWS);
    let all: usize = bytes.values().sum();
    assert!(all > LIMIT, "{all} would fit into one commit");
    for writes in world.app.db.commits() {
        let paths = writes.iter().map(|write| write.path.as_str());
        let sum: usize = paths.filter_map(|path| bytes.get(path)).sum();
        assert!(sum <= LIMIT, "a commit has {sum} bytes of triggers");
    }
}
