use std::sync::Mutex;

use shared::{
    connectors, llm,
    models::{AgentStatus, ApprovalStatus, ChatMessage, ExecutionStatus, StepStatus},
    store::{Store, integrations, triggers},
    testing::killed_after,
};

use super::*;

fn mail() -> Value {
    json!({ "to": ["ada@example.com"], "subject": "Hello", "text": "How are you?" })
}

#[tokio::test]
async fn the_model_is_offered_what_was_granted_and_told_what_came_of_it() {
    let actions = Arc::new(RecordingActions::new(|_| Ok(json!({ "found": 3 }))));
    let llm = calling(vec![(
        "google_gmail_search",
        json!({ "query": "from:bob" }),
    )]);
    let app = app(llm.clone(), &actions, &[SEARCH, "no.such.action"]).await;
    let execution = say(&app, "What did Bob write?").await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    assert_eq!(answer(&execution), "done");
    let requests = llm.requests();
    assert_eq!(requests.len(), 2);
    let tools: Vec<_> = requests[0].tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(tools, ["google_gmail_search"]);
    assert_eq!(
        requests[0].tools[0].parameters["required"],
        json!(["query"])
    );
    assert_eq!(results(&requests[1]), [r#"{"data":{"found":3}}"#]);
    let calls = actions.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (calls[0].action, &calls[0].input),
        (SEARCH, &json!({ "query": "from:bob" }))
    );
}

#[tokio::test]
async fn each_move_is_a_step_of_the_journal() {
    let actions = Arc::new(RecordingActions::doing_all());
    let llm = calling(vec![("google_gmail_search", json!({ "query": "x" }))]);
    let app = app(llm, &actions, &[SEARCH]).await;
    let execution = say(&app, "Look").await;
    let steps = app.steps_of("agent").await;
    let seen: Vec<_> = steps
        .iter()
        .map(|step| (&*step.iteration, &*step.kind))
        .collect();
    let expected = [
        ("0", "agent"),
        ("0~0", "agent.opening"),
        ("0~1", "agent.question"),
        ("0~2", SEARCH),
        ("0~3", "agent.question"),
        ("0~4", "agent.closing"),
    ];
    assert_eq!(seen, expected);
    assert!(
        steps
            .iter()
            .all(|step| step.status == StepStatus::Succeeded)
    );
    let used: i64 = steps
        .iter()
        .filter_map(|step| Some(step.result.as_ref()?.tokens))
        .sum();
    assert!(used > 0);
    assert_eq!(
        execution.budget.used_tokens, used,
        "each question is counted once"
    );
}

#[tokio::test]
async fn what_was_not_granted_or_is_malformed_is_not_done() {
    let actions = Arc::new(RecordingActions::doing_all());
    let llm = calling(vec![
        ("google_gmail_send", mail()),
        ("google_gmail_search", json!({ "query": 1 })),
        ("google_gmail_search", json!("query")),
        ("shell", json!({ "command": "id" })),
    ]);
    let app = app(llm.clone(), &actions, &[SEARCH]).await;
    let execution = say(&app, "Do it").await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    let told = results(llm.requests().last().unwrap());
    let codes: Vec<_> = told
        .iter()
        .map(|told| {
            let told: Value = serde_json::from_str(told).unwrap();
            told["error"]["code"].as_str().unwrap().to_owned()
        })
        .collect();
    let expected = [
        "permission_denied",
        "invalid_argument",
        "invalid_argument",
        "permission_denied",
    ];
    assert_eq!(codes, expected);
    assert_eq!(actions.calls(), []);
}

/// A run whose agent has asked for leave to send a mail.
async fn asking(actions: &Arc<RecordingActions>) -> (App, Arc<ScriptedLlm>) {
    let llm = calling(vec![("google_gmail_send", mail())]);
    let app = app(llm.clone(), actions, &[SEND]).await;
    let execution = say(&app, "Greet Ada").await;
    assert_eq!(execution.status, ExecutionStatus::Waiting);
    assert_eq!(actions.calls(), []);
    (app, llm)
}

async fn decide(app: &App, status: ApprovalStatus) -> Execution {
    let approval = app.approval_in("agent", "0~2").await;
    let shown = approval.value.action.as_ref().unwrap();
    assert_eq!((&*shown.name, &shown.input.0), (SEND, &mail()));
    decide_on(app, status).await;
    app.execution().await
}

async fn decide_on(app: &App, status: ApprovalStatus) {
    let approval = app.approval_in("agent", "0~2").await;
    app.decide_on(approval, status, json!({})).await;
    app.settle().await;
}

#[tokio::test]
async fn what_sends_waits_until_people_let_it() {
    let actions = Arc::new(RecordingActions::doing_all());
    let (app, llm) = asking(&actions).await;
    let execution = decide(&app, ApprovalStatus::Approved).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    assert_eq!(actions.calls().len(), 1);
    assert_eq!(llm.requests().len(), 2, "no question is asked again");
}

#[tokio::test]
async fn the_model_is_told_when_people_do_not_let_it() {
    let actions = Arc::new(RecordingActions::doing_all());
    let (app, llm) = asking(&actions).await;
    let execution = decide(&app, ApprovalStatus::Rejected).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    assert_eq!(actions.calls(), []);
    let told = results(llm.requests().last().unwrap());
    assert!(told[0].contains("permission_denied"), "{told:?}");
}

#[tokio::test]
async fn one_leave_is_for_one_call() {
    let actions = Arc::new(RecordingActions::doing_all());
    let llm = calling(vec![
        ("google_gmail_send", mail()),
        ("google_gmail_send", mail()),
    ]);
    let app = app(llm, &actions, &[SEND]).await;
    say(&app, "Greet Ada twice").await;
    let execution = decide(&app, ApprovalStatus::Approved).await;
    assert_eq!(execution.status, ExecutionStatus::Waiting);
    assert_eq!(actions.calls().len(), 1);
    let asked = app.approval_in("agent", "0~4").await;
    assert_eq!(asked.value.status, ApprovalStatus::Pending);
}

#[tokio::test]
async fn a_grant_or_a_right_that_was_taken_away_meanwhile_counts_no_more() {
    for (taken, role, is_member) in [
        (true, Role::User, true),
        (false, Role::Viewer, true),
        (false, Role::User, false),
    ] {
        let actions = Arc::new(RecordingActions::doing_all());
        let (app, llm) = asking(&actions).await;
        if taken {
            let mut agent = app
                .store
                .find_agent(&org_id(), &agent_id())
                .await
                .unwrap()
                .unwrap();
            agent.value.tools.clear();
            app.store
                .commit(vec![agents::replace(&agent).unwrap()])
                .await
                .unwrap();
        }
        let mut user = app.store.find_user(&uid()).await.unwrap().unwrap();
        user.value.role = role;
        user.value.disabled = !is_member;
        app.store
            .commit(vec![users::set_membership(&user).unwrap()])
            .await
            .unwrap();
        let execution = decide(&app, ApprovalStatus::Approved).await;
        assert_eq!(execution.status, ExecutionStatus::Succeeded);
        assert_eq!(actions.calls(), [], "{taken} {role:?} {is_member}");
        let told = results(llm.requests().last().unwrap());
        assert!(told[0].contains("permission_denied"), "{told:?}");
    }
}

#[tokio::test]
async fn what_can_not_be_done_any_more_is_not_asked_any_longer() {
    let actions = Arc::new(RecordingActions::doing_all());
    let (app, _) = asking(&actions).await;
    let found = app.store.find_agent(&org_id(), &agent_id()).await;
    let mut agent = found.unwrap().unwrap();
    agent.value.tools.clear();
    let write = agents::replace(&agent).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let body = json!({ "orgId": "o1", "executionId": "t1" });
    app.post("/continue", Vec::new(), body.to_string().into())
        .await;
    app.settle().await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Succeeded);
    let asked = app.approval_in("agent", "0~2").await;
    assert_eq!(asked.value.status, ApprovalStatus::Cancelled);
}

#[tokio::test]
async fn nobody_is_asked_when_it_is_not_clear_with_which_account_it_would_be_done() {
    for is_connected in [false, true] {
        let actions = Arc::new(RecordingActions::doing_all());
        let llm = calling(vec![("google_gmail_send", mail())]);
        let app = app(llm.clone(), &actions, &[SEND]).await;
        let service = IntegrationService::Google;
        match is_connected {
            true => integrate(&app, "second", service, IntegrationStatus::Connected).await,
            false => {
                let id = "google".parse().unwrap();
                let found = app.store.find_integration(&org_id(), &id).await;
                let writes = integrations::delete_unchanged(&found.unwrap().unwrap());
                app.store.commit(writes.into()).await.unwrap();
            }
        }
        let execution = say(&app, "Greet Ada").await;
        assert_eq!(execution.status, ExecutionStatus::Succeeded);
        let told = results(llm.requests().last().unwrap());
        assert!(told[0].contains("failed_precondition"), "{told:?}");
        assert!(app.db.documents("approvals").is_empty());
    }
}

#[tokio::test]
async fn an_account_that_comes_later_does_not_change_what_was_asked() {
    let actions = Arc::new(RecordingActions::doing_all());
    let (app, _) = asking(&actions).await;
    let service = IntegrationService::Google;
    integrate(&app, "second", service, IntegrationStatus::Connected).await;
    let execution = decide(&app, ApprovalStatus::Approved).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    let used = actions.calls().remove(0).integration_id.unwrap();
    assert_eq!(used.as_str(), "google");
}

#[tokio::test]
async fn a_model_that_never_ends_is_ended() {
    let actions = Arc::new(RecordingActions::doing_all());
    let llm = ScriptedLlm::acting(|_| {
        Ok(Said::calling(
            "google_gmail_search",
            &json!({ "query": "x" }),
        ))
    });
    let app = app(Arc::new(llm), &actions, &[SEARCH]).await;
    let execution = say(&app, "Look for ever").await;
    assert_eq!(execution.status, ExecutionStatus::Failed);
    assert_eq!(execution.error.unwrap().code, "limit_exceeded");
    assert_eq!(actions.calls().len(), 16);
}

/// At which await the worker dies tells nobody: what has ended is not done again.
#[tokio::test]
async fn a_worker_killed_at_any_await_repeats_neither_a_tool_nor_a_question() {
    let mut polls = 0;
    loop {
        let done: Arc<Mutex<Vec<String>>> = Arc::default();
        let keys = done.clone();
        let actions = Arc::new(RecordingActions::new(move |call| {
            let mut keys = keys.lock().unwrap();
            if !keys.contains(&call.idempotency_key) {
                keys.push(call.idempotency_key.clone());
            }
            Ok(json!({ "ok": true }))
        }));
        let llm = calling(vec![
            ("google_gmail_search", json!({ "query": "x" })),
            ("google_gmail_search", json!({ "query": "y" })),
        ]);
        let app = app(llm.clone(), &actions, &[SEARCH]).await;
        app.fire(&message("t1", "Look")).await;
        let is_whole = killed_after(polls, app.deliver_again(&message("t1", "Look")))
            .await
            .is_some();
        app.deliver(&message("t1", "Look")).await;
        for _ in 0..4 {
            app.advance(61);
            app.tick().await;
        }
        let execution = app.execution().await;
        assert_eq!(
            execution.status,
            ExecutionStatus::Succeeded,
            "killed after {polls} polls"
        );
        assert_eq!(done.lock().unwrap().len(), 2, "killed after {polls} polls");
        assert!(
            actions.calls().len() <= 3 && llm.requests().len() <= 4,
            "{polls}"
        );
        let begun = actions.calls().len() - 2 + llm.requests().len() - 3;
        assert!(
            begun <= 1,
            "only what was under way is asked again, after {polls} polls"
        );
        let said = said(&app.store).await;
        assert_eq!(said, ["Look", "done"], "killed after {polls} polls");
        if is_whole {
            return;
        }
        polls += 1;
    }
}

async fn said(store: &Store) -> Vec<String> {
    let messages = messages(store).await.into_iter();
    messages.map(|message| message.content).collect()
}

async fn messages(store: &Store) -> Vec<ChatMessage> {
    let session = store
        .find_session(&org_id(), &agent_id(), &session_id())
        .await;
    let session = session.unwrap().unwrap().value;
    store.list_messages(&session, 0, 10).await.unwrap()
}

const COMMENT: &str = "github.comments.create";

/// What a service does that has perhaps done what it was asked.
fn unclear() -> Arc<RecordingActions> {
    Arc::new(RecordingActions::new(|_| {
        Err(connectors::Error::Unknown("broken off".into()).into())
    }))
}

#[tokio::test]
async fn what_must_not_be_repeated_is_not_whatever_the_nodes_policy() {
    let actions = unclear();
    let comment = json!({ "owner": "o", "repo": "r", "number": 1, "body": "b" });
    let llm = calling(vec![("github_comments_create", comment)]);
    let app = app(llm.clone(), &actions, &[COMMENT]).await;
    let data = json!({ "agentId": "a1", "prompt": "Comment", "retry": { "attempts": 3 } });
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("agent", "agent", data)
    ]);
    app.save(nodes, json!([edge("start", "agent")])).await;
    let mut trigger = trigger(json!({}));
    trigger.source.uid = Some(uid());
    app.deliver(&trigger).await;
    app.settle().await;
    decide_on(&app, ApprovalStatus::Approved).await;
    let execution = app.execution().await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    assert_eq!(actions.calls().len(), 1);
    let steps = app.steps_of("agent").await;
    let step = steps.iter().find(|step| step.kind == COMMENT).unwrap();
    assert_eq!(step.status, StepStatus::Unknown);
    let told = results(llm.requests().last().unwrap());
    assert!(told[0].contains("may have been done"), "{told:?}");
}

#[tokio::test]
async fn what_does_more_than_read_asks_first_when_an_agent_thinks_of_it() {
    let actions = Arc::new(RecordingActions::doing_all());
    let comment = json!({ "owner": "o", "repo": "r", "number": 1, "body": "b" });
    let llm = calling(vec![("github_comments_create", comment)]);
    let app = app(llm, &actions, &[COMMENT]).await;
    let execution = say(&app, "Comment").await;
    assert_eq!(execution.status, ExecutionStatus::Waiting);
    assert_eq!(actions.calls(), []);
}

#[tokio::test]
async fn a_run_whose_person_has_deleted_its_account_acts_no_more() {
    let actions = Arc::new(RecordingActions::doing_all());
    let (app, _) = asking(&actions).await;
    let id = "t1".parse().unwrap();
    let mut trigger = app
        .store
        .find_trigger(&org_id(), &id)
        .await
        .unwrap()
        .unwrap();
    trigger.source.uid = None;
    let writes = vec![triggers::delete(&id)];
    app.store.commit(writes).await.unwrap();
    app.fire(&trigger).await;
    let execution = decide(&app, ApprovalStatus::Approved).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    assert_eq!(actions.calls(), []);
}

#[tokio::test]
async fn a_turn_that_fails_after_it_has_acted_is_remembered() {
    let actions = Arc::new(RecordingActions::doing_all());
    let llm = Arc::new(ScriptedLlm::acting(|request| {
        match results(request).len() {
            0 => Ok(Said::calling("google_gmail_send", &mail())),
            _ => Err(llm::Error::InvalidRequest {
                code: "too_long".to_owned(),
            }),
        }
    }));
    let app = app(llm.clone(), &actions, &[SEND]).await;
    say(&app, "Greet Ada").await;
    let execution = decide(&app, ApprovalStatus::Approved).await;
    assert_eq!(execution.status, ExecutionStatus::Failed);
    let said = messages(&app.store).await;
    assert_eq!(said[0].content, "Greet Ada");
    assert_eq!(said[1].content, "", "an answer is what was said");
    assert!(said[1].failure.is_some());
    assert_eq!(said[1].done, ["google.gmail.send"]);
    app.deliver(&message("t2", "And?")).await;
    let request = llm.requests().pop().unwrap();
    let told = request.messages[2].text();
    assert!(told.contains("[No answer:"), "{told}");
    assert!(
        told.contains("[Done in this turn: google.gmail.send]"),
        "{told}"
    );
}

#[tokio::test]
async fn more_calls_than_can_be_looked_at_are_not_made() {
    let actions = Arc::new(RecordingActions::doing_all());
    let llm = Arc::new(ScriptedLlm::acting(|request| {
        let search = Said::calling("google_gmail_search", &json!({ "query": "x" }));
        let tool_calls = search.tool_calls.iter().cycle().take(40).cloned().collect();
        Ok(match results(request).len() {
            0 => Said {
                content: String::new(),
                tool_calls,
            },
            _ => "done".into(),
        })
    }));
    let app = app(llm.clone(), &actions, &[SEARCH]).await;
    say(&app, "Look").await;
    assert_eq!(actions.calls().len(), 16);
    let told = results(llm.requests().last().unwrap());
    let refused = told
        .iter()
        .filter(|told| told.contains("resource_exhausted"));
    assert_eq!((told.len(), refused.count()), (40, 24));
}

#[tokio::test]
async fn an_agent_that_is_paused_asks_nothing_more() {
    let actions = Arc::new(RecordingActions::doing_all());
    let (app, llm) = asking(&actions).await;
    let found = app.store.find_agent(&org_id(), &agent_id()).await;
    let mut agent = found.unwrap().unwrap();
    agent.value.status = AgentStatus::Paused;
    let write = agents::replace(&agent).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    let execution = decide(&app, ApprovalStatus::Approved).await;
    assert_eq!(execution.status, ExecutionStatus::Failed);
    assert_eq!(llm.requests().len(), 1);
    assert_eq!(actions.calls(), []);
}

#[tokio::test]
async fn an_answer_that_is_none_fails_the_turn() {
    let actions = Arc::new(RecordingActions::doing_all());
    let app = app(Arc::new(ScriptedLlm::answering("")), &actions, &[]).await;
    let execution = say(&app, "Hello").await;
    assert_eq!(execution.status, ExecutionStatus::Failed);
    assert_eq!(execution.error.unwrap().code, "failed_precondition");
}
