//! Nodes that have a connected service do something.

pub(crate) mod paused;
mod permission;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::{Value, json};
use shared::{
    connectors,
    ids::IntegrationId,
    models::{ExecutionStatus, StepStatus, SubscriptionTier},
    storage::Bucket,
    testing::{ActionCall, MemoryBucket, RecordingActions},
    vault,
};

use crate::{
    app::{App, Outside, branch, edge, node, org_id},
    turns::change_tier,
};

/// A run that does `kind` and ends with its output.
pub(crate) async fn app(actions: &Arc<RecordingActions>, kind: &str, data: Value) -> App {
    let app = App::reaching(Outside {
        actions: actions.clone(),
        ..Outside::default()
    })
    .await;
    save(&app, kind, data).await;
    app
}

async fn save(app: &App, kind: &str, data: Value) {
    let branches = data["onError"] == "branch";
    let mut nodes = vec![
        node("start", "trigger", json!({})),
        node("act", kind, data),
        node("end", "output", json!({ "value": "${nodes.act.output}" })),
    ];
    let mut edges = vec![edge("start", "act"), edge("act", "end")];
    if branches {
        let value = json!({ "value": "${nodes.act.output.error.code}" });
        nodes.push(node("failed", "output", value));
        edges.push(branch("act", "error", "failed"));
    }
    app.save(nodes.into(), edges.into()).await;
}

fn search(more: Value) -> Value {
    merged(json!({ "query": "from:${trigger.from}" }), more)
}

fn comment(more: Value) -> Value {
    let comment = json!({ "owner": "o", "repo": "r", "number": 7, "body": "b" });
    merged(comment, more)
}

pub(crate) fn merged(mut data: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    data.as_object_mut().unwrap().extend(more);
    data
}

fn failing(error: impl Fn() -> vault::Error + Send + Sync + 'static) -> Arc<RecordingActions> {
    Arc::new(RecordingActions::new(move |_| Err(error())))
}

fn unavailable() -> vault::Error {
    connectors::Error::Unavailable("down".into()).into()
}

fn unknown() -> vault::Error {
    connectors::Error::Unknown("broken off".into()).into()
}

const SEARCH: &str = "google.gmail.search";
const COMMENT: &str = "github.comments.create";

#[tokio::test]
async fn an_action_is_told_what_its_expressions_come_to() {
    let actions = Arc::new(RecordingActions::new(|call: &ActionCall| {
        Ok(json!({ "found": call.input["query"] }))
    }));
    let data = search(json!({
        "limit": "${trigger.limit}", "integration": "${trigger.integration}",
    }));
    let app = app(&actions, SEARCH, data).await;
    let payload = json!({ "from": "ada@example.com", "limit": 5, "integration": "i1" });
    let execution = app.run(payload).await;
    let expected = json!({ "found": "from:ada@example.com" });
    assert_eq!(execution.output.unwrap().0, expected);
    let call = actions.calls().remove(0);
    assert_eq!((call.action, call.org_id), (SEARCH, org_id()));
    assert_eq!(call.integration_id, IntegrationId::parse("i1").ok());
    let input = json!({ "query": "from:ada@example.com", "limit": 5 });
    assert_eq!(call.input, input);
    let step = app.step("act").await;
    assert_eq!(step.kind, SEARCH);
    assert_eq!(step.intent.idempotency_key, call.idempotency_key);
}

/// The account was connected while the tier had it.
#[tokio::test]
async fn google_is_not_asked_any_more_after_a_downgrade() {
    for (kind, data, is_asked) in [
        (SEARCH, search(json!({})), false),
        (COMMENT, comment(json!({})), true),
    ] {
        let actions = Arc::new(RecordingActions::doing_all());
        let app = app(&actions, kind, data).await;
        change_tier(&app, SubscriptionTier::Free).await;
        let execution = app.run(json!({ "from": "a" })).await;
        assert_eq!(actions.calls().len(), usize::from(is_asked), "{kind}");
        if !is_asked {
            let error = execution.error.unwrap();
            assert_eq!(error.code, "failed_precondition");
            assert!(error.message.contains("pro tier"), "{}", error.message);
        }
    }
}

#[tokio::test]
async fn what_comes_to_null_is_left_out() {
    let actions = Arc::new(RecordingActions::doing_all());
    let data = search(json!({ "limit": "${trigger.limit}", "integration": "${trigger.limit}" }));
    let app = app(&actions, SEARCH, data).await;
    let execution = app.run(json!({ "from": "a", "limit": null })).await;
    assert_eq!(execution.status, ExecutionStatus::Succeeded);
    let call = actions.calls().remove(0);
    assert_eq!(call.input, json!({ "query": "from:a" }));
    assert_eq!(call.integration_id, None);
}

#[tokio::test]
async fn a_value_of_the_wrong_kind_names_its_field_and_asks_no_service() {
    for (field, value, message) in [
        (
            "limit",
            json!("secret"),
            "`limit` must be a whole number from 1 to 500",
        ),
        (
            "limit",
            json!(501),
            "`limit` must be a whole number from 1 to 500",
        ),
        ("query", json!(["secret"]), "`query` must be text"),
        ("query", json!(null), "`query` is missing"),
        ("query", json!(""), "`query` must not be empty"),
        ("integration", json!("no/id"), "`integration` is no id"),
        ("integration", json!(1), "`integration` is no id"),
    ] {
        let actions = Arc::new(RecordingActions::doing_all());
        let data = search(json!({ field: "${trigger.value}", "retry": { "attempts": 3 } }));
        let app = app(&actions, SEARCH, data).await;
        let execution = app.run(json!({ "from": "a", "value": value })).await;
        let error = execution.error.unwrap();
        assert_eq!(
            (&*error.code, &*error.message),
            ("invalid_argument", message)
        );
        assert!(actions.calls().is_empty(), "{field}");
    }
}

#[tokio::test]
async fn what_the_hub_refuses_is_not_asked_again() {
    let rejected = |status| connectors::Error::Rejected {
        status,
        reason: Some("no".to_owned()),
    };
    type Case = (fn() -> vault::Error, &'static str);
    let cases: [Case; 6] = [
        (|| vault::Error::NotConnected, "failed_precondition"),
        (|| vault::Error::Broken, "failed_precondition"),
        (
            || vault::Error::NeedsConsent { scopes: vec![] },
            "permission_denied",
        ),
        (
            || {
                let needs_consent = false;
                connectors::Error::Forbidden { needs_consent }.into()
            },
            "permission_denied",
        ),
        (
            || connectors::Error::Unauthorized.into(),
            "failed_precondition",
        ),
        (
            || connectors::Error::Malformed.into(),
            "failed_precondition",
        ),
    ];
    let mut failures: Vec<(Arc<RecordingActions>, &str)> = Vec::new();
    failures.extend(cases.map(|(error, code)| (failing(error), code)));
    failures.push((failing(move || rejected(404).into()), "not_found"));
    failures.push((failing(move || rejected(400).into()), "failed_precondition"));
    for (actions, code) in failures {
        let data = search(json!({ "retry": { "attempts": 3 }, "onError": "branch" }));
        let app = app(&actions, SEARCH, data).await;
        let execution = app.run(json!({ "from": "a" })).await;
        assert_eq!(execution.output.unwrap().0, json!(code));
        assert_eq!(actions.calls().len(), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_down_is_asked_again_under_the_same_key() {
    let outcomes = std::sync::Mutex::new(vec![
        Ok(json!("done")),
        Err(unavailable()),
        Err(connectors::Error::RateLimited {
            retry_after: Some(Duration::from_secs(7)),
        }
        .into()),
    ]);
    let actions = RecordingActions::new(move |_| outcomes.lock().unwrap().pop().unwrap());
    let actions = Arc::new(actions);
    let retry = json!({ "attempts": 3, "firstDelayMs": 0, "maxDelayMs": 1000 });
    let data = comment(json!({ "retry": retry, "atMostOnce": false }));
    let app = app(&actions, COMMENT, data).await;
    let began = tokio::time::Instant::now();
    let execution = app.run(json!({})).await;
    assert_eq!(execution.output.unwrap().0, json!("done"));
    assert!(began.elapsed() >= Duration::from_secs(7));
    let calls = actions.calls();
    let keys: BTreeSet<_> = calls.iter().map(|call| &call.idempotency_key).collect();
    assert_eq!((calls.len(), keys.len()), (3, 1));
}

#[tokio::test]
async fn an_action_that_may_have_happened_is_unknown_if_it_must_be_the_only_one() {
    for (kind, data, status) in [
        (COMMENT, comment(json!({})), StepStatus::Unknown),
        (
            COMMENT,
            comment(json!({ "atMostOnce": false })),
            StepStatus::Failed,
        ),
        (SEARCH, search(json!({})), StepStatus::Failed),
    ] {
        let actions = failing(unknown);
        let app = app(&actions, kind, data).await;
        app.run(json!({ "from": "a" })).await;
        assert_eq!(app.step("act").await.status, status, "{kind}");
        assert_eq!(actions.calls().len(), 1);
    }
    let actions = failing(unavailable);
    let app = app(&actions, COMMENT, comment(json!({}))).await;
    app.run(json!({})).await;
    assert_eq!(app.step("act").await.status, StepStatus::Failed);
}

/// The worker dies when its call is under way; the sweeper finds the run.
async fn killed_in_the_call(app: &App, actions: &RecordingActions) {
    let trigger = crate::app::trigger(json!({ "from": "a" }));
    let mut delivery = Box::pin(app.deliver(&trigger));
    while actions.calls().is_empty() {
        let _ = futures::poll!(delivery.as_mut());
        tokio::task::yield_now().await;
    }
    drop(delivery);
    app.advance(61);
    app.tick().await;
}

#[tokio::test]
async fn after_a_crash_only_what_may_be_repeated_is() {
    let document = json!({ "title": "t", "content": "c" });
    let file = json!({ "owner": "o", "repo": "r", "path": "p", "content": "c", "message": "m",
        "approval": "none" });
    for (kind, data, status, calls) in [
        (COMMENT, comment(json!({})), StepStatus::Unknown, 1),
        // A second try would replace what somebody has committed in between.
        ("github.files.put", file, StepStatus::Unknown, 1),
        ("google.docs.create", document, StepStatus::Succeeded, 2),
        (SEARCH, search(json!({})), StepStatus::Succeeded, 2),
    ] {
        let actions = Arc::new(RecordingActions::doing_all());
        let app = app(&actions, kind, data).await;
        killed_in_the_call(&app, &actions).await;
        assert_eq!(app.step("act").await.status, status, "{kind}");
        let made = actions.calls();
        assert_eq!(made.len(), calls, "{kind}");
        assert_eq!(made[0], made[calls - 1], "{kind}");
    }
}

#[tokio::test]
async fn a_result_that_is_too_large_for_a_document_is_kept_in_the_bucket() {
    let large = json!({ "text": "x".repeat(300_000) });
    let answer = large.clone();
    let actions = Arc::new(RecordingActions::new(move |_| Ok(answer.clone())));
    let bucket = Arc::new(MemoryBucket::new());
    let app = App::reaching(Outside {
        actions,
        artifacts: Some(bucket.clone()),
        ..Outside::default()
    })
    .await;
    save(&app, SEARCH, search(json!({}))).await;
    let execution = app.run(json!({ "from": "a" })).await;
    let stored = &execution.output.unwrap().0["body"]["stored"];
    assert_eq!(stored["contentType"], "application/json");
    let object = stored["object"].as_str().unwrap();
    let kept: Value = serde_json::from_slice(&bucket.read(object).await.unwrap().unwrap()).unwrap();
    assert_eq!(kept, large);
}
