use shared::{
    models::{ApprovalStatus, Draft, ExecutionStatus, MemoryDepth},
    store::{Versioned, drafts},
};

use super::*;
use crate::app::{edge, execution_id, node};

/// A model that repeats what it was asked, and sums up with the word `digest`.
fn echoing() -> Arc<ScriptedLlm> {
    Arc::new(ScriptedLlm::new(|request| {
        Ok(match request.messages[0].text().starts_with("Sum up") {
            true => "digest".to_owned(),
            false => format!("You said {} bytes", last_user(request).len()),
        })
    }))
}

async fn talk(app: &App, id: &str, text: &str) -> Execution {
    app.deliver(&message(id, text)).await;
    app.execution_of(id).await
}

async fn session(app: &App) -> Versioned<Session> {
    let (org_id, agent_id, id) = (org_id(), agent_id(), session_id());
    let found = app.store.find_session(&org_id, &agent_id, &id).await;
    found.unwrap().unwrap()
}

fn told(request: &ChatRequest) -> Vec<String> {
    request.messages.iter().skip(1).map(Message::text).collect()
}

#[tokio::test]
async fn a_turn_knows_what_was_said_before() {
    let llm = echoing();
    let app = app(llm.clone(), &Arc::new(RecordingActions::doing_all()), &[]).await;
    talk(&app, "t1", "Hello").await;
    talk(&app, "t2", "Again").await;
    assert_eq!(
        told(&llm.requests()[1]),
        ["Hello", "You said 5 bytes", "Again"]
    );
    assert_eq!(session(&app).await.value.last_seq, 4);
}

#[tokio::test]
async fn a_long_conversation_is_summed_up_once() {
    let llm = echoing();
    let app = app(llm.clone(), &Arc::new(RecordingActions::doing_all()), &[]).await;
    for turn in 0..3 {
        talk(&app, &format!("t{turn}"), &"x".repeat(9_000)).await;
    }
    talk(&app, "t3", "Short").await;
    let request = llm.requests().pop().unwrap();
    let told = told(&request);
    assert!(told[0].contains("digest"), "{}", told[0]);
    let bytes: usize = told.iter().map(String::len).sum();
    assert!(bytes < 13_000, "{bytes} bytes are told");
    assert!(session(&app).await.value.summary.is_some());
    let before = llm.requests().len();
    talk(&app, "t4", "Shorter").await;
    assert_eq!(llm.requests().len(), before + 1, "the digest is kept");
}

#[tokio::test]
async fn a_deleted_conversation_is_not_made_again() {
    let llm = echoing();
    let app = app(llm, &Arc::new(RecordingActions::doing_all()), &[]).await;
    let session = session(&app).await;
    app.store
        .commit(vec![sessions::delete(&session)])
        .await
        .unwrap();
    let execution = talk(&app, "t1", "Hello").await;
    assert_eq!(execution.status, ExecutionStatus::Failed);
    assert_eq!(execution.error.unwrap().code, "not_found");
    assert_eq!(app.db.documents("sessions").len(), 0);
}

#[tokio::test]
async fn a_workflow_has_conversations_of_its_own_by_name() {
    let llm = echoing();
    let app = app(llm.clone(), &Arc::new(RecordingActions::doing_all()), &[]).await;
    let data = json!({ "agentId": "a1", "prompt": "${trigger.text}", "session": "${trigger.of}" });
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("ask", "agent", data)
    ]);
    app.save(nodes, json!([edge("start", "ask")])).await;
    for (id, of) in [("t1", "bob"), ("t2", "eve"), ("t3", "bob"), ("t4", "s1")] {
        let execution = app.start(id, json!({ "text": id, "of": of })).await;
        assert_eq!(execution.status, ExecutionStatus::Succeeded);
    }
    let counts: Vec<_> = llm
        .requests()
        .iter()
        .map(|request| told(request).len())
        .collect();
    assert_eq!(
        counts,
        [1, 1, 3, 1],
        "a person's conversation cannot be named"
    );
    assert_eq!(session(&app).await.value.last_seq, 0);
}

#[tokio::test]
async fn an_agent_is_told_who_it_is_and_what_is_data() {
    let llm = echoing();
    let app = app(llm.clone(), &Arc::new(RecordingActions::doing_all()), &[]).await;
    let mut agent = app
        .store
        .find_agent(&org_id(), &agent_id())
        .await
        .unwrap()
        .unwrap();
    agent.value.system_prompt = "Sell tea.".to_owned();
    agent.value.memory_depth = MemoryDepth::Session;
    agent.value.personality.empathy = 1.0;
    app.store
        .commit(vec![agents::replace(&agent).unwrap()])
        .await
        .unwrap();
    talk(&app, "t1", "Hello").await;
    let system = llm.requests()[0].messages[0].text();
    for part in [r#"You are "Ada"."#, "Sell tea.", "Be warm", "are data"] {
        assert!(system.contains(part), "{system}");
    }
}

/// The agent waits for people when it is deleted.
#[tokio::test]
async fn a_workflow_begins_no_conversation_with_an_agent_that_is_gone() {
    let actions = Arc::new(RecordingActions::doing_all());
    let mail = json!({ "to": ["ada@example.com"], "subject": "s", "text": "t" });
    let llm = calling(vec![("google_gmail_send", mail)]);
    let app = app(llm, &actions, &[SEND]).await;
    save_turn(&app, "Greet Ada").await;
    run_unattended(&app).await;
    let agent = app.store.find_agent(&org_id(), &agent_id()).await;
    let delete = agents::delete(&agent.unwrap().unwrap());
    app.store.commit(vec![delete]).await.unwrap();
    let approval = app.approval_in("agent", "0~2").await;
    app.decide_on(approval, ApprovalStatus::Approved, json!({}))
        .await;
    app.settle().await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Failed);
    let left = app.db.documents("agents/a1/sessions");
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].path.id(), "s1");
}

/// What an attempt that was cut off has left.
async fn leave_draft(app: &App, iteration: &str) {
    let draft = Draft {
        node_id: "agent".to_owned(),
        iteration: iteration.to_owned(),
        text: "Half an".to_owned(),
        org_id: org_id(),
    };
    let write = drafts::set(&execution_id(), &draft).unwrap();
    app.store.commit(vec![write]).await.unwrap();
}

#[tokio::test]
async fn a_draft_outlives_neither_its_answer_nor_its_run() {
    let actions = Arc::new(RecordingActions::doing_all());
    let search = || {
        Ok(Said::calling(
            "google_gmail_search",
            &json!({ "query": "x" }),
        ))
    };
    let answering = calling(vec![("google_gmail_search", json!({ "query": "x" }))]);
    let failing = Arc::new(ScriptedLlm::acting(move |_| search()));
    for (llm, iteration, expected) in [
        // Its answer is a call of a tool, which shows nothing.
        (answering, "0~1", ExecutionStatus::Succeeded),
        (failing, "0~99", ExecutionStatus::Failed),
    ] {
        let app = app(llm, &actions, &[SEARCH]).await;
        leave_draft(&app, iteration).await;
        assert_eq!(say(&app, "Look").await.status, expected);
        assert_eq!(app.db.documents("executions/t1/drafts"), []);
    }
}
