//! What people say to agents.

use http::{Method, header::ACCEPT};
use serde_json::{Value, json};
use shared::{
    ids::{AgentId, ExecutionId, OrgId, RecordId},
    models::{ChatMessage, ChatRole, Draft, ExecutionStatus, JsonText, Session, TriggerType},
    store::{Versioned, document_db::Precondition, drafts, executions, sessions},
};

use crate::{
    app::{Answer, TestApp, json_body, request},
    seeds,
    stream::Client,
    table::seeded_app,
};

const MESSAGES: &str = "/agents/working/messages";

async fn say(app: &TestApp, token: &str, body: &Value) -> Answer {
    app.post(token, MESSAGES, body).await
}

fn org_id() -> OrgId {
    OrgId::parse("o1").unwrap()
}

async fn session(app: &TestApp, id: &str) -> Versioned<shared::models::Session> {
    let agent_id = AgentId::parse("working").unwrap();
    let id = RecordId::parse(id).unwrap();
    let found = app.store.find_session(&org_id(), &agent_id, &id).await;
    found.unwrap().unwrap()
}

#[tokio::test]
async fn a_message_begins_a_conversation_and_a_run() {
    let app = seeded_app().await;
    let answer = say(&app, "user", &json!({ "text": "Hello" })).await;
    assert_eq!(answer.status, 202);
    let id = answer.body["sessionId"].as_str().unwrap();
    assert_eq!(session(&app, id).await.value.uid.unwrap().as_str(), "user");
    let trigger = app.trigger_of(&answer).await;
    assert_eq!(trigger.kind, TriggerType::Message);
    let agent_id = AgentId::parse("working").unwrap();
    let workflow_id = Session::workflow_of(&org_id(), &agent_id);
    assert_eq!(trigger.workflow_id, workflow_id);
    assert_eq!(trigger.source.uid.unwrap().as_str(), "user");
    let said = json!({ "agentId": "working", "sessionId": id, "text": "Hello" });
    assert_eq!(trigger.payload.0, said);
}

#[tokio::test]
async fn a_conversation_begins_with_an_agent_that_is_there_only() {
    let app = seeded_app().await;
    say(&app, "user", &json!({ "text": "Hello" })).await;
    let commits = app.db.commits();
    let agent = commits.last().unwrap().iter();
    let agent: Vec<_> = agent
        .filter(|write| write.path.as_str() == "agents/working")
        .map(|write| &write.precondition)
        .collect();
    assert_eq!(agent, [&Precondition::Exists]);
}

#[tokio::test]
async fn a_message_goes_on_with_the_callers_own_conversation_only() {
    let app = seeded_app().await;
    for (token, session_id, status) in [
        ("user", "user", 202),
        ("user", "admin", 404),
        ("admin", "user", 404),
        ("user", "unknown", 404),
    ] {
        let body = json!({ "text": "Hello", "sessionId": session_id });
        let answer = say(&app, token, &body).await;
        assert_eq!(answer.status, status, "{token} {session_id}");
    }
}

#[tokio::test]
async fn a_repeat_of_a_message_is_the_same_message() {
    let app = seeded_app().await;
    let body = json!({ "text": "Hello" });
    let first = app.post_once("k1", MESSAGES, &body).await;
    let again = app.post_once("k1", MESSAGES, &body).await;
    assert_eq!(first.body, again.body);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = app
        .post_once("k1", MESSAGES, &json!({ "text": "Bye" }))
        .await;
    assert_eq!(other.status, 409);
    assert_eq!(
        app.db.documents("triggers").len(),
        1 + seeded_triggers().await
    );
}

async fn seeded_triggers() -> usize {
    seeded_app().await.db.documents("triggers").len()
}

#[tokio::test]
async fn an_agent_that_is_not_at_work_answers_nobody() {
    let app = seeded_app().await;
    let answer = app
        .post("user", "/agents/a1/messages", &json!({ "text": "Hello" }))
        .await;
    assert_eq!(answer.refusal(), (400, "failed_precondition"));
}

#[tokio::test]
async fn a_message_has_text_of_a_bounded_length() {
    let app = seeded_app().await;
    for text in [String::new(), "x".repeat(32_001)] {
        let answer = say(&app, "user", &json!({ "text": text })).await;
        assert_eq!(answer.fields(), ["text"]);
    }
}

async fn add_messages(app: &TestApp, id: &str, count: i64) {
    let mut session = session(app, id).await;
    let mut writes = Vec::new();
    for seq in 1..=count {
        let message = ChatMessage {
            seq,
            org_id: org_id(),
            role: ChatRole::User,
            content: format!("message {seq}"),
            done: Vec::new(),
            failure: None,
            turn: format!("t{seq}"),
            execution_id: ExecutionId::parse("e1").unwrap(),
            created_at: seeds::now(),
        };
        writes.push(sessions::create_message(&session.value, &message).unwrap());
    }
    session.value.last_seq = count;
    writes.push(sessions::replace(&session).unwrap());
    app.store.commit(writes).await.unwrap();
}

#[tokio::test]
async fn what_was_said_is_read_in_order_and_in_parts() {
    let app = seeded_app().await;
    add_messages(&app, "user", 3).await;
    let path = "/agents/working/sessions/user/messages?limit=2";
    let first = app.get("user", path).await.body;
    let texts = |page: &Value| {
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|item| item["text"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(&first), ["message 1", "message 2"]);
    let rest = app.get("user", &format!("{path}&after=2")).await.body;
    assert_eq!(texts(&rest), ["message 3"]);
    let foreign = app.get("admin", path).await;
    assert_eq!(foreign.status, 404);
    let listed = app.get("user", "/agents/working/sessions").await.body;
    let items = listed["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["id"]), (1, &json!("user")));
}

#[tokio::test]
async fn a_deleted_conversation_is_gone_with_all_that_was_said() {
    let app = seeded_app().await;
    add_messages(&app, "user", 450).await;
    let path = "/agents/working/sessions/user";
    assert_eq!(app.delete("user", path).await.status, 204);
    assert_eq!(app.db.documents("messages").len(), 0);
    assert_eq!(app.audited(), ["SESSION_DELETE"]);
    assert_eq!(app.delete("user", path).await.status, 404);
}

async fn change(
    app: &TestApp,
    id: &ExecutionId,
    change: impl FnOnce(&mut shared::models::Execution),
) {
    let found = app.store.find_execution(&org_id(), id).await;
    let mut execution = found.unwrap().unwrap();
    change(&mut execution.value);
    let write = executions::replace(&execution).unwrap();
    app.store.commit(vec![write]).await.unwrap();
}

async fn draft(app: &TestApp, id: &ExecutionId, text: &str) {
    let draft = Draft {
        node_id: "agent".to_owned(),
        iteration: "0~1".to_owned(),
        text: text.to_owned(),
        org_id: org_id(),
    };
    let write = drafts::set(id, &draft).unwrap();
    app.store.commit(vec![write]).await.unwrap();
}

/// The engine's part is played by the test.
#[tokio::test(start_paused = true)]
async fn a_client_sees_the_answer_as_it_comes() {
    let app = seeded_app().await;
    let request = request(Method::POST, MESSAGES, "user");
    let request = request.header(ACCEPT, "text/event-stream");
    let body = json!({ "text": "Hello" });
    let mut client = Client::of(app.open(json_body(request, &body)).await);
    let begun = client.next().await.unwrap();
    assert_eq!(begun.name, "session");
    let id = begun.data["executionId"].as_str().unwrap();
    let id = ExecutionId::parse(id).unwrap();
    assert_eq!(client.next().await.unwrap().data["status"], "queued");
    let trigger_id = shared::ids::TriggerId::parse(id.as_str()).unwrap();
    let trigger = app.store.find_trigger(&org_id(), &trigger_id).await;
    let trigger = trigger.unwrap().unwrap();
    let mut execution = shared::models::Execution::new(&trigger, "Ada".to_owned(), seeds::now());
    execution.status = ExecutionStatus::Running;
    let write = executions::create(&execution).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    assert_eq!(client.next().await.unwrap().data["status"], "running");
    for (text, start, piece) in [
        ("Grüß", 0, "Grüß"),
        ("Grüß Gott", 4, " Gott"),
        ("Servus", 0, "Servus"),
    ] {
        draft(&app, &id, text).await;
        let delta = client.next().await.unwrap();
        assert_eq!(delta.name, "delta");
        let expected =
            json!({ "nodeId": "agent", "iteration": "0~1", "start": start, "text": piece });
        assert_eq!(delta.data, expected);
    }
    change(&app, &id, |execution| {
        execution.status = ExecutionStatus::Succeeded;
        execution.output = Some(JsonText(json!({ "text": "Servus" })));
    })
    .await;
    let rest = [
        client.next().await,
        client.next().await,
        client.next().await,
    ];
    let names: Vec<_> = rest.iter().flatten().map(|event| &*event.name).collect();
    assert_eq!(names, ["status", "message", "end"]);
    assert_eq!(rest[1].as_ref().unwrap().data, json!({ "text": "Servus" }));
    assert!(client.next().await.is_none());
}
