//! Actions that people have to let happen.

use http::StatusCode;
use shared::{
    models::{
        Approval, ApprovalStatus, Execution, IntegrationService, IntegrationStatus, Mock, Role,
        StartOptions,
    },
    store::{Versioned, approvals, decode},
};

use super::{paused::integrate, *};
use crate::{app::trigger, kills::killed_after};

const MAIL: &str = "google.gmail.send";
/// What a second time would be a second message.
const SMS: &str = "twilio.sms.send";

fn mail(more: Value) -> Value {
    let mail = json!({ "to": ["${trigger.to}"], "subject": "Hello", "text": "${trigger.text}" });
    merged(mail, more)
}

fn sms() -> Value {
    json!({ "to": "+4930123456", "from": "+4930123457", "body": "${trigger.text}" })
}

fn payload() -> Value {
    json!({ "to": "ada@example.com", "text": "How are you?" })
}

/// An application whose run has asked.
async fn asking(actions: &Arc<RecordingActions>, kind: &str, data: Value) -> App {
    let app = app(actions, kind, data).await;
    app.run(payload()).await;
    app
}

async fn approval(app: &App) -> Versioned<Approval> {
    app.approval("act").await
}

async fn decide(app: &App, status: ApprovalStatus) {
    app.decide("act", status, json!({})).await;
}

/// Goes on as the sweeper does, until the run waits for people or has ended.
async fn go_on(app: &App) -> Execution {
    for _ in 0..5 {
        app.advance(61);
        app.tick().await;
    }
    app.execution().await
}

/// A worker that goes on with the run now, as when a task comes.
async fn continued(app: &App) -> StatusCode {
    let body = json!({ "orgId": "o1", "executionId": "t1" });
    app.post("/continue", Vec::new(), body.to_string().into())
        .await
}

#[tokio::test]
async fn nothing_is_done_before_people_let_it() {
    let actions = Arc::new(RecordingActions::doing_all());
    let app = asking(&actions, MAIL, mail(json!({}))).await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Waiting);
    assert_eq!(app.step("act").await.status, StepStatus::Waiting);
    let asked = approval(&app).await.value;
    assert_eq!((&*asked.message, asked.required), ("Send a mail", 1));
    assert_eq!(asked.roles, [Role::Admin]);
    assert_eq!((asked.excluded, asked.expires_at), (None, None));
    let action = asked.action.unwrap();
    assert_eq!(action.name, MAIL);
    let input = json!({ "to": ["ada@example.com"], "subject": "Hello", "text": "How are you?" });
    assert_eq!(action.input.0, input);
    go_on(&app).await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Waiting);
    assert!(actions.calls().is_empty());
    decide(&app, ApprovalStatus::Approved).await;
    app.settle().await;
    let execution = app.execution().await;
    assert_eq!(execution.output.unwrap().0, json!({ "done": true }));
    let calls = actions.calls();
    assert_eq!((calls.len(), &calls[0].input), (1, &input));
    let step = app.step("act").await;
    assert_eq!(step.status, StepStatus::Succeeded);
    assert_eq!(step.intent.idempotency_key, calls[0].idempotency_key);
    assert_eq!(execution.budget.used_steps, 3);
}

#[tokio::test]
async fn the_account_that_people_were_shown_is_the_one_it_is_done_with() {
    let actions = Arc::new(RecordingActions::doing_all());
    let app = app(&actions, MAIL, mail(json!({}))).await;
    integrate(
        &app,
        "shown",
        IntegrationService::Google,
        IntegrationStatus::Connected,
    )
    .await;
    app.run(payload()).await;
    let asked = approval(&app).await.value.action.unwrap().account.unwrap();
    assert_eq!(
        (asked.integration_id.as_str(), &*asked.label),
        ("shown", "a")
    );
    // Another account is connected before people decide.
    integrate(
        &app,
        "other",
        IntegrationService::Google,
        IntegrationStatus::Connected,
    )
    .await;
    decide(&app, ApprovalStatus::Approved).await;
    app.settle().await;
    let used = actions.calls().remove(0).integration_id.unwrap();
    assert_eq!(used.as_str(), "shown");
}

#[tokio::test]
async fn no_account_is_shown_where_it_is_not_clear_which() {
    let actions = Arc::new(RecordingActions::doing_all());
    let app = app(&actions, MAIL, mail(json!({}))).await;
    for id in ["one", "two"] {
        integrate(
            &app,
            id,
            IntegrationService::Google,
            IntegrationStatus::Connected,
        )
        .await;
    }
    app.run(payload()).await;
    assert_eq!(approval(&app).await.value.action.unwrap().account, None);
}

#[tokio::test]
async fn what_is_not_approved_is_not_done() {
    for (status, code) in [
        (ApprovalStatus::Rejected, "permission_denied"),
        (ApprovalStatus::Cancelled, "cancelled"),
    ] {
        let actions = Arc::new(RecordingActions::doing_all());
        let retry = json!({ "attempts": 2 });
        let data = mail(json!({ "onError": "branch", "retry": retry }));
        let app = asking(&actions, MAIL, data).await;
        decide(&app, status).await;
        app.settle().await;
        assert_eq!(app.execution().await.output.unwrap().0, json!(code));
        assert!(actions.calls().is_empty());
    }
}

#[tokio::test]
async fn what_nobody_approves_in_time_is_not_done() {
    let actions = Arc::new(RecordingActions::doing_all());
    let approvers = json!({ "roles": ["user"], "required": 2, "expiresAfterSecs": 600 });
    let data = mail(json!({ "approvers": approvers }));
    let app = asking(&actions, MAIL, data).await;
    let asked = approval(&app).await.value;
    assert_eq!((asked.roles, asked.required), (vec![Role::User], 2));
    app.advance(599);
    app.settle().await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Waiting);
    app.advance(1);
    app.settle().await;
    let error = app.execution().await.error.unwrap();
    assert_eq!(error.code, "deadline_exceeded");
    assert_eq!(approval(&app).await.value.status, ApprovalStatus::Expired);
    assert!(actions.calls().is_empty());
}

#[tokio::test]
async fn who_may_do_without_asks_nobody() {
    let actions = Arc::new(RecordingActions::doing_all());
    let app = asking(&actions, MAIL, mail(json!({ "approval": "none" }))).await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Succeeded);
    assert_eq!(actions.calls().len(), 1);
    assert!(app.db.documents("approvals/").is_empty());
}

#[tokio::test]
async fn a_mocked_action_asks_nobody_and_is_not_done() {
    let actions = Arc::new(RecordingActions::doing_all());
    let app = app(&actions, MAIL, mail(json!({}))).await;
    let mock = Mock {
        output: json!("mocked"),
        handle: None,
    };
    let mut trigger = trigger(payload());
    trigger.options = StartOptions {
        mocks: Some(json!({ "act": mock }).into()),
        ..StartOptions::default()
    };
    app.deliver(&trigger).await;
    assert_eq!(app.execution().await.output.unwrap().0, json!("mocked"));
    assert!(actions.calls().is_empty());
    assert!(app.db.documents("approvals/").is_empty());
}

#[tokio::test]
async fn a_value_of_the_wrong_kind_is_not_asked_about() {
    let actions = Arc::new(RecordingActions::doing_all());
    let app = app(&actions, MAIL, mail(json!({}))).await;
    let execution = app.run(json!({ "to": 5, "text": "t" })).await;
    assert_eq!(execution.error.unwrap().message, "`to[0]` must be text");
    assert!(app.db.documents("approvals/").is_empty());
}

#[tokio::test]
async fn an_approval_of_something_else_lets_nothing_happen() {
    let actions = Arc::new(RecordingActions::doing_all());
    let app = asking(&actions, MAIL, mail(json!({}))).await;
    let mut asked = approval(&app).await;
    asked.value.action.as_mut().unwrap().request_hash = "another".to_owned();
    let write = approvals::replace(&asked).unwrap();
    app.store.commit(vec![write]).await.unwrap();
    decide(&app, ApprovalStatus::Approved).await;
    app.settle().await;
    let error = app.execution().await.error.unwrap();
    assert_eq!(error.code, "failed_precondition");
    assert!(actions.calls().is_empty());
}

#[tokio::test]
async fn items_of_a_loop_are_approved_one_by_one() {
    let actions = Arc::new(RecordingActions::doing_all());
    let app = App::reaching(Outside {
        actions: actions.clone(),
        ..Outside::default()
    })
    .await;
    let items = json!({ "items": ["a", "b"], "parallelism": 2, "onItemError": "continue" });
    let nodes = json!([
        node("start", "trigger", json!({})),
        node("each", "loop", items),
        node("act", SMS, merged(sms(), json!({ "body": "${item}" }))),
        node("end", "output", json!({ "value": "${nodes.each.output}" })),
    ]);
    let edges = json!([
        edge("start", "each"),
        branch("each", "each", "act"),
        branch("each", "done", "end"),
    ]);
    app.save(nodes, edges).await;
    app.run(json!({})).await;
    let asked = app.db.documents("approvals/");
    for (document, status) in asked
        .iter()
        .zip([ApprovalStatus::Approved, ApprovalStatus::Rejected])
    {
        let approval: Approval = decode(document).unwrap();
        let found = app.store.find_approval(&org_id(), &approval.id).await;
        let mut approval = found.unwrap().unwrap();
        approval.value.status = status;
        let write = approvals::replace(&approval).unwrap();
        app.store.commit(vec![write]).await.unwrap();
    }
    continued(&app).await;
    let execution = go_on(&app).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    assert_eq!((asked.len(), actions.calls().len()), (2, 1));
}

#[tokio::test]
async fn people_are_not_asked_any_more_once_the_run_has_ended() {
    let actions = Arc::new(RecordingActions::doing_all());
    let app = app(&actions, MAIL, mail(json!({}))).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node(
            "each",
            "loop",
            json!({ "items": [1], "onItemError": "continue" })
        ),
        node("act", SMS, merged(sms(), json!({ "body": "b" }))),
        node("pause", "wait", json!({ "seconds": 60 })),
        node("broken", "transform", json!({ "value": "${1 / 0}" })),
        node("end", "output", json!({ "value": "over" })),
    ]);
    let edges = json!([
        edge("start", "each"),
        branch("each", "each", "act"),
        branch("each", "each", "pause"),
        edge("pause", "broken"),
        branch("each", "done", "end"),
    ]);
    app.save_as("w2", nodes, edges).await;
    let mut trigger = trigger(json!({}));
    trigger.workflow_id = "w2".parse().unwrap();
    app.deliver(&trigger).await;
    app.advance(60);
    app.settle().await;
    assert_eq!(app.execution().await.status, ExecutionStatus::Succeeded);
    let asked: Approval = decode(&app.db.documents("approvals/")[0]).unwrap();
    assert_eq!(asked.status, ApprovalStatus::Cancelled);
    assert!(actions.calls().is_empty());
}

#[tokio::test]
async fn a_worker_that_is_killed_while_it_asks_has_done_nothing() {
    let mut kills = 0;
    for polls in 1.. {
        let actions = Arc::new(RecordingActions::doing_all());
        let app = app(&actions, SMS, sms()).await;
        app.fire(&trigger(payload())).await;
        let again = trigger(payload());
        let delivered = killed_after(polls, app.deliver_again(&again)).await;
        app.deliver_again(&again).await;
        let execution = go_on(&app).await;
        let place = format!("killed at poll {polls}");
        assert_eq!(execution.status, ExecutionStatus::Waiting, "{place}");
        assert_eq!(app.db.documents("approvals/").len(), 1, "{place}");
        assert!(actions.calls().is_empty(), "{place}");
        decide(&app, ApprovalStatus::Approved).await;
        app.settle().await;
        let execution = app.execution().await;
        assert_eq!(execution.status, ExecutionStatus::Succeeded, "{place}");
        assert_eq!(actions.calls().len(), 1, "{place}");
        if delivered.is_some() {
            break;
        }
        kills += 1;
    }
    assert!(kills > 5, "only {kills} awaits");
}

/// What a run came to whose worker was killed after the approval, and one after it, if any.
async fn killed_after_the_approval(
    kind: &str,
    data: Value,
    kills: &[usize],
) -> (Execution, Vec<ActionCall>, bool) {
    let actions = Arc::new(RecordingActions::doing_all());
    let app = asking(&actions, kind, data).await;
    decide(&app, ApprovalStatus::Approved).await;
    let mut was_killed = false;
    for polls in kills {
        was_killed = killed_after(*polls, continued(&app)).await.is_none();
        app.advance(61);
    }
    app.settle().await;
    let execution = go_on(&app).await;
    (execution, actions.calls(), was_killed)
}

#[tokio::test]
async fn what_knows_its_key_happens_once_whenever_the_worker_is_killed() {
    for second in [None, Some(2), Some(5), Some(9)] {
        for polls in 1.. {
            let kills: Vec<usize> = second.into_iter().chain([polls]).collect();
            let killed = killed_after_the_approval(MAIL, mail(json!({})), &kills).await;
            let (execution, calls, was_killed) = killed;
            let place = format!("killed at {kills:?}");
            assert_eq!(execution.status, ExecutionStatus::Succeeded, "{place}");
            assert!(!calls.is_empty(), "{place}");
            assert!(calls.iter().all(|call| *call == calls[0]), "{place}");
            if !was_killed {
                break;
            }
        }
    }
}

#[tokio::test]
async fn what_would_happen_again_is_done_at_most_once_whenever_the_worker_is_killed() {
    for second in [None, Some(2), Some(5), Some(9)] {
        let mut ends = BTreeSet::new();
        for polls in 1.. {
            let kills: Vec<usize> = second.into_iter().chain([polls]).collect();
            let killed = killed_after_the_approval(SMS, sms(), &kills).await;
            let (execution, calls, was_killed) = killed;
            let place = format!("killed at {kills:?}");
            let code = execution.error.as_ref().map(|error| error.code.clone());
            match code.as_deref() {
                None => assert_eq!(calls.len(), 1, "{place}"),
                Some("unknown") => assert!(calls.len() <= 1, "{place}"),
                Some(_) => assert_eq!(execution.error, None, "{place}"),
            }
            ends.insert((code, calls.len()));
            if !was_killed {
                break;
            }
        }
        if second.is_none() {
            let unknown = Some("unknown".to_owned());
            // None when it was killed between the intent and the service.
            let expected = [(None, 1), (unknown.clone(), 1), (unknown, 0)];
            assert_eq!(ends, BTreeSet::from(expected));
        }
    }
}
