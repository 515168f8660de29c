//! Effects that must not happen twice.

use std::sync::Arc;

use serde_json::json;
use shared::{
    llm::Error as LlmError,
    models::{Execution, ExecutionStatus, StepStatus},
    testing::ScriptedLlm,
};

use crate::app::{App, branch, edge, node, trigger};

async fn app(llm: Arc<ScriptedLlm>, on_error: serde_json::Value) -> App {
    let app = App::new(llm).await;
    let nodes = json!([
        node("start", "trigger", json!({})),
        node(
            "send",
            "llm",
            json!({ "prompt": "Hello", "atMostOnce": true, "onError": on_error })
        ),
        node("sent", "output", json!({ "value": "sent" })),
        node(
            "perhaps",
            "output",
            json!({ "value": "${nodes.send.output.error.code}" })
        ),
    ]);
    let mut edges = vec![edge("start", "send"), edge("send", "sent")];
    let mut nodes = nodes.as_array().unwrap().clone();
    if on_error == "branch" {
        edges.push(branch("send", "error", "perhaps"));
    } else {
        nodes.pop();
    }
    app.save(nodes.into(), edges.into()).await;
    app
}

/// The worker dies when its call is under way: nothing is known of it afterwards.
async fn killed_in_the_call(app: &App, llm: &ScriptedLlm) -> Execution {
    let trigger = trigger(json!({}));
    let mut delivery = Box::pin(app.deliver(&trigger));
    while llm.requests().is_empty() {
        let _ = futures::poll!(delivery.as_mut());
        tokio::task::yield_now().await;
    }
    drop(delivery);
    app.advance(61);
    app.tick().await;
    app.execution().await
}

#[tokio::test]
async fn an_attempt_whose_end_is_unknown_is_shown_as_such_and_not_repeated() {
    let llm = Arc::new(ScriptedLlm::answering("done"));
    let app = app(llm.clone(), json!("fail")).await;
    let execution = killed_in_the_call(&app, &llm).await;
    assert_eq!(execution.status, ExecutionStatus::Failed);
    assert_eq!(execution.error.unwrap().code, "unknown");
    assert_eq!(app.step("send").await.status, StepStatus::Unknown);
    assert_eq!(llm.requests().len(), 1);
}

#[tokio::test]
async fn an_unknown_end_can_be_branched_on() {
    let llm = Arc::new(ScriptedLlm::answering("done"));
    let app = app(llm.clone(), json!("branch")).await;
    let execution = killed_in_the_call(&app, &llm).await;
    assert_eq!(execution.output.unwrap().0, json!("unknown"));
    assert_eq!(llm.requests().len(), 1);
}

#[tokio::test]
async fn a_call_that_was_lost_on_the_way_is_unknown_as_well() {
    let llm = ScriptedLlm::new(|_| Err(LlmError::Timeout("gone".into())));
    let llm = Arc::new(llm);
    let app = app(llm.clone(), json!("fail")).await;
    app.run(json!({})).await;
    assert_eq!(app.step("send").await.status, StepStatus::Unknown);
    assert_eq!(llm.requests().len(), 1);
}

#[tokio::test]
async fn an_attempt_that_had_no_effect_has_simply_failed() {
    let refused = || LlmError::InvalidRequest {
        code: "bad".to_owned(),
    };
    let llm = Arc::new(ScriptedLlm::new(move |_| Err(refused())));
    let app = app(llm, json!("fail")).await;
    app.run(json!({})).await;
    assert_eq!(app.step("send").await.status, StepStatus::Failed);
}
